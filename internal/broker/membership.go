package broker

import (
	"context"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// epoch is the broker epoch of the registration.
func (s *session) epoch() metadata.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registered == nil {
		return 0
	}
	return s.registered.Epoch
}

// heard is told by the feed of a change of this broker's registration. Where others have ended it, because they
// took this broker for dead, it is made anew.
func (s *session) heard(change metadata.BrokerChange) {
	if change.New != nil || change.Old == nil || change.Old.Epoch != s.epoch() {
		return
	}
	select {
	case s.evicted <- struct{}{}:
	default:
	}
}

// handOverTime bounds how long a stop waits for others to lead what this broker does.
const handOverTime = 5 * time.Second

// handOver has other brokers lead the partitions that this one leads, where there are others in sync, and leaves the
// in-sync sets, so that nobody waits for it once it has gone.
func (b *Broker) handOver(ctx context.Context) {
	if b.session == nil || !config.ControlledShutdown.In(b.settings.view()) || !others(b.feed.Current(), b.id) {
		return
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	b.leaving.Store(true)
	if !b.announceLeave(ctx) {
		b.logger.Warn("leaderships are not handed over: the metadata store can't be reached")
		return
	}
	left := 0
	for ctx.Err() == nil {
		if left = needed(b.feed.Current(), b.id); left == 0 {
			b.logger.Info("other brokers lead now", "took", time.Since(began).Round(time.Millisecond).String())
			return
		}
		pause(ctx, handOverPoll)
	}
	b.logger.Warn("not all leaderships were handed over", "left", left)
}

// announceLeave says in the registration that this broker leaves; false if that can't be said now.
func (b *Broker) announceLeave(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	b.session.update(ctx)
	for ctx.Err() == nil {
		if me := b.feed.Current().Broker(b.id); me != nil && me.Leaving {
			return true
		}
		pause(ctx, handOverPoll)
	}
	return false
}

// handOverPoll is how often a stop looks whether it is done.
const handOverPoll = 2 * time.Millisecond

// others reports whether there are brokers that could take over.
func others(image *metadata.Image, self ident.BrokerID) bool {
	for _, b := range image.Brokers() {
		if b.ID != self && !b.Leaving {
			return true
		}
	}
	return false
}

// needed counts the partitions that would miss the broker now: another one in sync could lead, or has to be waited for.
func needed(image *metadata.Image, self ident.BrokerID) int {
	count := 0
	for topic := range image.Topics() {
		for _, p := range topic.Partitions() {
			if _, inSync := p.InISR(self); inSync && othersInSync(image, p, self) {
				count++
			}
		}
	}
	return count
}

func othersInSync(image *metadata.Image, p *metadata.Partition, self ident.BrokerID) bool {
	for _, m := range p.ISR {
		b := image.Broker(m.Broker)
		if m.Broker != self && b != nil && !b.Leaving && (m.Store.IsZero() || b.HasStore(m.Store)) {
			return true
		}
	}
	return false
}
