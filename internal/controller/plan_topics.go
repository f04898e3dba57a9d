package controller

import (
	"errors"
	"slices"
	"strings"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// maxPartitionsPerRequest is how many partitions one request may create, as in Kafka: it bounds the time
// that other commands wait.
const maxPartitionsPerRequest = 10_000

// planCreateTopics checks each topic, in Kafka's order of checks, and places its partitions.
func planCreateTopics(s *state, topics []NewTopic) ([]CreatedTopic, changes) {
	var made changes
	outcomes := make([]CreatedTopic, len(topics))
	excess := tooMany(s, topics)
	seen := make(map[string]bool, len(topics))
	for i, t := range topics {
		outcomes[i].Name = t.Name
		if excess != nil {
			outcomes[i].Err = excess
			continue
		}
		if seen[t.Name] {
			outcomes[i].Err = refuse(ErrTopicExists, "Topic '%s' already exists.", t.Name)
			continue
		}
		created, ops, err := createTopic(s, t)
		if err == nil {
			err = s.room.take(ops)
		}
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		seen[t.Name] = true
		outcomes[i] = created
		made.add(ops...)
	}
	return outcomes, made
}

func tooMany(s *state, topics []NewTopic) error {
	total := 0
	for _, t := range topics {
		switch {
		case len(t.Assignments) > 0:
			total += len(t.Assignments)
		case t.Partitions == -1:
			total += config.NumPartitions.In(s.view)
		default:
			total += int(max(t.Partitions, 0))
		}
	}
	if total > maxPartitionsPerRequest {
		return refuse(ErrPolicyViolation, "Excessively large number of partitions per request.")
	}
	return nil
}

// createTopic returns the operations that make a topic; the last one announces it.
func createTopic(s *state, t NewTopic) (CreatedTopic, []metadata.Op, error) {
	if err := checkNewName(s.img, t.Name); err != nil {
		return CreatedTopic{}, nil, err
	}
	configs, err := newTopicConfigs(s, t)
	if err != nil {
		return CreatedTopic{}, nil, err
	}
	assignments, err := assign(s, t)
	if err != nil {
		return CreatedTopic{}, nil, err
	}
	if s.policy != nil {
		if err := s.policy(t); err != nil {
			return CreatedTopic{}, nil, refuse(ErrPolicyViolation, "%s", err.Error())
		}
	}
	created := CreatedTopic{
		Name: t.Name, ID: s.newTopicID(), Configs: configs,
		Partitions:        int32(len(assignments)),
		ReplicationFactor: int16(len(assignments[0])),
	}
	ops := newPartitions(s.img, created.ID, 0, assignments)
	if len(configs) > 0 {
		resource := metadata.Resource{Type: metadata.TopicResource, Name: t.Name}
		ops = append(ops, metadata.Put(metadata.ConfigKey(resource), metadata.EncodeConfig(configs)))
	}
	announce := metadata.Put(metadata.TopicKey(created.ID), metadata.EncodeTopic(t.Name, created.Partitions))
	return created, append(ops, announce), nil
}

func checkNewName(img *metadata.Image, name string) error {
	if img.Topic(name) != nil {
		return refuse(ErrTopicExists, "Topic '%s' already exists.", name)
	}
	if err := CheckTopicName(name); err != nil {
		return err
	}
	if twin, found := colliding(img, name); found {
		return refuse(ErrInvalidTopic, "Topic '%s' collides with existing topic: %s", name, twin)
	}
	return nil
}

func newTopicConfigs(s *state, t NewTopic) (map[string]string, error) {
	var null []string
	values := make(map[string]string, len(t.Configs))
	for _, c := range t.Configs {
		if c.Value == nil {
			null = append(null, c.Name)
			continue
		}
		values[c.Name] = *c.Value
	}
	if len(null) > 0 {
		return nil, refuse(ErrInvalidConfig, "Null value not supported for topic configs: %s", strings.Join(null, ","))
	}
	if err := checkTopicConfigs(s.view, values); err != nil {
		return nil, err
	}
	return values, nil
}

// assign returns the replicas of each partition of a new topic.
func assign(s *state, t NewTopic) ([][]ident.BrokerID, error) {
	switch {
	case len(t.Assignments) > 0:
		return assignManually(s.img, t)
	case t.ReplicationFactor < -1 || t.ReplicationFactor == 0:
		return nil, refuse(ErrInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case t.Partitions < -1 || t.Partitions == 0:
		return nil, refuse(ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	partitions, replicas := int(t.Partitions), int(t.ReplicationFactor)
	if partitions == -1 {
		partitions = config.NumPartitions.In(s.view)
	}
	if replicas == -1 {
		replicas = config.ReplicationFactor(config.DefaultReplicationFactor.In(s.view), s.img.NumBrokers())
	}
	return placeOrRefuse(s, partitions, replicas)
}

func placeOrRefuse(s *state, partitions, replicas int) ([][]ident.BrokerID, error) {
	placed, why := place(candidates(s.img), partitions, replicas, s.random)
	if why != "" {
		return nil, refuse(ErrInvalidReplicationFactor, "Unable to replicate the partition %d time(s): %s", replicas, why)
	}
	return placed, nil
}

func assignManually(img *metadata.Image, t NewTopic) ([][]ident.BrokerID, error) {
	if t.ReplicationFactor != -1 {
		return nil, refuse(ErrInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if t.Partitions != -1 {
		return nil, refuse(ErrInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	assigned := make([][]ident.BrokerID, len(t.Assignments))
	seen := make(map[int32]bool, len(t.Assignments))
	factor := 0
	for _, a := range t.Assignments {
		if seen[a.Partition] {
			return nil, refuse(ErrInvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		seen[a.Partition] = true
		if err := checkAssignment(img, a.Replicas, factor); err != nil {
			return nil, err
		}
		if err := checkAlive(img, a.Replicas, a.Partition); err != nil {
			return nil, err
		}
		factor = len(a.Replicas)
		if a.Partition >= 0 && int(a.Partition) < len(assigned) {
			assigned[a.Partition] = a.Replicas
		}
	}
	if slices.ContainsFunc(assigned, func(r []ident.BrokerID) bool { return r == nil }) {
		return nil, refuse(ErrInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
	}
	return assigned, nil
}

// checkAssignment checks one partition's replicas; factor is how many there must be, 0 for any number.
func checkAssignment(img *metadata.Image, replicas []ident.BrokerID, factor int) error {
	if len(replicas) == 0 {
		return refuse(ErrInvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, id := range sorted {
		if img.Member(id) == nil {
			return refuse(ErrInvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 && sorted[i-1] == id {
			return refuse(ErrInvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	if factor != 0 && len(replicas) != factor {
		return refuse(ErrInvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), "+
			"but this is not consistent with previous partitions, which have %d replica(s).", len(replicas), factor)
	}
	return nil
}

// checkAlive tells that a partition that is to be made would have a leader.
func checkAlive(img *metadata.Image, replicas []ident.BrokerID, partition int32) error {
	if slices.ContainsFunc(replicas, func(id ident.BrokerID) bool { return staying(img, id) != nil }) {
		return nil
	}
	return refuse(ErrInvalidReplicaAssignment, "All brokers specified in the manual partition assignment for "+
		"partition %d are fenced or in controlled shutdown.", partition)
}

// newPartitions are the keys of new partitions, numbered from first on. All their replicas that are up
// are in sync, for there is nothing to copy yet.
func newPartitions(img *metadata.Image, id ident.TopicID, first int32, assignments [][]ident.BrokerID) []metadata.Op {
	ops := make([]metadata.Op, 0, len(assignments)+2)
	for i, replicas := range assignments {
		p := &metadata.Partition{Replicas: replicas, Ceiling: metadata.CeilingStep}
		for _, id := range replicas {
			if b := staying(img, id); b != nil {
				p.ISR = append(p.ISR, metadata.Member{Broker: id, Store: onlyStore(b)})
				if b.Torn {
					p.Looked = img.Revision() // what it lost was of other partitions
				}
			}
		}
		p.Leader = p.ISR[0].Broker
		ops = append(ops, metadata.Put(metadata.PartitionKey(id, first+int32(i)), metadata.EncodePartition(p)))
	}
	return ops
}

// onlyStore is the store on which a broker with one log directory will make its copy. Which of several it
// takes is the broker's choice, and the leader names it then.
func onlyStore(b *metadata.Broker) ident.StoreID {
	if len(b.Stores) != 1 || b.Failed > 0 {
		return ident.StoreID{}
	}
	return b.Stores[0]
}

// planLeftovers removes what an interrupted creation left behind. It is for a controller newly elected: nobody
// else's creation can be under way then.
func planLeftovers(s *state) (made changes) {
	for _, key := range s.img.Leftovers() {
		made.add(metadata.Delete(key))
	}
	return made
}

// reasonOf is the *Error in an error.
func reasonOf(err error) *Error {
	var refused *Error
	errors.As(err, &refused)
	return refused
}
