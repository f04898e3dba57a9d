package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// candidate is a broker that can be given replicas. One that is down can be, as in Kafka, where there are not
// enough others: it copies when it is back. It leads nothing.
type candidate struct {
	id   ident.BrokerID
	rack string
	down bool
}

func candidates(img *metadata.Image) []candidate {
	var all []candidate
	for _, b := range img.Members() {
		all = append(all, candidate{b.ID, b.Rack, staying(img, b.ID) == nil})
	}
	return all
}

// place chooses the replicas of partitions in Kafka's way: racks in turn and the brokers of a rack in turn,
// each partition one rack and one broker further, from a random start. So replicas stand on as many racks as
// there are. Leaders take turns of their own, which makes them even also where racks and brokers
// have a common divisor. Where it can't be done, it says why in words for
// the client.
func place(brokers []candidate, partitions, replicas int, random *rand.Rand) (placed [][]ident.BrokerID, why string) {
	up := len(slices.DeleteFunc(slices.Clone(brokers), func(c candidate) bool { return c.down }))
	switch {
	case replicas <= 0:
		return nil, fmt.Sprintf("Invalid replication factor %d: the replication factor must be positive.", replicas)
	case up == 0:
		return nil, "All brokers are currently fenced."
	case replicas > len(brokers):
		return nil, fmt.Sprintf("The target replication factor of %d cannot be reached because only %d broker(s) are registered.",
			replicas, len(brokers))
	}
	stripes := newStripes(brokers, up, random)
	placed = make([][]ident.BrokerID, partitions)
	for i := range placed {
		placed[i] = stripes.next(replicas)
	}
	return placed, ""
}

// stripes deals brokers out, rack by rack.
type stripes struct {
	random *rand.Rand
	racks  []*rack
	// round is how many partitions there are between two shuffles, dealt counts them.
	round, dealt int
	// first is the rack of the next partition's leader.
	first int
}

// rack are the brokers of one rack.
type rack struct {
	name string
	// up take turns as leaders and as followers; down are followers when nobody else is left.
	up, down []ident.BrokerID
	// led and followed count the turns.
	led, followed int
}

func newStripes(brokers []candidate, up int, random *rand.Rand) *stripes {
	s := &stripes{random: random, round: up}
	for _, c := range brokers {
		r := s.rack(c.rack)
		if c.down {
			r.down = append(r.down, c.id)
		} else {
			r.up = append(r.up, c.id)
		}
	}
	slices.SortFunc(s.racks, func(a, b *rack) int { return strings.Compare(a.name, b.name) })
	for _, r := range s.racks {
		slices.Sort(r.up)
		slices.Sort(r.down)
		if len(r.up) > 0 {
			r.led = random.IntN(len(r.up))
			r.followed = r.led
		}
	}
	s.first = random.IntN(len(s.racks))
	return s
}

func (s *stripes) rack(name string) *rack {
	i := slices.IndexFunc(s.racks, func(r *rack) bool { return r.name == name })
	if i < 0 {
		i = len(s.racks)
		s.racks = append(s.racks, &rack{name: name})
	}
	return s.racks[i]
}

// next deals the replicas of one partition: one of each rack in turn, and again while any rack has one left.
func (s *stripes) next(replicas int) []ident.BrokerID {
	if s.dealt == s.round && s.round > 1 {
		s.shuffle()
	}
	at := s.first
	for len(s.racks[at].up) == 0 {
		at = (at + 1) % len(s.racks)
	}
	chosen := append(make([]ident.BrokerID, 0, replicas), s.racks[at].leader())
	misses, nobodyElse := 0, false
	for at++; len(chosen) < replicas; at++ {
		if id, ok := s.racks[at%len(s.racks)].follower(chosen, nobodyElse); ok {
			chosen = append(chosen, id)
			misses = 0
		} else if misses++; misses == len(s.racks) {
			nobodyElse = true
		}
	}
	s.dealt++
	s.first = (s.first + 1) % len(s.racks)
	return chosen
}

// shuffle comes when every broker has led once, so that the next round pairs them otherwise.
func (s *stripes) shuffle() {
	s.random.Shuffle(len(s.racks), func(i, j int) { s.racks[i], s.racks[j] = s.racks[j], s.racks[i] })
	for _, r := range s.racks {
		s.random.Shuffle(len(r.up), func(i, j int) { r.up[i], r.up[j] = r.up[j], r.up[i] })
		s.random.Shuffle(len(r.down), func(i, j int) { r.down[i], r.down[j] = r.down[j], r.down[i] })
	}
	s.dealt = 0
}

func (r *rack) leader() ident.BrokerID {
	id := r.up[r.led%len(r.up)]
	r.led++
	return id
}

// follower is the next broker of the rack that is not chosen yet; one that is down only if nobody else is left.
func (r *rack) follower(chosen []ident.BrokerID, nobodyElse bool) (ident.BrokerID, bool) {
	if nobodyElse {
		i := slices.IndexFunc(r.down, func(id ident.BrokerID) bool { return !slices.Contains(chosen, id) })
		if i < 0 {
			return ident.NoBroker, false
		}
		return r.down[i], true
	}
	for range r.up {
		id := r.up[r.followed%len(r.up)]
		r.followed++
		if !slices.Contains(chosen, id) {
			return id, true
		}
	}
	return ident.NoBroker, false
}
