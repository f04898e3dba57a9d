package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
	"barnabas/internal/wire"
)

// fetchers copy from the leaders of the partitions that this broker follows: one goroutine and one connection to
// each leader, many partitions in one fetch.
type fetchers struct {
	broker     ident.BrokerID
	epoch      func() metadata.Revision // this broker's
	image      func() *metadata.Image
	partitions *replication.Manager
	dial       wire.Dial
	settings   fetchSettings
	logger     *slog.Logger
	ctx        context.Context
	running    sync.WaitGroup

	// What follows is the feed's goroutine's.
	leaders  map[ident.BrokerID]*leaderFetch
	assigned map[ident.TopicPartition]replication.Upstream
}

// fetchSettings are replica.fetch.* as the broker began with them.
type fetchSettings struct {
	wait, backoff, timeout                time.Duration
	minBytes, maxBytes, partitionMaxBytes int
}

func newFetchSettings(v *config.View) fetchSettings {
	return fetchSettings{
		wait: config.ReplicaFetchWaitMax.In(v), backoff: config.ReplicaFetchBackoff.In(v),
		timeout:  config.ReplicaSocketTimeout.In(v),
		minBytes: config.ReplicaFetchMinBytes.In(v), maxBytes: config.ReplicaFetchResponseMaxBytes.In(v),
		partitionMaxBytes: config.ReplicaFetchMaxBytes.In(v),
	}
}

// startFetchers copies until ctx ends. The feed tells of what by apply.
func (b *Broker) startFetchers(ctx context.Context) *fetchers {
	return &fetchers{
		broker: b.id, epoch: func() metadata.Revision { return b.session.epoch() },
		image: b.feed.Current, partitions: b.partitions, dial: b.options.Dial,
		settings: newFetchSettings(b.config.View()), logger: b.logger, ctx: ctx,
		leaders:  map[ident.BrokerID]*leaderFetch{},
		assigned: map[ident.TopicPartition]replication.Upstream{},
	}
}

// apply is called by the feed once the partitions have taken their roles.
func (f *fetchers) apply(delta *metadata.Delta) {
	for _, change := range delta.Partitions {
		f.update(change.TopicPartition())
	}
	for _, change := range delta.Brokers {
		if change.ID == f.broker {
			f.updateAll() // a log directory may have come back
		}
		if l := f.leaders[change.ID]; l != nil && change.New != nil {
			l.hurry()
		}
	}
}

// update has a partition fetched from where its role says, or from nowhere.
func (f *fetchers) update(name ident.TopicPartition) {
	var now replication.Upstream
	p, err := f.partitions.Get(name.Topic, name.Partition)
	follows := false
	if err == nil {
		now, follows = p.Upstream()
	}
	old, had := f.assigned[name]
	if had && (!follows || old.Leader != now.Leader || old.Topic != now.Topic) {
		f.leaders[old.Leader].remove(replication.FetchKey{Topic: old.Topic, Partition: name.Partition})
		delete(f.assigned, name)
	}
	if follows && old != now {
		f.assigned[name] = now
		f.leader(now.Leader).add(replication.FetchKey{Topic: now.Topic, Partition: name.Partition}, now, p)
	}
}

// updateAll looks at every partition again.
func (f *fetchers) updateAll() {
	for _, p := range f.partitions.All() {
		f.update(p.Name())
	}
}

func (f *fetchers) leader(id ident.BrokerID) *leaderFetch {
	l := f.leaders[id]
	if l == nil {
		l = &leaderFetch{
			fetchers: f, id: id, core: replication.NewFetcher(f.settings.backoff), wake: make(chan struct{}, 1),
			logger: f.logger.With("leader", int32(id)),
		}
		f.leaders[id] = l
		f.running.Go(l.run)
		f.running.Go(func() {
			<-f.ctx.Done()
			l.interrupt(true)
		})
	}
	return l
}

// checkInSync has the partitions led here look who lags, until ctx ends.
func (b *Broker) checkInSync(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, config.ReplicaLagTimeMax.In(b.settings.view())/2)
		b.partitions.CheckInSync()
	}
}

// stopCopying waits for the goroutines that go to other brokers; their context has ended.
func (b *Broker) stopCopying() {
	if b.unfollow != nil {
		b.unfollow()
		b.fetchers.wait()
		b.pulses.wait()
	}
}

// wait returns when all goroutines have ended, after the context has.
func (f *fetchers) wait() { f.running.Wait() }

// address is where a broker is reached by others; false while it is not registered.
func (f *fetchers) address(id ident.BrokerID) (string, bool) {
	b := f.image().Broker(id)
	if b == nil {
		return "", false
	}
	return internalAddress(b), true
}

func internalAddress(b *metadata.Broker) string {
	return fmt.Sprintf("%s:%d", b.Internal.Host, b.Internal.Port)
}
