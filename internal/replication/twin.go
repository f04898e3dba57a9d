package replication

import (
	"slices"

	"barnabas/internal/metadata"
)

// A successor is a process with the id of a broker and a store of its own, which stands beside the broker and copies
// everything that it has, to take its place when it leaves (ADR 7). In-sync sets name stores, so to a leader it is a
// follower like any other, with the number of a replica that is there already.

// Succeed has this broker's replicas copied also from the one that is registered under its own number, or ends that.
func (m *Manager) Succeed(succeeds bool) { m.local.succeeds.Store(succeeds) }

// rowOf is the row of who fetches. A successor gets one of its own beside its broker's; any other store is taken for
// that broker's new one, of which nothing is known. The caller holds mu.
func (p *Partition) rowOf(who metadata.Member) *Follower {
	if i := slices.IndexFunc(p.followers, func(f Follower) bool { return f.Member == who }); i >= 0 {
		return &p.followers[i]
	}
	fresh := Follower{Member: who, Progress: Unseen(false, p.local.clock())}
	p.local.eligible.consider(&fresh, p.view.Load())
	if !p.local.successor(who) {
		i := slices.IndexFunc(p.followers, func(f Follower) bool {
			return f.Member.Broker == who.Broker && !p.local.successor(f.Member)
		})
		if i >= 0 {
			p.followers[i] = fresh
			return &p.followers[i]
		}
		if who.Broker == p.local.broker {
			return nil
		}
	}
	p.followers = append(p.followers, fresh)
	return &p.followers[len(p.followers)-1]
}

// wants tells whether a reassignment brings a replica.
func (v *view) wants(m metadata.Member) bool { return slices.Contains(v.adding, m.Broker) }

// Succession is how a leader and its successor stand.
type Succession uint8

const (
	// NotLeading: there is nothing to hand over here.
	NotLeading Succession = iota
	// Behind: the successor has not copied everything that was acknowledged.
	Behind
	// Level: it has, and can lead.
	Level
	// HandingOver: the metadata store has been asked to name it.
	HandingOver
)

// Succession tells whether the successor of this broker could take over the partition's leadership now.
func (p *Partition) Succession() Succession {
	p.mu.Lock()
	defer p.mu.Unlock()
	state, _ := p.succession(p.view.Load())
	return state
}

// succession finds the successor's row. The caller holds mu.
func (p *Partition) succession(v *view) (Succession, Follower) {
	if v.role != Leading || !v.online() {
		return NotLeading, Follower{}
	}
	r := p.replicasNow(v)
	for i := range p.followers {
		f := p.followers[i]
		if !isTwin(f.Member, r.Leader) || !p.local.successor(f.Member) {
			continue
		}
		switch {
		case slices.Contains(v.inSync.Pending, f.Member):
			return HandingOver, f
		case level(r, f) && v.inSync.Pending == nil:
			return Level, f
		}
	}
	return Behind, Follower{}
}

// HandOver proposes that the successor of this broker leads in its place, from a new leader epoch on. Until the answer
// comes records are acknowledged only when the successor has them too.
func (p *Partition) HandOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	state, heir := p.succession(v)
	if state != Level {
		return
	}
	members := slices.Clone(v.inSync.Committed)
	for i, m := range members {
		if m.Broker == heir.Member.Broker {
			members[i] = heir.Member
		}
	}
	proposal := p.proposal(v, members)
	proposal.Registered, proposal.HandOver = heir.Registered, true
	p.proposeISR(v, proposal)
}
