package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The special timestamps of ListOffsets.
const (
	latestTimestamp           = -1
	earliestTimestamp         = -2
	maxTimestamp              = -3
	earliestLocalTimestamp    = -4 // KIP-405
	latestTieredTimestamp     = -5 // KIP-1005
	earliestUploadedTimestamp = -6 // KIP-1023
)

// foundOffset is the answer for one partition; the offset is -1 where no record is so young.
type foundOffset struct {
	offset int64
	err    error
}

// Offsets by partition: wanted ones, those that a broker found, those that a group committed.
type (
	partitionOffsets map[partitionName]int64
	foundOffsets     map[partitionName]foundOffset
	committedOffsets map[partitionName]committedOffset
)

// listOffsets finds, for each partition, the offset at a timestamp in ms, or at one of the special
// ones. A partition that its leader can't answer for has an error of its own.
func (c *client) listOffsets(ctx context.Context, partitions []partitionName, timestamp int64) (foundOffsets, error) {
	found := make(foundOffsets, len(partitions))
	if len(partitions) == 0 {
		return found, nil
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	for topic, ids := range byTopic(partitions) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, id := range ids {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp, p.CurrentLeaderEpoch = id, timestamp, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			if err := spread(found, shard.Req, shard.Err); err != nil {
				return nil, err
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				found[partitionName{t.Topic, p.Partition}] = foundOffset{p.Offset, codeError(p.ErrorCode, nil)}
			}
		}
	}
	return found, nil
}

// spread gives the error of a part of a request to its partitions when it is an answer of the
// cluster and not a failure to ask it.
func spread(found foundOffsets, req kmsg.Request, err error) error {
	var known *kerr.Error
	if !errors.As(err, &known) {
		return err
	}
	for _, t := range req.(*kmsg.ListOffsetsRequest).Topics {
		for _, p := range t.Partitions {
			found[partitionName{t.Topic, p.Partition}] = foundOffset{-1, err}
		}
	}
	return nil
}

func byTopic(partitions []partitionName) map[string][]int32 {
	topics := map[string][]int32{}
	for _, p := range partitions {
		topics[p.topic] = append(topics[p.topic], p.partition)
	}
	return topics
}

// namesOf are the partitions of which a map has something, in their order.
func namesOf[V any](m map[partitionName]V) []partitionName {
	names := make([]partitionName, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sortNames(names)
	return names
}

func sortNames(partitions []partitionName) {
	slices.SortFunc(partitions, comparePartitions)
}

func comparePartitions(a, b partitionName) int {
	if c := strings.Compare(a.topic, b.topic); c != 0 {
		return c
	}
	return int(a.partition) - int(b.partition)
}
