package controller

import (
	"fmt"
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// resizedAtOnce bounds the partitions of one topic that are given another number of replicas at the same time: the rest
// follow as these are done.
const resizedAtOnce = 50

// Resize is what gives a topic's partitions so many replicas: the reassignments to begin now, and how many partitions differ,
// those that are on their way there included. It says in words why it can't be, when there are not enough brokers.
//
// Whoever has a replica keeps it as long as it is wanted, the preferred leader first of all. New ones go to racks that have
// none, to the brokers with the fewest; of those that are too many, the ones that are out of sync go first, then the second of a rack.
func Resize(img *metadata.Image, topic *metadata.Topic, replicas int) (begin []Reassignment, differ int, why string) {
	under := 0
	var due []int32
	for number, p := range topic.Partitions() {
		switch {
		case p.Reassigning(): // on its way there, or elsewhere: it is looked at again when that is done
			under++
			differ++
		case len(p.Replicas) != replicas:
			differ++
			due = append(due, number)
		}
	}
	if len(due) == 0 {
		return nil, differ, ""
	}
	s := &seats{img: img, held: replicasHeld(img)}
	for _, number := range due {
		if under >= resizedAtOnce {
			break
		}
		target := s.resize(topic.Partition(number), replicas)
		if len(target) < replicas {
			return nil, differ, fmt.Sprintf("%d replicas want %d brokers, and %d are there that stay", replicas, replicas, s.staying())
		}
		begin = append(begin, Reassignment{Topic: topic.Name, Partition: number, Replicas: target})
		under++
	}
	return begin, differ, ""
}

// seats are the brokers while replicas are dealt out.
type seats struct {
	img  *metadata.Image
	held map[ident.BrokerID]int
}

// staying counts the brokers that new replicas may go to.
func (s *seats) staying() int {
	count := 0
	for _, b := range s.img.Members() {
		if staying(s.img, b.ID) != nil {
			count++
		}
	}
	return count
}

func (s *seats) rackOf(id ident.BrokerID) string {
	if b := s.img.Member(id); b != nil {
		return b.Rack
	}
	return ""
}

// racks counts the replicas on each rack; brokers without one stand alone.
func (s *seats) racks(replicas []ident.BrokerID) map[string]int {
	count := map[string]int{}
	for _, id := range replicas {
		if rack := s.rackOf(id); rack != "" {
			count[rack]++
		}
	}
	return count
}

// resize is a partition's replicas when there shall be so many; fewer, if nobody can take the rest.
func (s *seats) resize(p *metadata.Partition, replicas int) []ident.BrokerID {
	target := slices.Clone(p.Replicas)
	for len(target) > replicas {
		at := s.spare(p, target)
		s.held[target[at]]--
		target = slices.Delete(target, at, at+1)
	}
	for len(target) < replicas {
		id := s.free(target)
		if id == ident.NoBroker {
			break
		}
		s.held[id]++
		target = append(target, id)
	}
	return target
}

// spare is the place of the replica that is needed least.
func (s *seats) spare(p *metadata.Partition, target []ident.BrokerID) int {
	racks := s.racks(target)
	worst, at := -1, len(target)-1
	for i := len(target) - 1; i >= 0; i-- {
		id := target[i]
		need := 0
		if _, inSync := p.InISR(id); !inSync {
			need += 8
		}
		if staying(s.img, id) == nil {
			need += 4
		}
		if i > 0 {
			need += 2 // the first is the preferred leader
		}
		if racks[s.rackOf(id)] > 1 {
			need++
		}
		if need > worst {
			worst, at = need, i
		}
	}
	return at
}

// free is who takes one more replica, nobody if all that stay have one.
func (s *seats) free(target []ident.BrokerID) ident.BrokerID {
	racks := s.racks(target)
	best, taken, held := ident.NoBroker, 0, 0
	for _, b := range s.img.Members() {
		if staying(s.img, b.ID) == nil || slices.Contains(target, b.ID) {
			continue
		}
		beside, has := racks[b.Rack], s.held[b.ID]
		if best == ident.NoBroker || beside < taken || beside == taken && has < held {
			best, taken, held = b.ID, beside, has
		}
	}
	return best
}
