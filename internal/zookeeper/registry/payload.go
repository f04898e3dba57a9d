package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"barnabas/internal/ident"
)

// What Kafka's old tools write into nodes. Everything here comes from outside: nothing of it is believed that does not
// fit. A packet bounds its size.

var errPayload = errors.New("the data are not what Kafka's tools write there")

// readAssignment reads a topic's replicas, partition by partition.
func readAssignment(data []byte) ([][]ident.BrokerID, error) {
	var v struct {
		Partitions map[string][]ident.BrokerID `json:"partitions"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errPayload, err)
	}
	if len(v.Partitions) == 0 {
		return nil, fmt.Errorf("%w: no partitions", errPayload)
	}
	replicas := make([][]ident.BrokerID, len(v.Partitions))
	for name, brokers := range v.Partitions {
		n, ok := number(name)
		if !ok || int(n) >= len(replicas) {
			return nil, fmt.Errorf("%w: partition %q of %d", errPayload, name, len(replicas))
		}
		if err := checkReplicas(brokers); err != nil {
			return nil, fmt.Errorf("%w of partition %s", err, name)
		}
		replicas[n] = brokers
	}
	return replicas, nil
}

func checkReplicas(brokers []ident.BrokerID) error {
	for i, id := range brokers {
		if id < 0 || slices.Contains(brokers[:i], id) {
			return fmt.Errorf("%w: replicas %v", errPayload, brokers)
		}
	}
	if len(brokers) == 0 {
		return fmt.Errorf("%w: no replicas", errPayload)
	}
	return nil
}

// readConfig reads all settings that something is to have.
func readConfig(data []byte) (map[string]string, error) {
	var v struct {
		Config map[string]string `json:"config"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errPayload, err)
	}
	return v.Config, nil
}

// readPartitions reads a list of partitions, with the replicas that each is to have if wantReplicas.
func readPartitions(data []byte, wantReplicas bool) ([]moveJSON, error) {
	var v struct {
		Partitions []moveJSON `json:"partitions"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("%w: %w", errPayload, err)
	}
	seen := make(map[ident.TopicPartition]bool, len(v.Partitions))
	for _, m := range v.Partitions {
		name := ident.TopicPartition{Topic: m.Topic, Partition: m.Partition}
		if m.Topic == "" || m.Partition < 0 || seen[name] {
			return nil, fmt.Errorf("%w: partition %d of topic %q", errPayload, m.Partition, m.Topic)
		}
		seen[name] = true
		if wantReplicas {
			if err := checkReplicas(m.Replicas); err != nil {
				return nil, fmt.Errorf("%w of %s-%d", err, m.Topic, m.Partition)
			}
		}
	}
	return v.Partitions, nil
}
