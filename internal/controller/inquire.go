package controller

import (
	"fmt"
	"slices"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// A partition of which no whole copy is left is not given to the next best replica: the stores are asked what they
// hold (ADR 8). The question is the partition's state without a leader, in a leader epoch of its own. Each
// broker that has a copy, or should have one, answers with the ends of its log; nothing is written to it
// meanwhile. The copy with the highest (leader epoch, log end) leads, an empty one only where all are.

// inquiry tells why the stores of a partition are to be asked, NoInquiry where they need not be.
func (e *election) inquiry(p *metadata.Partition, isr, elr []metadata.Member) metadata.Inquiry {
	if p.Inquiry == metadata.InquiryRestored {
		// Whatever has become of the copies: there may be others, by a later state. A topic that allows unclean elections has all that is
		// left of it soon, for everybody has just been started.
		return p.Inquiry
	}
	if len(isr) == 0 && len(elr) == 0 && len(p.ISR)+len(p.ELR) > 0 {
		if p.Inquiry == metadata.InquiryUnclean || e.unclean {
			return metadata.InquiryUnclean
		}
		return metadata.InquiryDestroyed
	}
	whole := func(m metadata.Member) bool {
		s := e.standing(m)
		return s == live || s == leaving
	}
	anyTorn := false
	for _, m := range isr {
		if whole(m) {
			return metadata.NoInquiry
		}
		anyTorn = anyTorn || e.freshlyTorn(p, m)
	}
	if slices.ContainsFunc(elr, whole) {
		return metadata.NoInquiry
	}
	for _, m := range elr { // with the in-sync set destroyed nobody would count any more
		anyTorn = anyTorn || len(isr) == 0 && e.standing(m) == torn
	}
	switch {
	case p.Inquiry == metadata.InquiryUnclean:
		return p.Inquiry
	case len(p.Replicas) > 1 && (anyTorn || p.Inquiry == metadata.InquiryTorn):
		if e.insisted && p.AnyMember(func(m metadata.Member) bool { return e.standing(m) == absent }) {
			return metadata.InquiryUnclean
		}
		return metadata.InquiryTorn
	}
	return metadata.NoInquiry
}

// standing is standingOf, but for a copy whose broker has said, in answer to the question that is asked now, that its end
// may be missing: later registrations say so no more, and it is no better for that.
func (e *election) standing(m metadata.Member) standing {
	s := standingOf(e.img, m)
	if (s == live || s == leaving) && e.saidTorn(m) {
		return torn
	}
	return s
}

// saidTorn tells whether a copy's broker has said so, be it gone since.
func (e *election) saidTorn(m metadata.Member) bool {
	return e.asked != nil && e.asked.SaidTorn(m, e.img.Answers(e.topic, e.number))
}

// mayLack tells whether a copy's end may be missing: it is no eligible one.
func (e *election) mayLack(m metadata.Member) bool { return e.standing(m) == torn || e.saidTorn(m) }

// inquire asks, or elects once all whose answers are waited for have given them.
func (e *election) inquire(p *metadata.Partition, why metadata.Inquiry) (*metadata.Partition, *metadata.Loss) {
	if p.Inquiry != why {
		next := *p
		next.Inquiry, next.Leader = why, ident.NoBroker
		if p.Inquiry != metadata.InquiryTorn || why != metadata.InquiryUnclean {
			next.LeaderEpoch++ // else it is the same question, put to fewer: what has been said of torn copies holds
		}
		next.Epoch++
		e.noteAway(e.allAwaited(&next, nil), nil)
		return &next, nil
	}
	answers := e.answers(p)
	if awaited := e.allAwaited(p, answers); len(awaited) > 0 {
		here := func(id ident.BrokerID) bool { return e.img.Broker(id) != nil }
		if e.skipped = p.Inquiry == metadata.InquiryRestored && e.insisted && !slices.ContainsFunc(awaited, here); !e.skipped {
			e.noteAway(awaited, answers)
			return nil, nil
		}
	}
	best := e.fullest(p, answers)
	if best == nil {
		return nil, nil // nobody is there; the sets keep saying whose copies counted
	}
	if p.Inquiry == metadata.InquiryRestored && !e.skipped && !e.mayHaveGoneOn(p) {
		return e.resumed(p, best, answers), nil
	}
	return e.named(p, best, answers)
}

// answers are the valid ones, by broker: to this question, and by registrations that still stand.
func (e *election) answers(p *metadata.Partition) map[ident.BrokerID]*metadata.Answer {
	if p.Inquiry == metadata.NoInquiry {
		return nil
	}
	valid := make(map[ident.BrokerID]*metadata.Answer, len(p.Replicas))
	for _, a := range e.img.Answers(e.topic, e.number) {
		b := e.img.Broker(a.Broker)
		if a.LeaderEpoch == p.LeaderEpoch && b != nil && b.Epoch == a.BrokerEpoch {
			valid[a.Broker] = a
		}
	}
	return valid
}

// noteAway notes who of those that are awaited is not about to answer.
func (e *election) noteAway(awaited []ident.BrokerID, answers map[ident.BrokerID]*metadata.Answer) {
	e.waitsFor = slices.DeleteFunc(awaited, func(id ident.BrokerID) bool { return e.img.Broker(id) != nil && answers[id] == nil })
}

// allAwaited are the brokers without whose word nobody is elected.
func (e *election) allAwaited(p *metadata.Partition, answers map[ident.BrokerID]*metadata.Answer) []ident.BrokerID {
	awaited := slices.DeleteFunc(slices.Clone(p.Replicas), func(id ident.BrokerID) bool { return !e.awaited(p, id, answers[id]) })
	if p.Inquiry != metadata.InquiryRestored || e.allTold(p) {
		return awaited
	}
	for _, m := range e.img.Members() {
		if m.Told != e.life && !slices.Contains(awaited, m.ID) {
			awaited = append(awaited, m.ID)
		}
	}
	return awaited
}

// allTold tells whether all whose copies there are have put back all that they knew, be they gone since. One that was wiped, or whose
// journals lack their end, may have handed its copy on, by states of which others know, whoever they are: all members are waited for
// then, until each has put back what it knows. One that has a later state puts that in the place of this one. So a copy that counts as
// destroyed only by what others have put back of its broker, which may be older than the state, is waited for as well.
func (e *election) allTold(p *metadata.Partition) bool {
	untold := func(id ident.BrokerID) bool {
		m := e.img.Member(id)
		return m == nil || m.Told != e.life || !m.ToldAll
	}
	return !slices.ContainsFunc(p.Replicas, untold) && !p.AnyMember(func(m metadata.Member) bool { return untold(m.Broker) })
}

// awaited tells whether a replica's answer is needed still. Those that live always answer. Of those that are away, and those in a
// directory that can't be read, each may hold more than the others, unless what it had is known to be destroyed; an unclean
// election does without them.
func (e *election) awaited(p *metadata.Partition, id ident.BrokerID, answer *metadata.Answer) bool {
	if answer != nil && !answer.Offline {
		return false
	}
	if answer == nil && e.img.Broker(id) != nil {
		return true
	}
	switch p.Inquiry {
	case metadata.InquiryRestored:
		if m, counts := p.InSets(id); counts && e.standing(m) == destroyed {
			return false
		}
		return e.img.Member(id) != nil
	case metadata.InquiryDestroyed:
		return e.img.Member(id) != nil
	case metadata.InquiryTorn:
		m, counts := p.InSets(id)
		return counts && e.standing(m) != destroyed
	}
	return false
}

// fullest is the answer of who is to lead. Among equals who stays goes before who leaves, and then the order of the
// replicas decides.
func (e *election) fullest(p *metadata.Partition, answers map[ident.BrokerID]*metadata.Answer) *metadata.Answer {
	var best *metadata.Answer
	for _, id := range p.Replicas {
		a := answers[id]
		if a == nil || a.Offline {
			continue
		}
		if best == nil || e.fuller(a, best) {
			best = a
		}
	}
	return best
}

func (e *election) fuller(a, b *metadata.Answer) bool {
	switch {
	case a.Empty() != b.Empty():
		return b.Empty()
	case a.Empty():
	case a.LastEpoch != b.LastEpoch:
		return a.LastEpoch > b.LastEpoch
	case a.End != b.End:
		return a.End > b.End
	}
	return e.img.Broker(b.Broker).Leaving && !e.img.Broker(a.Broker).Leaving
}

// mayHaveGoneOn tells whether copies that are destroyed or torn were enough to acknowledge records alone, by a later state
// than the one that was put back, or all that counted by that are destroyed.
func (e *election) mayHaveGoneOn(p *metadata.Partition) bool {
	if isr, elr := e.surviving(p); len(isr)+len(elr) == 0 && len(p.ISR)+len(p.ELR) > 0 {
		return true
	}
	lacking := filter(slices.Concat(p.ISR, p.ELR), func(m metadata.Member) bool { return e.standing(m) == destroyed || e.mayLack(m) })
	return len(lacking) >= max(1, e.minISR)
}

// resumed makes the fullest copy the leader of a partition that was put back: of all states in which the partition may have
// been since, each that records were acknowledged by had one of the copies that have answered in its in-sync set, and the
// fullest has what any of them has. Those that end as it does are in sync with it.
func (e *election) resumed(
	p *metadata.Partition, best *metadata.Answer, answers map[ident.BrokerID]*metadata.Answer,
) *metadata.Partition {
	next := *p
	next.Inquiry, next.Leader = metadata.NoInquiry, best.Broker
	next.LeaderEpoch = epochAfter(p, answers)
	next.Epoch++
	next.Looked = e.img.Revision()
	next.ISR, next.ELR = nil, nil
	for _, id := range p.Replicas {
		a := answers[id]
		m, inSync := p.InISR(id)
		level := inSync && a != nil && !a.Offline && a.Store == m.Store && !e.mayLack(m) && a.LastEpoch == best.LastEpoch && a.End == best.End
		if level || id == best.Broker {
			next.ISR = append(next.ISR, metadata.Member{Broker: id, Store: a.Store})
		}
	}
	return &next
}

// named makes a copy the leader that may lack records, which the loss names.
func (e *election) named(
	p *metadata.Partition, best *metadata.Answer, answers map[ident.BrokerID]*metadata.Answer,
) (*metadata.Partition, *metadata.Loss) {
	next := *p
	next.Inquiry = metadata.NoInquiry
	next.Leader = best.Broker
	next.LeaderEpoch = epochAfter(p, answers)
	next.Epoch++
	next.Named = next.LeaderEpoch
	next.Looked = e.img.Revision()
	next.ISR, next.ELR = []metadata.Member{{Broker: best.Broker, Store: best.Store}}, nil
	if (p.Inquiry == metadata.InquiryTorn || p.Inquiry == metadata.InquiryRestored) && !e.skipped && !e.anyDestroyed(p) {
		return &next, e.tornLoss(p, &next, best, answers)
	}
	from := keptUpTo(p, best)
	if best.Empty() {
		from = p.Start
		next.Start = p.Ceiling
	}
	next.Resume = p.Ceiling
	next.Ceiling = p.Ceiling + metadata.CeilingStep
	loss := &metadata.Loss{
		Kind: metadata.LossReborn, LeaderEpoch: next.LeaderEpoch, Start: from, End: p.Ceiling, AtMs: e.now.UnixMilli(),
		Cause: "every copy in sync is gone, for the brokers came back without the stores, or were unregistered: " +
			copies(p) + keeps(best),
	}
	switch p.Inquiry {
	case metadata.InquiryUnclean:
		loss.Kind = metadata.LossUnclean
		loss.Cause = "an unclean election was allowed while no copy in sync was there: " + copies(p) + keeps(best)
	case metadata.InquiryRestored:
		if e.skipped {
			loss.Kind = metadata.LossUnclean
		}
		loss.Cause = "the keepers lost everything while no broker lived, and stores are not there that may have gone on without the others: " +
			copies(p) + keeps(best)
	case metadata.InquiryTorn:
		loss.Kind = metadata.LossTorn
		loss.Cause = "of all copies in sync the stores are gone, or the machines went down before this was written out: " +
			copies(p) + keeps(best)
	}
	return &next, loss
}

// epochAfter is a leader epoch that no copy has a record of: a state that was put back may be older than those.
func epochAfter(p *metadata.Partition, answers map[ident.BrokerID]*metadata.Answer) record.Epoch {
	last := p.LeaderEpoch
	for _, a := range answers {
		last = max(last, a.LastEpoch)
	}
	return last + 1
}

// keptUpTo is the offset below which a copy has all that was ever shown. Records behind its high watermark may never
// have been, and a later leader may have put others in their place: only who has copied from the last leader of all
// is known to end with that one's records. Where a copy that lacked some has been elected since, nothing is known.
func keptUpTo(p *metadata.Partition, best *metadata.Answer) record.Offset {
	switch {
	case best.LastEpoch >= p.LeaderEpoch-1: // p.LeaderEpoch is the question's
		return best.End
	case best.LastEpoch < p.Named:
		return best.Start
	}
	return min(best.End, max(best.HighWatermark, best.Start))
}

// anyDestroyed tells whether a copy that counted is gone for good, and with it what it may have shown.
func (e *election) anyDestroyed(p *metadata.Partition) bool {
	return p.AnyMember(func(m metadata.Member) bool { return e.standing(m) == destroyed })
}

// tornLoss names what a store had shown that none has any more. What none had shown may be lost too, and nobody knows
// of it: it was on no disk.
func (e *election) tornLoss(
	p, next *metadata.Partition, best *metadata.Answer, answers map[ident.BrokerID]*metadata.Answer,
) *metadata.Loss {
	shown := record.Offset(0)
	for _, a := range answers {
		shown = max(shown, a.HighWatermark)
	}
	if shown <= best.End {
		return nil
	}
	return &metadata.Loss{
		Kind: metadata.LossTorn, LeaderEpoch: next.LeaderEpoch, Start: keptUpTo(p, best), End: shown, AtMs: e.now.UnixMilli(),
		Cause: "the machines of all copies in sync went down before this was written out: " + copies(p) + keeps(best),
	}
}

// copies names those that counted.
func copies(p *metadata.Partition) string {
	var names []string
	for _, set := range [][]metadata.Member{p.ISR, p.ELR} {
		for _, m := range set {
			names = append(names, fmt.Sprintf("store %s of broker %d", m.Store, m.Broker))
		}
	}
	return strings.Join(names, ", ")
}

func keeps(best *metadata.Answer) string {
	if best.Empty() {
		return "; no other store holds a record"
	}
	return fmt.Sprintf("; broker %d holds [%d, %d) and leads", best.Broker, best.Start, best.End)
}
