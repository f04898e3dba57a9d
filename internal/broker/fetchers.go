package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/footprint"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// fetchers copy from the leaders of the partitions that this broker follows: one goroutine and one connection to
// each leader, many partitions in one fetch, and a second one while some lag (fetch_lanes.go).
type fetchers struct {
	broker     ident.BrokerID
	epoch      func() metadata.Revision // this broker's
	image      func() *metadata.Image
	partitions *replication.Manager
	*roads
	settings fetchSettings
	cores    *footprint.Cores
	logger   *slog.Logger
	ctx      context.Context
	running  sync.WaitGroup

	// What follows is the feed's goroutine's.
	leaders  map[source]*leaderCopy
	assigned map[ident.TopicPartition]assignedTo
}

// source is a broker that leads, told apart from its successor by a registration: that of the store that leads.
type source struct {
	id ident.BrokerID
	// heir says that the successor leads.
	heir bool
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
		image: b.feed.Current, partitions: b.partitions, roads: b.roads,
		settings: newFetchSettings(b.config.View()), cores: b.cores, logger: b.logger, ctx: ctx,
		leaders:  map[source]*leaderCopy{},
		assigned: map[ident.TopicPartition]assignedTo{},
	}
}

// apply is called by the feed once the partitions have taken their roles.
func (f *fetchers) apply(delta *metadata.Delta) {
	for _, change := range delta.Partitions {
		f.update(change.TopicPartition())
	}
	moved := len(delta.Successors) > 0 // who held a store as a successor may hold it as the broker now
	for _, change := range delta.Brokers {
		moved = moved || change.ID == f.broker // a log directory may have come back
		if l := f.leaders[source{id: change.ID}]; l != nil {
			if change.New == nil || change.Old == nil || change.New.Epoch != change.Old.Epoch {
				l.interrupt(true) // another process is there now, or nobody
			}
			l.hurry()
		}
	}
	if moved {
		f.updateAll()
	}
}

// sourceOf is where a replica finds its leader.
func (f *fetchers) sourceOf(from replication.Upstream) source {
	heir := f.image().Successor(from.Leader)
	return source{from.Leader, heir != nil && !from.Store.IsZero() && heir.HasStore(from.Store)}
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
	at := f.sourceOf(now)
	if had && (!follows || old.at != at || old.Topic != now.Topic) {
		f.leaders[old.at].remove(replication.FetchKey{Topic: old.Topic, Partition: name.Partition})
		delete(f.assigned, name)
		old = assignedTo{}
	}
	if next := (assignedTo{now, at}); follows && old != next {
		f.assigned[name] = next
		f.leader(at).add(replication.FetchKey{Topic: now.Topic, Partition: name.Partition}, now, p)
	}
}

// assignedTo is from whom a partition is fetched, and where that one is.
type assignedTo struct {
	replication.Upstream
	at source
}

// updateAll looks at every partition again.
func (f *fetchers) updateAll() {
	for _, p := range f.partitions.All() {
		f.update(p.Name())
	}
}

func (f *fetchers) leader(at source) *leaderCopy {
	c := f.leaders[at]
	if c == nil {
		c = f.newLeaderCopy(at)
		f.leaders[at] = c
		c.run()
	}
	return c
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

// registration is that of a source, nil while it is not there.
func (f *fetchers) registration(at source) *metadata.Broker {
	if at.heir {
		return f.image().Successor(at.id)
	}
	return f.image().Broker(at.id)
}
