package broker

import (
	"context"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// judge looks at what is said of brokers that do not answer, answers what is said of this one, and ends the
// registrations of those that [condemned] names.
func (p *pulses) judge() {
	heard := map[metadata.Doubt]time.Time{} // when each doubt was heard first
	var answered metadata.Revision          // the newest doubt of this broker that was answered
	var due <-chan time.Time
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.news:
		case <-due:
		}
		image := p.image()
		answered = p.answer(image, answered)
		peers := peersOf(image, heard, time.Now())
		tried := false
		for _, id := range condemned(peers) {
			if b := image.Broker(id); id != p.broker && b != nil {
				p.end(image, b)
				tried = true
			}
		}
		for _, peer := range peers {
			if peer.unheardBy(p.broker) {
				p.partitions.Unheard(peer.id, silentAfter)
			}
		}
		due = nextLook(peers, tried)
	}
}

// nextLook is when time alone may change what is to be done: while somebody is in doubt.
func nextLook(peers []peerState, tried bool) <-chan time.Time {
	wait := time.Duration(0)
	for _, peer := range peers {
		if len(peer.doubters) > 0 {
			left := answerWithin - peer.age
			if left <= 0 {
				left = answerWithin
			}
			if wait == 0 || left < wait {
				wait = left
			}
		}
	}
	if tried {
		wait = sessionRetry
	}
	if wait == 0 {
		return nil
	}
	return time.After(wait)
}

// peersOf puts together what is said of each registered broker by others that are registered.
func peersOf(image *metadata.Image, heard map[metadata.Doubt]time.Time, now time.Time) []peerState {
	doubts := image.Doubts()
	for known := range heard {
		if !slices.Contains(doubts, known) {
			delete(heard, known)
		}
	}
	var peers []peerState
	for _, b := range image.Brokers() {
		peers = append(peers, peerOf(image, b, doubts, heard, now))
	}
	return peers
}

func peerOf(image *metadata.Image, b *metadata.Broker, doubts []metadata.Doubt, heard map[metadata.Doubt]time.Time, now time.Time) peerState {
	peer := peerState{id: b.ID, leaving: b.Leaving}
	var last, answer metadata.Revision
	for _, d := range doubts {
		if d.Of != b.ID || d.Epoch != b.Epoch || image.Broker(d.By) == nil {
			continue
		}
		if d.By == b.ID {
			answer = d.At
			continue
		}
		first, ok := heard[d]
		if !ok {
			first, heard[d] = now, now
		}
		last, peer.age = max(last, d.At), max(peer.age, now.Sub(first))
		peer.doubters = append(peer.doubters, d.By)
		if d.Refused {
			peer.refused = append(peer.refused, d.By)
		}
	}
	peer.answered = answer > last
	return peer
}

// answer says in the metadata store that this broker lives, where others doubt that.
func (p *pulses) answer(image *metadata.Image, answered metadata.Revision) metadata.Revision {
	me, lease := image.Broker(p.broker), p.lease()
	if me == nil || lease == nil { // without a lease the registration is that of an earlier life, which is over
		return answered
	}
	newest := metadata.Revision(0)
	for _, d := range image.Doubts() {
		if d.Of == p.broker && d.By != p.broker && d.Epoch == me.Epoch {
			newest = max(newest, d.At)
		}
	}
	if newest <= answered {
		return answered
	}
	p.logger.Warn("other brokers say that they can't reach this one")
	ctx, cancel := context.WithTimeout(p.ctx, leaveTime)
	defer cancel()
	said, err := p.store.Txn(ctx, metadata.Txn{
		If: []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(p.broker), me.Epoch)},
		Then: []metadata.Op{metadata.PutLeased(metadata.DoubtKey(p.broker, p.broker),
			metadata.EncodeDoubt(metadata.Doubt{Epoch: me.Epoch}), lease.ID())},
	})
	if err != nil || !said.OK {
		return answered
	}
	return newest
}

// end ends the registration of a broker that has died or vanished, and its election.
func (p *pulses) end(image *metadata.Image, b *metadata.Broker) {
	ctx, cancel := context.WithTimeout(p.ctx, leaveTime)
	defer cancel()
	ended, err := p.store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(b.ID), b.Epoch)},
		Then: []metadata.Op{metadata.Delete(metadata.BrokerKey(b.ID))},
	})
	if err != nil {
		return
	}
	if ended.OK {
		p.logger.Warn("broker has died or vanished: its registration is ended", "id", int32(b.ID),
			"address", addressesOf(b), "doubters", doubtersOf(image, b))
	}
	if elected := image.Controller(); elected.Broker == b.ID {
		_, _ = p.store.Txn(ctx, metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(metadata.ControllerKey(), elected.Epoch)},
			Then: []metadata.Op{metadata.Delete(metadata.ControllerKey())},
		})
	}
}

func doubtersOf(image *metadata.Image, b *metadata.Broker) (by []ident.BrokerID) {
	for _, d := range image.Doubts() {
		if d.Of == b.ID && d.By != b.ID && d.Epoch == b.Epoch {
			by = append(by, d.By)
		}
	}
	slices.Sort(by)
	return by
}
