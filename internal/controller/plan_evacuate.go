package controller

import (
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planEvacuation gives copies of what brokers that leave would take with them to brokers that stay (ADR 7), by
// reassignments that end like any other. Where those who have a replica already will be enough once they have caught
// up, nothing is moved; nor where a successor stands beside the leaver, which takes over everything.
func planEvacuation(s *state) changes {
	var made changes
	var held map[ident.BrokerID]int
	for _, b := range s.img.Brokers() {
		if !b.Leaving || s.img.Successor(b.ID) != nil {
			continue
		}
		for _, risk := range AtRisk(s.img, s.view, b) {
			if held == nil {
				held = replicasHeld(s.img)
			}
			s.evacuate(b, risk, held, &made)
		}
	}
	return made
}

// evacuate begins to move one partition away from a leaver, if that is of use and somebody can take it.
func (s *state) evacuate(leaver *metadata.Broker, risk Risk, held map[ident.BrokerID]int, made *changes) {
	m, err := s.moving(risk.TopicPartition)
	if err != nil || m.was.Reassigning() { // where the replica comes home, that will do
		return
	}
	to := refuge(s.img, m.was, leaver, risk.Need, held)
	if to == ident.NoBroker {
		return
	}
	target := slices.Clone(m.was.Replicas)
	at := slices.Index(target, leaver.ID)
	if at < 0 {
		return
	}
	target[at] = to
	if m.change(s, Reassignment{Topic: risk.Topic, Partition: risk.Partition, Replicas: target}, false) == nil && m.next != nil {
		held[to]++
		m.next.SetRefuges(sheltered(m.was.Refuges(), leaver.ID, to))
		made.partition(m.topic, m.number, m.was, m.next, nil)
	}
}

// refuge is who takes a leaver's replica: of the brokers that stay and have none the one with the fewest. Where nobody
// stays it is the one of the other leavers that was told last, which waits for replacements longest. Nobody where enough of
// those that have a replica stay.
func refuge(
	img *metadata.Image, p *metadata.Partition, leaver *metadata.Broker, need int, held map[ident.BrokerID]int,
) ident.BrokerID {
	have := 0
	var stays, last *metadata.Broker
	for _, b := range img.Brokers() {
		later := b.Leaving && b.Modified > leaver.Modified
		switch {
		case b.ID == leaver.ID:
		case p.HasReplica(b.ID):
			if !b.Leaving || later {
				have++
			}
		case !b.Leaving:
			if stays == nil || held[b.ID] < held[stays.ID] {
				stays = b
			}
		case later && (last == nil || b.Modified > last.Modified):
			last = b
		}
	}
	switch {
	case have >= need:
		return ident.NoBroker
	case stays != nil:
		return stays.ID
	case last != nil:
		return last.ID
	}
	return ident.NoBroker
}

// replicasHeld counts the replicas of each broker.
func replicasHeld(img *metadata.Image) map[ident.BrokerID]int {
	held := map[ident.BrokerID]int{}
	for topic := range img.Topics() {
		for _, p := range topic.Partitions() {
			for _, id := range p.Replicas {
				held[id]++
			}
		}
	}
	return held
}
