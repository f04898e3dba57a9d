package controller

import (
	"slices"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// standing is what is known of one copy of a partition.
type standing int

const (
	// absent: its broker is not registered, or has a log directory that it can't read. It may come back.
	absent standing = iota
	// live: its broker is registered with the store that the copy is on.
	live
	// torn: live, or about to leave, but its end may be missing, for the machine went down before it was written out.
	torn
	// leaving: live and whole, but its broker has been told to stop.
	leaving
	// destroyed: its broker came back without the store, or was unregistered. It will not come back.
	destroyed
)

// standingOf looks a copy up among the brokers registered.
func standingOf(img *metadata.Image, m metadata.Member) standing {
	b := img.Holder(m)
	switch {
	case b == nil:
		return missing(img, m)
	case b.IsTorn(m.Store):
		return torn
	case b.Leaving:
		return leaving
	}
	return live
}

// missing tells whether a copy that nobody has now may come back. What its broker registered last says so: with another
// store, and no directory that it could not read, the one it had is gone; a broker that is merely away has it still.
func missing(img *metadata.Image, m metadata.Member) standing {
	last := img.Broker(m.Broker)
	if last == nil {
		last = img.Member(m.Broker)
	}
	if last == nil || !m.Store.IsZero() && !last.HasStore(m.Store) && last.Failed == 0 {
		return destroyed
	}
	return absent
}

// election is what elect looks at beside the partition.
type election struct {
	img *metadata.Image
	// minISR is the partition's min.insync.replicas: below it, whoever leaves the in-sync set stays eligible.
	minISR int
	// unclean says that the topic allows an election that may lose records.
	unclean bool
	// insisted says that somebody asks for a leader now, whatever is lost by it.
	insisted bool
	// skipped says that a copy is done without that may have led since the state was put back.
	skipped bool
	// waitsFor are the brokers without which nobody is elected now, that are away or can't read the log.
	waitsFor []ident.BrokerID
	// life is that of the keepers.
	life   string
	now    time.Time
	topic  ident.TopicID
	number int32
	asked  *metadata.Partition // the one under election, of which the stores may have told
}

// election is that of one topic's partition.
func (s *state) election(topic *metadata.Topic, p *metadata.Partition) *election {
	own := s.img.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic.Name})
	view := s.view.ForTopic(own)
	return &election{
		img: s.img, life: s.life, now: s.now, topic: topic.ID,
		minISR: config.MinISR(view, len(p.Replicas)-len(p.Adding)), unclean: config.UncleanLeaderElection.In(view),
	}
}

// elect makes of a partition's state what the brokers registered allow. It returns nil when that is what it
// is already, and a loss when records may be gone.
//
// A copy counts by its store: a broker back with another one is in no set (ADR 2). Elections go
// in-sync set, then eligible leader replicas, then nobody (KIP-966). Where no whole copy is left the stores are
// asked what they hold (inquire.go).
func (e *election) elect(p *metadata.Partition) (*metadata.Partition, *metadata.Loss) {
	e.asked = p
	isr, elr := e.surviving(p)
	if why := e.inquiry(p, isr, elr); why != metadata.NoInquiry {
		return e.inquire(p, why)
	}
	next := *p
	next.Inquiry = metadata.NoInquiry
	elr = filter(elr, func(m metadata.Member) bool { return !e.mayLack(m) }) // KIP-966
	next.ISR, next.ELR = e.shrink(p, isr, elr)
	next.Leader = e.leader(p, next.ISR)
	if next.Leader == ident.NoBroker || e.allTorn(next.ISR) {
		if m, ok := e.preferred(p, elr); ok {
			next.Leader, next.ISR, next.ELR = m.Broker, []metadata.Member{m}, e.stillEligible(isr, elr, m)
		}
	}
	if next.Leader != p.Leader && len(next.ISR) == 1 {
		next.ELR = e.withTheDropped(isr, next.ELR, next.ISR)
	}
	if next.Leader == ident.NoBroker && e.unclean {
		return e.inquire(p, metadata.InquiryUnclean)
	}
	if next.Leader != p.Leader || e.mustBump(p, next.ISR) {
		next.LeaderEpoch++
	}
	if next.Leader == p.Leader && next.LeaderEpoch == p.LeaderEpoch && next.Inquiry == p.Inquiry &&
		slices.Equal(next.ISR, p.ISR) && slices.Equal(next.ELR, p.ELR) {
		return nil, nil
	}
	next.Epoch++
	if p.AnyMember(func(m metadata.Member) bool { return e.standing(m) == torn }) {
		next.Looked = e.img.Revision()
	}
	return &next, nil
}

// surviving are the members of the two sets whose copies are not destroyed.
func (e *election) surviving(p *metadata.Partition) (isr, elr []metadata.Member) {
	survives := func(m metadata.Member) bool { return e.standing(m) != destroyed }
	return filter(p.ISR, survives), filter(p.ELR, survives)
}

