package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// movesUnderWay are all reassignments of the cluster.
func (c *client) movesUnderWay(ctx context.Context) (reassignments, error) {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	moves := reassignments{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			moves[partitionName{t.Topic, p.Partition}] = reassignment{p.Replicas, p.AddingReplicas, p.RemovingReplicas}
		}
	}
	return moves, nil
}

// replicasOf are the replicas of all partitions of topics; a topic that does not exist has none.
func (c *client) replicasOf(ctx context.Context, topics []string) (assignment, error) {
	return askPartitions(ctx, c, topics, func(p *kmsg.MetadataResponseTopicPartition) []int32 { return p.Replicas })
}

// askPartitions asks, once, for something of all partitions of topics; a topic that does not exist has none.
func askPartitions[T any](
	ctx context.Context, c *client, topics []string, of func(*kmsg.MetadataResponseTopicPartition) T,
) (map[partitionName]T, error) {
	found := map[partitionName]T{}
	if len(topics) == 0 {
		return found, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		err := codeError(t.ErrorCode, nil)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, err
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			found[partitionName{orEmpty(t.Topic), p.Partition}] = of(p)
		}
	}
	return found, nil
}

// brokersWithRacks are those of the brokers that are there. Either all or none of them must have a rack.
func (c *client) brokersWithRacks(ctx context.Context, ids []int32, racks bool) ([]rackedBroker, error) {
	all, err := c.adm.ListBrokers(ctx)
	if err != nil {
		return nil, err
	}
	var found []rackedBroker
	without := 0
	for _, b := range all {
		if !slices.Contains(ids, b.NodeID) {
			continue
		}
		one := rackedBroker{id: b.NodeID}
		if racks && b.Rack != nil {
			one.rack = *b.Rack
		}
		if one.rack == "" {
			without++
		}
		found = append(found, one)
	}
	if racks && without > 0 && without < len(found) {
		return nil, sayf("Not all brokers have rack information. Add --disable-rack-aware in command line to make " +
			"replica assignment without rack information.")
	}
	if len(found) == 0 {
		return nil, sayf("Replication factor: 1 larger than available brokers: 0")
	}
	return found, nil
}

// checkBrokers says of which broker of a plan nothing is known.
func (c *client) checkBrokers(ctx context.Context, plan *movePlan) error {
	cluster, err := c.describeCluster(ctx, false)
	if err != nil {
		return err
	}
	for _, name := range plan.names() {
		for _, id := range plan.replicas[name] {
			if !slices.ContainsFunc(cluster.Brokers, func(b brokerInfo) bool { return b.ID == id }) {
				return sayf("Unknown broker id %d", id)
			}
		}
	}
	return nil
}

// failures are the partitions that could not be changed.
type failures map[partitionName]error

func (f failures) String() string {
	var lines []string
	for _, name := range namesOf(f) {
		lines = append(lines, fmt.Sprintf("%s: %s", name, errorText(f[name])))
	}
	return strings.Join(lines, "\n")
}

// alterMoves begins reassignments, or ends those whose replicas are nil.
func (c *client) alterMoves(ctx context.Context, to assignment, allowFactorChange bool) (failures, error) {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis, req.AllowReplicationFactorChange = int32(apiTimeout.Milliseconds()), allowFactorChange
	for _, name := range to.names() {
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Topic != name.topic {
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = name.topic
			req.Topics, last = append(req.Topics, t), last+1
		}
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition, p.Replicas = name.partition, to[name]
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, p)
	}
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	failed := failures{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := codeError(p.ErrorCode, p.ErrorMessage); err != nil {
				failed[partitionName{t.Topic, p.Partition}] = err
			}
		}
	}
	return failed, nil
}
