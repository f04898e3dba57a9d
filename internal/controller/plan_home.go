package controller

import (
	"slices"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// homecomingsAtOnce bounds the partitions that are on their way home at a time.
const homecomingsAtOnce = 64

// homecoming is what is done for replicas that brokers have left to others.
type homecoming struct {
	changes
	broker ident.BrokerID // to whom begun partitions go back
	begun  int
	// calledOff are partitions that stay where they are, for whom they were to go to is gone again, or leaves.
	calledOff int
	// waits says that there are more, for a broker that is here: they are looked at again when partitions change.
	waits bool
}

// planHomecoming gives replicas back to brokers that left, had nobody to leave them to, and serve again: by reassignments that end
// like any other, so nothing goes before its home is in sync. They go to one broker at a time, a bounded number at once, when
// that broker is in sync with all that it has, and never while anybody leaves, for leavers need the room and the network more.
func planHomecoming(s *state) homecoming {
	h := homecoming{broker: ident.NoBroker}
	var here []*moving // whose homes serve
	coming := 0
	for topic := range s.img.Topics() {
		for n, p := range topic.Partitions() {
			if len(p.Refuges()) == 0 {
				continue
			}
			m := &moving{topic: topic, number: n, was: p}
			switch home := homeOf(s.img, p); {
			case p.ComingHome():
				coming++
				if home == nil && h.callOff(s, m) {
					coming--
				}
			case p.Reassigning(): // to its refuge, still
				h.waits = true
			case home != nil:
				here = append(here, m)
			}
		}
	}
	leaving := slices.ContainsFunc(s.img.Brokers(), func(b *metadata.Broker) bool { return b.Leaving })
	if len(here) == 0 || leaving || !config.AutoLeaderRebalance.In(s.view) {
		return h // a leaver's going is news of its own
	}
	h.waits = true
	if coming == 0 && h.calledOff == 0 {
		h.begin(s, here)
	}
	return h
}

// homeOf is the registration of the first broker that gets a replica of the partition back, nil where none that serves does.
func homeOf(img *metadata.Image, p *metadata.Partition) *metadata.Broker {
	for _, r := range p.Refuges() {
		if p.Reassigning() && !slices.Contains(p.Adding, r.From) {
			continue // another is on its way
		}
		if b := img.Broker(r.From); b != nil && !b.Leaving && img.Successor(r.From) == nil {
			return b
		}
	}
	return nil
}

// begin moves replicas to the first broker that is level with what it has.
func (h *homecoming) begin(s *state, here []*moving) {
	behind := lagging(s.img)
	for _, m := range here {
		if h.begun == homecomingsAtOnce {
			return
		}
		home := homeOf(s.img, m.was)
		if behind[home.ID] || h.broker != ident.NoBroker && h.broker != home.ID {
			continue
		}
		if m.goHome(s, home.ID) {
			h.broker = home.ID
			h.begun++
			h.partition(m.topic, m.number, m.was, m.next, nil)
		}
	}
}

// goHome begins to move a partition's replica, if it can be moved now.
func (m *moving) goHome(s *state, home ident.BrokerID) bool {
	p := m.was
	if p.Reassigning() || p.Leader == ident.NoBroker {
		return false
	}
	target := slices.Clone(p.Replicas)
	for i, id := range target {
		if slices.Contains(p.Refuges(), metadata.Refuge{From: home, At: id}) {
			target[i] = home
		}
	}
	w := Reassignment{Topic: m.topic.Name, Partition: m.number, Replicas: target}
	if slices.Equal(target, p.Replicas) || m.change(s, w, false) != nil || m.next == nil {
		return false
	}
	if m.next.Reassigning() {
		m.next.SetRefuges(p.Refuges())
	}
	return true
}

// callOff leaves a replica where it is, and to be given back another time. Only where somebody else leads: while nobody does,
// what the copy at home has may be all that is left, and it has to stay a replica that is waited for.
func (h *homecoming) callOff(s *state, m *moving) bool {
	if m.was.Leader == ident.NoBroker || m.was.Inquiry != metadata.NoInquiry || slices.Contains(m.was.Adding, m.was.Leader) {
		return false
	}
	next, err := reverted(s, m.topic, m.number, m.was)
	if err != nil {
		return false
	}
	next.SetRefuges(m.was.Refuges())
	if next = s.election(m.topic, m.was).moved(m.was, next); next == nil {
		return false
	}
	h.calledOff++
	h.partition(m.topic, m.number, m.was, next, nil)
	return true
}

// lagging are the brokers that are out of sync with a replica that they are to have.
func lagging(img *metadata.Image) map[ident.BrokerID]bool {
	behind := map[ident.BrokerID]bool{}
	for topic := range img.Topics() {
		for _, p := range topic.Partitions() {
			for _, id := range p.Replicas {
				if _, inSync := p.InISR(id); !inSync && !slices.Contains(p.Adding, id) {
					behind[id] = true
				}
			}
		}
	}
	return behind
}

// sheltered are a partition's refuges once a leaver's replica is another broker's. One that had found refuge there itself is
// still to go home, and is home where it goes there now.
func sheltered(refuges []metadata.Refuge, leaver, to ident.BrokerID) []metadata.Refuge {
	from := leaver
	var kept []metadata.Refuge
	for _, r := range refuges {
		if r.At == leaver {
			from = r.From
		} else if r.From != leaver {
			kept = append(kept, r)
		}
	}
	if from != to {
		kept = append(kept, metadata.Refuge{From: from, At: to})
	}
	return kept
}

// awayFrom are the refuges of replicas that are away from home still.
func awayFrom(p *metadata.Partition) []metadata.Refuge {
	var kept []metadata.Refuge
	for _, r := range p.Refuges() {
		if p.HasReplica(r.At) && !p.HasReplica(r.From) {
			kept = append(kept, r)
		}
	}
	return kept
}

// homeless tells whether a replica is to go back to a broker that the cluster has forgotten (UnregisterBroker).
func homeless(img *metadata.Image, p *metadata.Partition) bool {
	return slices.ContainsFunc(p.Refuges(), func(r metadata.Refuge) bool { return img.Member(r.From) == nil })
}

// withoutHomes is a partition's state without refuges from forgotten brokers, in the place of next.
func withoutHomes(img *metadata.Image, was, next *metadata.Partition) *metadata.Partition {
	settled := *next
	settled.SetRefuges(slices.DeleteFunc(slices.Clone(next.Refuges()), func(r metadata.Refuge) bool { return img.Member(r.From) == nil }))
	settled.Epoch = max(settled.Epoch, was.Epoch+1)
	return &settled
}

// wanted are the replicas that a partition has once nothing is being moved any more.
func wanted(p *metadata.Partition) []ident.BrokerID {
	return slices.DeleteFunc(slices.Clone(p.Replicas), func(id ident.BrokerID) bool { return slices.Contains(p.Removing, id) })
}

// forgetHomes has nothing go back to a broker from which an operator has taken a replica to give it to another, or has kept one that
// was on its way there: the operator wants that broker emptied, or left alone.
func forgetHomes(s *state, moved []*moving, made *changes) {
	var emptied []ident.BrokerID
	for _, m := range moved {
		if m.next == nil {
			continue
		}
		before, after := wanted(m.was), wanted(m.next)
		for _, id := range before {
			if len(after) >= len(before) && !slices.Contains(after, id) {
				emptied = append(emptied, id)
			}
		}
	}
	if len(emptied) == 0 {
		return
	}
	for topic := range s.img.Topics() {
		for n, p := range topic.Partitions() {
			if !slices.ContainsFunc(p.Refuges(), func(r metadata.Refuge) bool { return slices.Contains(emptied, r.From) }) ||
				p.ComingHome() || slices.ContainsFunc(moved, func(m *moving) bool { return m.topic == topic && m.number == n }) {
				continue
			}
			next := *p
			next.SetRefuges(slices.DeleteFunc(slices.Clone(p.Refuges()), func(r metadata.Refuge) bool { return slices.Contains(emptied, r.From) }))
			next.Epoch++
			made.partition(topic, n, p, &next, nil)
		}
	}
}