// shrink takes out of the in-sync set whoever can't keep up: the absent, the torn unless nobody is whole, and the
// leaving who are not needed. With nobody live it stays as it is, so that its members lead when they are back. The destroyed
// stay in it too then: should the others' ends be missing, more is lost than those know of.
func (e *election) shrink(p *metadata.Partition, isr, elr []metadata.Member) (inSync, eligible []metadata.Member) {
	whole := e.staying(isr)
	if len(whole) == 0 {
		return p.ISR, filter(p.ELR, func(m metadata.Member) bool { return !e.mayLack(m) })
	}
	if len(whole) >= e.minISR {
		return whole, beside(elr, whole) // the leader forgets them, before it shows what they lack
	}
	for _, m := range isr {
		if !slices.Contains(whole, m) && !e.mayLack(m) {
			elr = append(slices.Clone(elr), m)
		}
	}
	return whole, elr
}

// withTheDropped are the eligible, and who was in sync until a leader was elected that is alone in the set. Its machine may have gone down, which
// nobody has noticed yet: with its end missing it would have them cut off what was acknowledged. It forgets them when it leads.
func (e *election) withTheDropped(isr, elr, alone []metadata.Member) []metadata.Member {
	dropped := filter(isr, func(m metadata.Member) bool { return !slices.Contains(elr, m) && !e.mayLack(m) })
	return beside(slices.Concat(elr, dropped), alone)
}

// beside are the members of whose brokers none is in the in-sync set.
func beside(members, inSync []metadata.Member) []metadata.Member {
	for _, m := range inSync {
		members = without(members, m.Broker)
	}
	return members
}

// allTorn tells whether a set holds nothing but copies that may miss their ends. One that is whole and eligible goes
// before them: they would have it cut off what it has to keep.
func (e *election) allTorn(isr []metadata.Member) bool {
	return !slices.ContainsFunc(isr, func(m metadata.Member) bool { return e.standing(m) != torn })
}

// stillEligible are those who hold all that was shown when an eligible replica leads alone: the other eligible ones,
// and who was in sync and is away. With a minimum of one the new leader alone may show more.
func (e *election) stillEligible(isr, elr []metadata.Member, leader metadata.Member) []metadata.Member {
	if e.minISR > 1 {
		elr = slices.Concat(elr, filter(isr, func(m metadata.Member) bool { return !e.mayLack(m) }))
	}
	return without(elr, leader.Broker)
}

// leader keeps the leader if it is in the set and live, and else takes the first such replica. One that leaves leads
// only where nobody else can.
func (e *election) leader(p *metadata.Partition, isr []metadata.Member) ident.BrokerID {
	here := filter(isr, func(m metadata.Member) bool { return e.standing(m) != leaving })
	if id := e.leaderAmong(p, here); id != ident.NoBroker {
		return id
	}
	return e.leaderAmong(p, isr)
}

func (e *election) leaderAmong(p *metadata.Partition, isr []metadata.Member) ident.BrokerID {
	for _, m := range isr {
		if m.Broker == p.Leader && e.here(m) {
			return m.Broker
		}
	}
	if m, ok := e.preferred(p, isr); ok {
		return m.Broker
	}
	return ident.NoBroker
}

// preferred is the first replica among the members that can lead.
func (e *election) preferred(p *metadata.Partition, members []metadata.Member) (metadata.Member, bool) {
	for _, id := range p.Replicas {
		for _, m := range members {
			if m.Broker == id && e.canLead(m) {
				return m, true
			}
		}
	}
	return metadata.Member{}, false
}

// canLead tells whether a copy can be elected. A successor's can't before that has its broker's place, for who connects to
// it is led on to the incumbent. It leads only what that hands over to it, and then the incumbent is about to go.
func (e *election) canLead(m metadata.Member) bool { return e.here(m) && !waits(e.img, m) }

// here tells whether a copy is with somebody.
func (e *election) here(m metadata.Member) bool {
	s := e.standing(m)
	return s == live || s == torn || s == leaving
}

// waits tells whether a copy is a successor's.
func waits(img *metadata.Image, m metadata.Member) bool {
	b := img.Holder(m)
	return b != nil && b == img.Successor(m.Broker)
}

// staying is the registration of a broker that is there to stay, nil for others.
func staying(img *metadata.Image, id ident.BrokerID) *metadata.Broker {
	if b := img.Broker(id); b != nil && !b.Leaving {
		return b
	}
	return nil
}

// mustBump tells whether a member that stays in the set is not the one that it was: it came back torn. Offsets
// past its end may have been given out under the old epoch, and followers and consumers must see that.
func (e *election) mustBump(p *metadata.Partition, isr []metadata.Member) bool {
	return slices.ContainsFunc(isr, func(m metadata.Member) bool { return e.freshlyTorn(p, m) })
}

// freshlyTorn tells whether a copy came back torn since the controller has looked: others, the leader for one, may have
// written the state since.
func (e *election) freshlyTorn(p *metadata.Partition, m metadata.Member) bool {
	return e.standing(m) == torn && e.img.Holder(m).Modified > p.Looked
}

func filter(members []metadata.Member, keep func(metadata.Member) bool) []metadata.Member {
	kept := make([]metadata.Member, 0, len(members))
	for _, m := range members {
		if keep(m) {
			kept = append(kept, m)
		}
	}
	return kept
}

func without(members []metadata.Member, id ident.BrokerID) []metadata.Member {
	return filter(members, func(m metadata.Member) bool { return m.Broker != id })
}
