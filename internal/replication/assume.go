package replication

import (
	"fmt"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// assignment is what the cluster image says of a partition that this broker holds.
type assignment struct {
	topic    ident.TopicID
	state    *metadata.Partition
	settings TopicSettings
	eligible eligibility // may the replica join in-sync sets: registered and not leaving
	nameless bool        // the log may be another topic's of the same name
}

// leads reports whether the image makes this broker's replica, on that store, the leader. A broker
// whose store is not the one named in the in-sync set is not who was elected.
func (a assignment) leads(self ident.BrokerID, store ident.StoreID) bool {
	if a.state.Leader != self {
		return false
	}
	member, ok := a.state.InISR(self)
	return !ok || member.Store.IsZero() || member.Store == store
}

// turn is a change of role that others are told of.
type turn struct {
	led, leads bool
	epoch      record.Epoch // the new one
}

// changed reports whether coordinators have to load or unload.
func (t turn) changed() bool { return t.led || t.leads }

// assume takes over what the image says. A new leader epoch begins at the log end, is on the disk before its first
// record, and ends all waiting of the one before.
func (p *Partition) assume(a assignment, log *storage.Log) (turn, error) {
	p.mu.Lock()
	t, woken, err := p.assumeLocked(a, log)
	p.mu.Unlock()
	woken.make()
	return t, err
}

func (p *Partition) assumeLocked(a assignment, log *storage.Log) (turn, calls, error) {
	old := p.view.Load()
	if old.topic == a.topic && (a.state.LeaderEpoch < old.epoch || a.state.Epoch < old.partitionEpoch) {
		return turn{}, nil, nil // the image is fed in order; an older state has nothing to say
	}
	moved, deleteOld := p.promoted(a.state, log)
	if moved != nil {
		log = moved
	}
	next := p.viewOf(a, log)
	if log != nil {
		log.SetCeiling(a.state.Ceiling)
		switch leads := a.leads(p.local.broker, log.Directory().ID()); {
		case leads && next.torn():
			next.doubtful = true
		case leads:
			next.role = Leading
		}
	}
	sameLog := old.log == next.log || moved != nil
	if next.nameless = a.nameless || old.nameless && sameLog; next.nameless && next.role == Leading {
		next.nameless = false // it was asked for, and was the fullest
		if err := log.Claim(a.topic); err != nil {
			return turn{}, nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	sameEpoch := old.role == next.role && old.epoch == next.epoch && sameLog && !old.unfit
	var unfit error
	if sameEpoch {
		next.epochStart = old.epochStart
		if old.modified == next.modified {
			next.inSync.Pending = old.inSync.Pending // still on its way: a newcomer in it has to be waited for (KIP-497)
		}
	} else if unfit = p.begin(next, a.state); unfit != nil {
		next.role, next.unfit = Following, true // what it was before is over all the same
	}
	p.follow(old, next, a.eligible, sameEpoch)
	p.view.Store(next)
	if err := p.settleMove(a.state, deleteOld); err != nil && unfit == nil {
		unfit = err // it is found, and removed, when its directory is back
	}
	var woken calls
	if next.role == Leading {
		woken = p.advance(next)
		p.claim(next)
		p.lookAhead(next, log.EndOffset(), false)
		p.forgetEligible(next)
	}
	if sameEpoch {
		return turn{}, woken, nil
	}
	return turn{led: old.role == Leading, leads: next.role == Leading, epoch: next.epoch},
		append(woken, p.watches.all()...), unfit
}

// viewOf is what the image says of the partition, in no role yet.
func (p *Partition) viewOf(a assignment, log *storage.Log) *view {
	v := &view{
		topic: a.topic, log: log, replicas: a.state.Replicas, adding: a.state.Adding, leader: a.state.Leader,
		epoch: a.state.LeaderEpoch, partitionEpoch: a.state.Epoch, modified: a.state.Modified, named: a.state.Named,
		inSync: InSync{Committed: a.state.ISR}, eligible: a.state.ELR, ceiling: a.state.Ceiling,
		minISR: effectiveMinISR(a.settings, a.state.Replicas), throttled: a.settings.throttledBy(p.name.Partition),
	}
	if m, ok := a.state.InISR(a.state.Leader); ok {
		v.leaderStore = m.Store
	}
	return v
}

// begin starts a leader epoch at the log end, or drops what only a leader needs. After a loss it sees to it that no offset
// is given out twice. The caller holds mu.
func (p *Partition) begin(next *view, state *metadata.Partition) error {
	p.asked = 0
	if next.role != Leading {
		if next.log == nil {
			return nil
		}
		return failed(next.log.ForgetFuture())
	}
	if err := beginAt(next.log, state); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if err := next.log.SetEpoch(next.epoch, next.log.EndOffset()); err != nil {
		return fmt.Errorf("%s: begin leader epoch %d: %w", p.name, next.epoch, err)
	}
	if err := fill(next.log, next.epoch, state.Resume); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.cutFuture(next.log)
	if err := p.mirror(next.log); err != nil {
		return err
	}
	next.epochStart = next.log.EndOffset()
	return nil
}

// follow keeps a row for every other replica that this broker leads, and for the successors of replicas that have
// fetched. The caller holds mu.
func (p *Partition) follow(old, next *view, eligible eligibility, sameEpoch bool) {
	known := p.followers
	if next.role != Leading || len(next.replicas) < 2 && len(known) == 0 {
		p.followers = nil
		return
	}
	if !sameEpoch {
		known = nil
	}
	rows := make([]Follower, 0, max(len(next.replicas)-1, len(known)))
	for _, id := range next.replicas {
		if id != p.local.broker {
			rows = append(rows, row(known, id, next.inSync, p.local.clock()))
		}
	}
	for _, f := range known {
		here := func(r Follower) bool { return r.Member == f.Member }
		if f.Member.Store.IsZero() || p.hasMoved(f.Member, next.inSync, eligible) {
			continue // what was supposed of a replica whose store is known by now
		}
		if slices.Contains(next.replicas, f.Member.Broker) && !slices.ContainsFunc(rows, here) {
			if there, _ := eligible(f.Member, true); there {
				rows = append(rows, f)
			}
		}
	}
	for i := range rows {
		eligible.consider(&rows[i], next)
		rows[i].moved(old.inSync, next.inSync, eligible)
	}
	p.followers = rows
}

// row is what is known of a follower, or what a new leader supposes.
func row(known []Follower, id ident.BrokerID, inSync InSync, now time.Time) Follower {
	i := slices.IndexFunc(inSync.Committed, func(m metadata.Member) bool { return m.Broker == id })
	if at := slices.IndexFunc(known, func(f Follower) bool {
		return f.Member.Broker == id && (i < 0 || f.Member == inSync.Committed[i])
	}); at >= 0 {
		return known[at]
	}
	if at := slices.IndexFunc(known, func(f Follower) bool { return f.Member.Broker == id }); at >= 0 && i < 0 {
		return known[at]
	}
	if i < 0 {
		return Follower{Member: metadata.Member{Broker: id}, Progress: Unseen(false, now)}
	}
	return Follower{Member: inSync.Committed[i], Progress: Unseen(true, now)}
}

// hasMoved tells whether the in-sync set names another log directory of the same broker for a replica. A successor's store
// is another broker's.
func (p *Partition) hasMoved(m metadata.Member, inSync InSync, eligible eligibility) bool {
	return slices.ContainsFunc(inSync.Committed, func(o metadata.Member) bool {
		there, _ := eligible(o, true)
		return there && isTwin(o, m) && p.local.successor(o) == p.local.successor(m)
	})
}

// claim names the store of this replica in the in-sync set, where the controller could not know it. It is asked for until
// the set has it: a directory that has just come back may not be registered yet. The caller holds mu.
func (p *Partition) claim(v *view) {
	if v.inSync.Pending != nil {
		return // it would take the place of what is on its way
	}
	for i, m := range v.inSync.Committed {
		if m.Broker == p.local.broker && m.Store.IsZero() {
			members := slices.Clone(v.inSync.Committed)
			members[i].Store = v.log.Directory().ID()
			p.local.propose(p.proposal(v, members))
			return
		}
	}
}

// forgetEligible asks that nobody is eligible any more beside an in-sync set that reaches the minimum, which was lowered: no
// high watermark moves before that. The caller holds mu.
func (p *Partition) forgetEligible(v *view) {
	if len(v.eligible) > 0 && v.inSync.Pending == nil && len(v.inSync.Committed) >= v.minISR {
		p.proposeISR(v, p.proposal(v, v.inSync.Committed))
	}
}

// resign ends the replica's role for good: the partition is deleted or moved away.
func (p *Partition) resign() turn {
	p.mu.Lock()
	old := p.view.Load()
	p.view.Store(&view{topic: old.topic, epoch: old.epoch, leader: ident.NoBroker})
	p.followers, p.future = nil, nil
	woken := p.watches.all()
	p.mu.Unlock()
	woken.make()
	return turn{led: old.role == Leading, epoch: old.epoch}
}

// settle takes over changed settings.
func (p *Partition) settle(s TopicSettings) {
	p.mu.Lock()
	next := *p.view.Load()
	next.minISR = effectiveMinISR(s, next.replicas)
	next.throttled = s.throttledBy(p.name.Partition)
	p.view.Store(&next)
	var woken calls
	if next.log != nil {
		next.log.SetConfig(s.Log)
		if next.role == Leading {
			woken = p.advance(&next) // a lower minimum may set the high watermark free
			p.forgetEligible(&next)
		}
	}
	p.mu.Unlock()
	woken.make()
}

// reconsider notes which followers may be in sync.
func (p *Partition) reconsider(eligible eligibility) {
	p.mu.Lock()
	for i := range p.followers {
		eligible.consider(&p.followers[i], p.view.Load())
	}
	var woken calls
	if v := p.view.Load(); v.role == Leading {
		p.claim(v)
		woken = p.advance(v)
	}
	p.mu.Unlock()
	woken.make()
}
