package controller

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planMorePartitions lengthens topics. The outcomes are nil where it can be done.
func planMorePartitions(s *state, topics []MorePartitions) ([]error, changes) {
	var made changes
	outcomes := make([]error, len(topics))
	var excess error
	if additional(s.img, topics) > maxPartitionsPerRequest {
		excess = refuse(ErrPolicyViolation, "Excessively large number of additional partitions per request.")
	}
	for i, t := range topics {
		if excess != nil {
			outcomes[i] = excess
			continue
		}
		ops, err := morePartitions(s, t)
		if err == nil {
			err = s.room.take(ops)
		}
		if err != nil {
			outcomes[i] = err
			continue
		}
		made.add(ops...)
	}
	return outcomes, made
}

func additional(img *metadata.Image, topics []MorePartitions) (total int) {
	for _, t := range topics {
		if topic := img.Topic(t.Topic); topic != nil {
			total += int(max(t.Count-topic.NumPartitions(), 0))
		}
	}
	return total
}

// morePartitions returns the operations that lengthen a topic; the last one announces the new partitions.
func morePartitions(s *state, t MorePartitions) ([]metadata.Op, error) {
	topic := s.img.Topic(t.Topic)
	if topic == nil {
		return nil, refuse(ErrUnknownTopic, "This server does not host this topic-partition.")
	}
	count := topic.NumPartitions()
	switch {
	case t.Count == count:
		return nil, refuse(ErrInvalidPartitions, "Topic already has %d partition(s).", count)
	case t.Count < count:
		return nil, refuse(ErrInvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.",
			t.Topic, count, t.Count)
	case t.Assignments != nil && len(t.Assignments) != int(t.Count-count):
		return nil, refuse(ErrInvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.",
			t.Count-count, len(t.Assignments))
	}
	assignments, err := assignMore(s, topic, t)
	if err != nil {
		return nil, err
	}
	ops := newPartitions(s.img, topic.ID, count, assignments)
	return append(ops, metadata.Put(metadata.TopicKey(topic.ID), metadata.EncodeTopic(topic.Name, t.Count))), nil
}

func assignMore(s *state, topic *metadata.Topic, t MorePartitions) ([][]ident.BrokerID, error) {
	factor := 1
	if p := topic.Partition(0); p != nil {
		factor = len(p.Replicas) - len(p.Adding)
	}
	if t.Assignments == nil {
		return placeOrRefuse(s, int(t.Count-topic.NumPartitions()), factor)
	}
	for i, replicas := range t.Assignments {
		if err := checkAssignment(s.img, replicas, factor); err != nil {
			return nil, err
		}
		if err := checkAlive(s.img, replicas, topic.NumPartitions()+int32(i)); err != nil {
			return nil, err
		}
	}
	return t.Assignments, nil
}
