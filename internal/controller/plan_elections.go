package controller

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planElections elects leaders on request (KIP-460).
func planElections(s *state, kind ElectionType, partitions []Election) ([]ElectionOutcome, changes) {
	var made changes
	var outcomes []ElectionOutcome
	if partitions != nil {
		for _, asked := range partitions {
			outcomes = append(outcomes, ElectionOutcome{asked, electOne(s, kind, asked, &made)})
		}
		return outcomes, made
	}
	for topic := range s.img.Topics() {
		for n := range topic.Partitions() {
			asked := Election{Topic: topic.Name, Partition: n}
			err := electOne(s, kind, asked, &made)
			if reason := reasonOf(err); reason == nil || reason.Reason != ErrElectionNotNeeded {
				outcomes = append(outcomes, ElectionOutcome{asked, err})
			}
		}
	}
	return outcomes, made
}

func electOne(s *state, kind ElectionType, asked Election, made *changes) error {
	topic := s.img.Topic(asked.Topic)
	if topic == nil {
		return refuse(ErrUnknownTopic, "No such topic as %s", asked.Topic)
	}
	p := topic.Partition(asked.Partition)
	if p == nil {
		return refuse(ErrUnknownTopic, "No such partition as %s-%d", asked.Topic, asked.Partition)
	}
	var next *metadata.Partition
	switch kind {
	case PreferredElection:
		if p.Leader == p.PreferredLeader() {
			return refuse(ErrElectionNotNeeded, "Leader election not needed for topic partition.")
		}
		if next = electPreferred(s.img, p); next == nil {
			return refuse(ErrPreferredNotAvailable, "The preferred leader was not available.")
		}
	case UncleanElection:
		if p.Leader != ident.NoBroker {
			return refuse(ErrElectionNotNeeded, "Leader election not needed for topic partition.")
		}
		if next = electUnclean(s, topic, p); next == nil {
			return refuse(ErrEligibleNotAvailable, "Eligible topic partition leaders are not available.")
		}
	default:
		return refuse(ErrInvalidRequest, "Unknown election type %d", kind)
	}
	made.partition(topic, asked.Partition, p, next, nil)
	return nil
}

// electPreferred makes the first replica the leader if it is in sync and live.
func electPreferred(img *metadata.Image, p *metadata.Partition) *metadata.Partition {
	m, inSync := p.InISR(p.PreferredLeader())
	if !inSync || standingOf(img, m) != live {
		return nil
	}
	return led(p, m, p.ISR, p.ELR)
}

// electUnclean prefers whoever may lead without loss, and else takes the first replica that is there.
func electUnclean(s *state, topic *metadata.Topic, p *metadata.Partition) *metadata.Partition {
	e := election{img: s.img, now: s.now, minISR: s.minISR(topic.Name, len(p.Replicas))}
	if next, _ := e.elect(p); next != nil && next.Leader != ident.NoBroker {
		return next
	}
	for _, id := range p.Replicas {
		if b := staying(s.img, id); b != nil {
			m := metadata.Member{Broker: id, Store: onlyStore(b)}
			return led(p, m, []metadata.Member{m}, nil)
		}
	}
	return nil
}

// led is the partition's state under another leader.
func led(p *metadata.Partition, m metadata.Member, isr, elr []metadata.Member) *metadata.Partition {
	next := *p
	next.Leader, next.ISR, next.ELR = m.Broker, isr, elr
	next.LeaderEpoch++
	next.Epoch++
	return &next
}
