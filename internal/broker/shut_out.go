package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// A broker whose registration others have ended, for they could not reach it, comes back when two things are so
// (docs/adr/0010): the controller has seen that it was gone, or it would lead on what nobody can copy from it; and it
// reaches enough of the others itself, or they would end its registration again and again.

const (
	// returnPoll is how often it looks whether the controller has acted, returnTry how often whom it reaches.
	returnPoll = 10 * time.Millisecond
	returnTry  = time.Second
)

// awaitReturn returns when the broker may register anew, or ctx ends. What the cluster can't do for want of a
// controller it does not wait for longer than a lease lasts.
func (b *Broker) awaitReturn(ctx context.Context) {
	for end := time.Now().Add(b.session.ttl); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, returnPoll) {
		if !isMissed(b.feed.Current(), b.id) {
			break
		}
	}
	for said := false; ctx.Err() == nil && !b.leaving.Load(); pause(ctx, returnTry) {
		others, reached := b.reachable(ctx)
		if mayReturn(others, reached) {
			return
		}
		if !said {
			said = true
			b.logger.Warn("this broker registers again when it reaches more of the others", "reached", reached, "of", others)
		}
	}
}

// isMissed tells whether partitions count on a broker that is not registered: it is named as a leader, or in sync beside
// others that are there.
func isMissed(image *metadata.Image, id ident.BrokerID) bool {
	if image.Broker(id) != nil {
		return false
	}
	for topic := range image.Topics() {
		for _, p := range topic.Partitions() {
			if p.Leader == id {
				return true
			}
			if _, inSync := p.InISR(id); !inSync {
				continue
			}
			for _, m := range p.ISR {
				if m.Broker != id && image.Holder(m) != nil {
					return true
				}
			}
		}
	}
	return false
}

// mayReturn tells whether a broker that reaches so many of the others would stay: it is the rule of [condemned] for one
// that answers, told from the other end.
func mayReturn(others, reached int) bool { return 2*(others-reached) <= others+1 }

// reachable counts the other brokers that are registered, and those that this one reaches now.
func (b *Broker) reachable(ctx context.Context) (others, reached int) {
	ctx, cancel := context.WithTimeout(ctx, pulseWithin)
	defer cancel()
	var count atomic.Int32
	var asked sync.WaitGroup
	for _, other := range b.feed.Current().Brokers() {
		if other.ID == b.id {
			continue
		}
		others++
		asked.Go(func() {
			if peer, err := b.roads.reach(ctx, other); err == nil {
				peer.Close()
				count.Add(1)
			}
		})
	}
	asked.Wait()
	return others, int(count.Load())
}
