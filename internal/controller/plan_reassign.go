package controller

import (
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planReassign moves replicas (KIP-455). The outcomes are in the order asked, nil where it is done or begun. Those that
// name one partition twice are done one after another.
func planReassign(s *state, wanted []Reassignment, allowFactorChange bool) ([]error, changes) {
	var made changes
	outcomes := make([]error, len(wanted))
	begun := map[ident.TopicPartition]*moving{}
	var order []*moving
	for i, w := range wanted {
		name := ident.TopicPartition{Topic: w.Topic, Partition: w.Partition}
		m := begun[name]
		if m == nil {
			var err error
			if m, err = s.moving(name); err != nil {
				outcomes[i] = err
				continue
			}
			begun[name] = m
			order = append(order, m)
		}
		outcomes[i] = m.change(s, w, allowFactorChange)
	}
	for _, m := range order {
		made.partition(m.topic, m.number, m.was, m.next, nil)
	}
	forgetHomes(s, order, &made)
	return outcomes, made
}

// moving is a partition while a request changes its replicas.
type moving struct {
	topic  *metadata.Topic
	number int32
	was    *metadata.Partition
	next   *metadata.Partition // nil while nothing has changed
}

func (s *state) moving(name ident.TopicPartition) (*moving, error) {
	topic := s.img.Topic(name.Topic)
	if topic == nil {
		return nil, refuse(ErrUnknownTopic, "Unable to find a topic named %s.", name.Topic)
	}
	p := topic.Partition(name.Partition)
	if p == nil {
		return nil, refuse(ErrUnknownTopic, "Unable to find partition %s:%d.", name.Topic, name.Partition)
	}
	return &moving{topic: topic, number: name.Partition, was: p}, nil
}

// change begins or ends one reassignment, and completes it at once where nothing has to be copied.
func (m *moving) change(s *state, w Reassignment, allowFactorChange bool) error {
	p := m.was
	if m.next != nil {
		p = m.next
	}
	var next *metadata.Partition
	var err error
	if w.Replicas == nil {
		next, err = reverted(s, m.topic, m.number, p)
	} else {
		next, err = reassigned(s.img, p, w.Replicas, allowFactorChange)
	}
	if err != nil {
		return err
	}
	e := s.election(m.topic, p)
	if done := e.completed(next); done != nil {
		next = done
	}
	m.next = e.moved(m.was, next)
	return nil
}

// reassigned is the partition's state once its replicas are to be others. Those to add are written before those to
// remove, so that the first of them is the preferred leader when it is done. A replica that a reassignment before
// this one was to add, and that is not wanted any more, goes at once unless it is in sync already, or asked what it holds.
func reassigned(
	img *metadata.Image, p *metadata.Partition, target []ident.BrokerID, allowFactorChange bool,
) (*metadata.Partition, error) {
	if err := checkAssignment(img, target, 0); err != nil {
		return nil, err
	}
	if len(target) != len(p.Replicas)-len(p.Removing) && !allowFactorChange { // KIP-860
		return nil, refuse(ErrInvalidReplicationFactor, "The replication factor is changed from %d to %d",
			len(p.Replicas)-len(p.Removing), len(target))
	}
	next := *p
	next.Replicas, next.Adding, next.Removing = slices.Clone(target), nil, nil
	next.SetRefuges(nil)
	for _, id := range slices.Sorted(slices.Values(p.Replicas)) {
		if slices.Contains(target, id) {
			continue
		}
		_, inSync := p.InISR(id)
		_, eligible := p.InELR(id)
		if slices.Contains(p.Adding, id) && !inSync && !eligible && p.Inquiry == metadata.NoInquiry {
			continue
		}
		next.Removing = append(next.Removing, id)
		next.Replicas = append(next.Replicas, id)
	}
	for _, id := range slices.Sorted(slices.Values(target)) {
		if !p.HasReplica(id) || slices.Contains(p.Adding, id) {
			next.Adding = append(next.Adding, id)
		}
	}
	return &next, nil
}

// reverted is the partition's state without the reassignment that is under way. While the stores are asked each of them may
// hold what the others have not.
func reverted(s *state, topic *metadata.Topic, number int32, p *metadata.Partition) (*metadata.Partition, error) {
	if !p.Reassigning() {
		return nil, refuse(ErrNoReassignment, "") // nor has Kafka words for it
	}
	added := func(id ident.BrokerID) bool { return slices.Contains(p.Adding, id) }
	stays := func(m metadata.Member) bool { return !added(m.Broker) }
	next := *p
	next.Replicas = slices.DeleteFunc(slices.Clone(p.Replicas), added)
	next.Adding, next.Removing = nil, nil
	next.SetRefuges(nil)
	next.ISR, next.ELR = filter(p.ISR, stays), filter(p.ELR, stays)
	if len(next.Replicas) == 0 || len(next.ISR) == 0 && len(next.ELR) == 0 || p.Inquiry != metadata.NoInquiry {
		// Kafka does it where unclean elections are allowed. To throw away the only whole copies on purpose is
		// not what that setting is for: let it complete, and move back then.
		return nil, refuse(ErrInvalidReplicaAssignment, "Unable to revert partition assignment for %s:%d because "+
			"it would require an unclean leader election.", topic.Name, number)
	}
	return &next, nil
}

// completed is the partition's state when its reassignment is done: all replicas that it is to have are in sync, and
// their brokers live. Nil while that is not so, or where a copy that goes may have what those that stay have lost.
func (e *election) completed(p *metadata.Partition) *metadata.Partition {
	if !p.Reassigning() || p.Inquiry != metadata.NoInquiry {
		return nil
	}
	goes := func(id ident.BrokerID) bool { return slices.Contains(p.Removing, id) }
	stays := func(m metadata.Member) bool { return !goes(m.Broker) }
	next := *p
	next.Replicas = slices.DeleteFunc(slices.Clone(p.Replicas), goes)
	next.ISR, next.ELR = filter(p.ISR, stays), filter(p.ELR, stays)
	next.Adding, next.Removing = nil, nil
	for _, id := range next.Replicas {
		if m, inSync := next.InISR(id); !inSync || !e.here(m) || e.standing(m) == torn {
			return nil
		}
	}
	if len(next.Replicas) == 0 {
		return nil
	}
	next.SetRefuges(awayFrom(&next))
	return &next
}

// moved numbers a state whose replicas have changed, nil when it is what it was. Whoever is no replica any more is
// shut out by a new leader epoch, as in Kafka.
func (e *election) moved(was, next *metadata.Partition) *metadata.Partition {
	if slices.Equal(was.Replicas, next.Replicas) && slices.Equal(was.Adding, next.Adding) &&
		slices.Equal(was.Removing, next.Removing) && slices.Equal(was.Refuges(), next.Refuges()) {
		return nil
	}
	numbered := *next
	if numbered.Leader != ident.NoBroker {
		numbered.Leader = e.leader(&numbered, numbered.ISR)
	}
	gone := slices.ContainsFunc(was.Replicas, func(id ident.BrokerID) bool { return !numbered.HasReplica(id) })
	if gone || numbered.Leader != was.Leader {
		numbered.LeaderEpoch = max(numbered.LeaderEpoch, was.LeaderEpoch+1)
	}
	numbered.Epoch = max(numbered.Epoch, was.Epoch+1)
	return &numbered
}
