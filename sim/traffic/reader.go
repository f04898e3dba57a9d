package traffic

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/record"
	"barnabas/sim/check"
)

// Read runs a reader of all partitions until ctx ends.
func (e *Env) Read(ctx context.Context, number int) {
	c := e.client(fmt.Sprintf("reader-%d", number), 100+uint64(number))
	defer c.close()
	positions := map[check.Partition]int64{}
	for c.rest(ctx, 400*time.Millisecond) {
		topic := c.Topics.any(c.rng)
		if topic == nil {
			continue
		}
		number := c.rng.Int32N(topic.Partitions)
		p := topic.Partition(number)
		if c.chance(20) {
			positions[p] = 0
		}
		begun := c.History.Now()
		got, err := c.fetch(topic, number, positions[p], 300)
		if err != nil {
			continue
		}
		switch got.ErrorCode {
		case 0:
			reads := Decode(p, got.RecordBatches)
			c.History.Fetch(begun, check.Mark{
				Partition: p, LogStart: got.LogStartOffset, HighWatermark: got.HighWatermark,
			}, reads)
			if len(reads) > 0 {
				positions[p] = max(positions[p], reads[len(reads)-1].Offset+1)
			}
		case kerr.OffsetOutOfRange.Code:
			positions[p] = c.startOf(topic, number)
		default:
			c.forgetLeader(topic)
		}
	}
}

// fetch reads from an offset, waiting for something to come for a while.
func (c *client) fetch(t *Topic, number int32, from int64, waitMs int32) (*kmsg.FetchResponseTopicPartition, error) {
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.MaxWaitMillis, request.MinBytes, request.MaxBytes = 16, waitMs, 1, 1<<20
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = t.ID
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset, partition.PartitionMaxBytes = number, from, 16<<10
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	answer, err := askLeader[*kmsg.FetchResponse](c, t, number, request)
	if err != nil {
		return nil, err
	}
	if answer.ErrorCode != 0 {
		return nil, kerr.ErrorForCode(answer.ErrorCode)
	}
	if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("a fetch of one partition answers of %d topics", len(answer.Topics))
	}
	return &answer.Topics[0].Partitions[0], nil
}

// startOf is where a partition begins, 0 if that can't be learnt.
func (c *client) startOf(t *Topic, number int32) int64 {
	request := kmsg.NewPtrListOffsetsRequest()
	request.Version, request.ReplicaID = 8, -1
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = t.Name
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Partition, partition.Timestamp, partition.CurrentLeaderEpoch = number, -2, -1
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	answer, err := askLeader[*kmsg.ListOffsetsResponse](c, t, number, request)
	if err != nil {
		return 0
	}
	if answer.Topics[0].Partitions[0].ErrorCode != 0 {
		c.forgetLeader(t)
		return 0
	}
	return answer.Topics[0].Partitions[0].Offset
}

// Decode lists the records of batches; a last one that is cut short is left out.
func Decode(p check.Partition, batches []byte) []check.Read {
	var reads []check.Read
	var r record.Reader
	d := new(record.Decompressor)
	for len(batches) > 0 {
		b, rest, err := record.Next(batches)
		if err != nil {
			break
		}
		batches = rest
		r.Reset(b, d)
		for r.Next() {
			rec := r.Record()
			reads = append(reads, check.Read{
				Partition: p, Offset: int64(rec.Offset), Epoch: int32(b.LeaderEpoch()),
				Record: check.Record{Key: string(rec.Key), Value: string(rec.Value)},
			})
		}
		r.Close()
	}
	return reads
}

// Final reads all that a partition holds.
func (e *Env) Final(t *Topic, number int32) (check.Final, error) {
	c := e.client("final", 999)
	defer c.close()
	f := check.Final{Partition: t.Partition(number), LogStart: c.startOf(t, number)}
	for at := f.LogStart; ; {
		got, err := c.fetch(t, number, at, 0)
		if err != nil {
			return f, err
		}
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return f, fmt.Errorf("%s at offset %d: %w", f.Partition, at, err)
		}
		f.LogStart, f.HighWatermark = got.LogStartOffset, got.HighWatermark
		reads := Decode(f.Partition, got.RecordBatches)
		for _, r := range reads {
			if r.Offset >= at {
				f.Reads = append(f.Reads, r)
			}
		}
		if len(reads) == 0 || at >= got.HighWatermark {
			return f, nil
		}
		at = max(at, reads[len(reads)-1].Offset) + 1
	}
}
