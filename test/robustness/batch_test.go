package robustness

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where fields of a record batch lie.
const (
	lengthAt = 8
	crcAt    = 17
	crcFrom  = 21
)

// batch builds a record batch of format 2 byte for byte, without the code under test.
type batch struct {
	codec    int16
	producer int64 // -1: not idempotent
	epoch    int16
	sequence int32
	count    int32
	payload  []byte // the records, compressed if there is a codec
}

// plain is a batch with one record.
func plain(value string) batch {
	return batch{producer: -1, epoch: -1, sequence: -1, count: 1, payload: recordOf(0, []byte("key"), []byte(value))}
}

func (b batch) bytes() []byte {
	raw := kmsg.NewRecordBatch()
	raw.PartitionLeaderEpoch, raw.Magic = -1, 2
	raw.Attributes = b.codec
	raw.LastOffsetDelta, raw.NumRecords = b.count-1, b.count
	raw.FirstTimestamp, raw.MaxTimestamp = now, now
	raw.ProducerID, raw.ProducerEpoch, raw.FirstSequence = b.producer, b.epoch, b.sequence
	raw.Records = b.payload
	out := raw.AppendTo(nil)
	binary.BigEndian.PutUint32(out[lengthAt:], uint32(len(out)-lengthAt-4))
	binary.BigEndian.PutUint32(out[crcAt:], crc32.Checksum(out[crcFrom:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

// now is the timestamp of all records, in milliseconds; retention would not leave older ones alone.
var now = time.Now().UnixMilli()

// recordOf is one record of a batch.
func recordOf(index int32, key, value []byte) []byte {
	head, tail := recordAround(index, key, len(value))
	return append(append(head, value...), tail...)
}

// recordAround is what stands before and after the value of a record.
func recordAround(index int32, key []byte, value int) (head, tail []byte) {
	body := []byte{0, 0} // attributes, timestamp delta
	body = binary.AppendVarint(body, int64(index))
	body = binary.AppendVarint(body, int64(len(key)))
	body = append(body, key...)
	body = binary.AppendVarint(body, int64(value))
	tail = []byte{0} // no headers
	head = binary.AppendVarint(nil, int64(len(body)+value+len(tail)))
	return append(head, body...), tail
}

// producePartition sends bytes to partition 0 of a topic as they are.
func (p *peer) producePartition(topic string, records []byte) kmsg.ProduceResponseTopicPartition {
	p.t.Helper()
	response := p.call(produceRequest(topic, records), 9).(*kmsg.ProduceResponse)
	return response.Topics[0].Partitions[0]
}

func produceRequest(topic string, records []byte) *kmsg.ProduceRequest {
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, int32(patience.Milliseconds())
	in := kmsg.NewProduceRequestTopic()
	in.Topic = topic
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = records
	in.Partitions = append(in.Partitions, partition)
	request.Topics = append(request.Topics, in)
	return request
}

// createTopic makes a topic with one partition and settings as name, value, name, value.
func (p *peer) createTopic(name string, settings ...string) int16 {
	p.t.Helper()
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = int32(patience.Milliseconds())
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	for i := 0; i < len(settings); i += 2 {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = settings[i], &settings[i+1]
		topic.Configs = append(topic.Configs, config)
	}
	request.Topics = append(request.Topics, topic)
	return p.call(request, 7).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
}

// mustCreateTopic makes a topic and waits until it takes records.
func (b *broker) mustCreateTopic(t *testing.T, name string, settings ...string) {
	t.Helper()
	p := dial(t, b.address)
	if code := p.createTopic(name, settings...); code != 0 {
		t.Fatalf("create topic %s: code %d", name, code)
	}
	b.await(t, "lead "+name, func() bool { return p.leads(name) })
}

// leads asks without writing anything.
func (p *peer) leads(topic string) bool {
	p.t.Helper()
	return p.offsetAt(topic, latest).ErrorCode == 0
}

// endOf is the end of partition 0, once the broker tells it.
func (b *broker) endOf(t *testing.T, topic string) int64 {
	t.Helper()
	p, end := dial(t, b.address), int64(-1)
	b.await(t, "tell where "+topic+" ends", func() bool {
		got := p.offsetAt(topic, latest)
		end = got.Offset
		return got.ErrorCode == 0
	})
	return end
}

// latest stands for the end of a partition where a time is asked for.
const latest = -1

// offsetAt looks for an offset of partition 0 by time.
func (p *peer) offsetAt(topic string, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
	p.t.Helper()
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	in := kmsg.NewListOffsetsRequestTopic()
	in.Topic = topic
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Timestamp = timestamp
	in.Partitions = append(in.Partitions, partition)
	request.Topics = append(request.Topics, in)
	return p.call(request, 7).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
}
