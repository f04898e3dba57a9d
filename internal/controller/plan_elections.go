package controller

import (
	"errors"
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planElections elects leaders on request (KIP-460).
func planElections(s *state, kind ElectionType, partitions []Election) ([]ElectionOutcome, changes) {
	var made changes
	var outcomes []ElectionOutcome
	if partitions != nil {
		for _, asked := range partitions {
			outcomes = append(outcomes, electOne(s, kind, asked, &made))
		}
		return outcomes, made
	}
	for topic := range s.img.Topics() {
		for n := range topic.Partitions() {
			asked := Election{Topic: topic.Name, Partition: n}
			outcome := electOne(s, kind, asked, &made)
			if reason := reasonOf(outcome.Err); reason == nil || reason.Reason != ErrElectionNotNeeded {
				outcomes = append(outcomes, outcome)
			}
		}
	}
	return outcomes, made
}

func electOne(s *state, kind ElectionType, asked Election, made *changes) ElectionOutcome {
	outcome := ElectionOutcome{Election: asked}
	outcome.Err = elected(s, kind, asked, made)
	if errors.Is(outcome.Err, errAsking) {
		outcome.Err, outcome.asking = nil, true
	}
	return outcome
}

// errAsking says that the election waits for the stores to answer.
var errAsking = errors.New("the stores are asked what they hold")

func elected(s *state, kind ElectionType, asked Election, made *changes) error {
	topic := s.img.Topic(asked.Topic)
	if topic == nil {
		return refuse(ErrUnknownTopic, "No such topic as %s", asked.Topic)
	}
	p := topic.Partition(asked.Partition)
	if p == nil {
		return refuse(ErrUnknownTopic, "No such partition as %s-%d", asked.Topic, asked.Partition)
	}
	switch kind {
	case PreferredElection:
		if p.Leader == p.PreferredLeader() {
			return refuse(ErrElectionNotNeeded, "Leader election not needed for topic partition.")
		}
		next := electPreferred(s.img, p)
		if next == nil {
			return refuse(ErrPreferredNotAvailable, "The preferred leader was not available.")
		}
		made.partition(topic, asked.Partition, p, next, nil)
		return nil
	case UncleanElection:
		if p.Leader != ident.NoBroker {
			return refuse(ErrElectionNotNeeded, "Leader election not needed for topic partition.")
		}
		return electUnclean(s, topic, asked.Partition, p, made)
	}
	return refuse(ErrInvalidRequest, "Unknown election type %d", kind)
}

// electPreferred makes the first replica the leader if it is in sync and live. While the stores are asked it can't: a copy that
// may lack its end is live once its broker has said so in its answer, and whoever has more is waited for.
func electPreferred(img *metadata.Image, p *metadata.Partition) *metadata.Partition {
	if p.Inquiry != metadata.NoInquiry {
		return nil
	}
	m, inSync := p.InISR(p.PreferredLeader())
	if !inSync || standingOf(img, m) != live || waits(img, m) {
		return nil
	}
	return led(p, m, p.ISR, p.ELR)
}

// electUnclean elects whoever may lead without loss, and else has the stores asked: the fullest copy there is will lead.
func electUnclean(s *state, topic *metadata.Topic, n int32, p *metadata.Partition, made *changes) error {
	if !slices.ContainsFunc(p.Replicas, func(id ident.BrokerID) bool { return s.img.Broker(id) != nil }) {
		return refuse(ErrEligibleNotAvailable, "Eligible topic partition leaders are not available.")
	}
	e := s.election(topic, p)
	e.number, e.unclean, e.insisted = n, true, true
	next, loss := e.elect(p)
	made.partition(topic, n, p, next, loss)
	if next == nil || next.Leader == ident.NoBroker {
		return errAsking
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
