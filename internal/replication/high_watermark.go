package replication

import (
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// nextHighWatermark is the offset below which records are safe: the least log end of the leader (with
// fsync.on.ack what of its log is on its disk; followers tell no more than that either), of every
// member of the maximal in-sync set, and of every follower that is about to join it. Waiting for the last kind
// lets a slow follower ever reach the mark and join. It never moves back, and does not move while fewer
// than minISR members are in sync (KIP-966), so that what was shown once was on minISR stores; nor while a
// member's store has not been heard of: its broker may answer from another one, but the member can
// be elected as long as the metadata store names it. The leader's own store has to be named first for the same reason: until
// then it would be elected with any. Nor while anybody is eligible beside the in-sync set, who has what was shown when that
// fell below the minimum, and no more: min.insync.replicas may have been lowered since.
func nextHighWatermark(r Replicas, now time.Time) record.Offset {
	unnamed := func(m metadata.Member) bool { return isUnnamed(m, r.Leader) }
	if len(r.InSync.Committed) < r.MinISR || len(r.Eligible) > 0 || slices.ContainsFunc(r.InSync.Committed, unnamed) {
		return r.HighWatermark
	}
	mark := r.Synced
	counted := 0
	for i := range r.Followers {
		f := &r.Followers[i]
		member := r.InSync.has(f.Member)
		if member {
			counted++
		}
		if member || f.joining(r, now) {
			mark = min(mark, f.Progress.LogEnd)
		}
	}
	if counted < r.InSync.others(r.Leader) {
		return r.HighWatermark
	}
	return max(mark, r.HighWatermark)
}

// Release lets the high watermarks of what this broker leads move. Before it is registered, and has heard of all that was
// written until then, a proposal of its life before may come about, whose newcomer it does not count.
func (m *Manager) Release() {
	m.local.held.Store(false)
	for _, p := range m.All() {
		p.mu.Lock()
		var woken calls
		if v := p.view.Load(); v.role == Leading && v.log != nil {
			woken = p.advance(v)
		}
		p.mu.Unlock()
		woken.make()
	}
}

// effectiveMinISR is min.insync.replicas, but no more than there are replicas: a topic of one
// replica under a broker-wide setting of two is writable, as in Kafka.
func effectiveMinISR(s TopicSettings, replicas []ident.BrokerID) int {
	return max(1, min(s.MinISR(len(replicas)), len(replicas)))
}
