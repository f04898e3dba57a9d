package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// place chooses the replicas of partitions the way Kafka does: racks in turn and the brokers of a rack
// in turn, each partition one rack and one broker further, from a random start; so replicas stand on
// as many racks as there are, and leaders are even. Its error is worded for the client.
func place(brokers []*metadata.Broker, partitions, replicas int, random *rand.Rand) ([][]ident.BrokerID, error) {
	switch {
	case replicas <= 0:
		return nil, fmt.Errorf("Invalid replication factor %d: the replication factor must be positive.", replicas) //nolint:staticcheck // Kafka's words
	case len(brokers) == 0:
		return nil, fmt.Errorf("All brokers are currently fenced.") //nolint:staticcheck // Kafka's words
	case replicas > len(brokers):
		return nil, fmt.Errorf("The target replication factor of %d cannot be reached because only %d broker(s) are registered.", //nolint:staticcheck // Kafka's words
			replicas, len(brokers))
	}
	stripes := newStripes(brokers, random)
	placed := make([][]ident.BrokerID, partitions)
	for i := range placed {
		placed[i] = stripes.next(replicas)
	}
	return placed, nil
}

// stripes deals brokers out, rack by rack.
type stripes struct {
	random *rand.Rand
	racks  []*rack
	total  int
	// turn numbers the partitions, dealt counts them since the last shuffle, first is the rack of the next
	// one's leader.
	turn, dealt, first int
}

// rack are the brokers of one rack, in the order in which they are dealt out.
type rack struct {
	name    string
	brokers []ident.BrokerID
	// start is where the dealing began for the last partition that took from here, taken how many it took.
	start, taken, turn int
}

func newStripes(brokers []*metadata.Broker, random *rand.Rand) *stripes {
	s := &stripes{random: random, total: len(brokers)}
	for _, b := range brokers {
		s.rack(b.Rack).brokers = append(s.rack(b.Rack).brokers, b.ID)
	}
	slices.SortFunc(s.racks, func(a, b *rack) int { return strings.Compare(a.name, b.name) })
	for _, r := range s.racks {
		slices.Sort(r.brokers)
		r.start = random.IntN(len(r.brokers))
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
	if s.dealt == s.total && s.total > 1 {
		s.shuffle()
	}
	chosen := make([]ident.BrokerID, 0, replicas)
	for i := s.first; len(chosen) < replicas; i = (i + 1) % len(s.racks) {
		if id, ok := s.racks[i].take(s.turn); ok {
			chosen = append(chosen, id)
		}
	}
	s.turn++
	s.dealt++
	s.first = (s.first + 1) % len(s.racks)
	return chosen
}

// shuffle comes when every broker has led once, so that the next round pairs them otherwise.
func (s *stripes) shuffle() {
	s.random.Shuffle(len(s.racks), func(i, j int) { s.racks[i], s.racks[j] = s.racks[j], s.racks[i] })
	for _, r := range s.racks {
		s.random.Shuffle(len(r.brokers), func(i, j int) { r.brokers[i], r.brokers[j] = r.brokers[j], r.brokers[i] })
	}
	s.dealt = 0
}

// take deals one broker to a partition. The first that a partition takes is one further on than the last partition's.
func (r *rack) take(turn int) (ident.BrokerID, bool) {
	if r.turn != turn {
		r.turn, r.taken = turn, 0
		r.start = (r.start + 1) % len(r.brokers)
	}
	if r.taken == len(r.brokers) {
		return ident.NoBroker, false
	}
	id := r.brokers[(r.start+r.taken)%len(r.brokers)]
	r.taken++
	return id, true
}
