package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	produceVersion = 7 // the last without flexible fields: its replies have fixed places
	ackTimeoutMs   = 10_000
	readBuffer     = 64 << 10
	sizeBytes      = 4 // before a frame
)

// kafkaError is a protocol error that a reply carried.
type kafkaError int16

func (e kafkaError) Error() string { return fmt.Sprintf("error code %d", int16(e)) }

// conn speaks prepared frames, so that the generator is not the limit.
type conn struct {
	net.Conn
	reader *bufio.Reader
}

func dial(address string) (*conn, error) { return dialBuffer(address, readBuffer) }

// dialSmall is dial for one of many thousand connections.
func dialSmall(address string) (*conn, error) { return dialBuffer(address, 512) }

func dialBuffer(address string, bytes int) (*conn, error) {
	connect := func(address string) (net.Conn, error) { return net.Dial("tcp", address) }
	if strings.HasPrefix(address, tlsScheme) {
		connect = dialTLS
	}
	c, err := connect(address)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, bytes)}, nil
}

func (c *conn) close() {
	if c != nil {
		_ = c.Close()
	}
}

// createTopic asks for the topic; one that exists is as good.
func (c *conn) createTopic(name string, partitions int32, configs ...string) error {
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Version = 4
	request.TimeoutMillis = int32(startDeadline.Milliseconds())
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	for _, config := range configs {
		key, value, _ := strings.Cut(config, "=")
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, &value
		topic.Configs = append(topic.Configs, c)
	}
	request.Topics = append(request.Topics, topic)
	if _, err := c.Write(frame(request)); err != nil {
		return err
	}
	_, err := c.reply()
	return err
}

// produce sends one record and waits for its acknowledgement.
func (c *conn) produce(topic string, partition int32, value []byte) error {
	return c.roundTrip(produceFrame(topic, partition, value, 1), len(topic))
}

// roundTrip sends a prepared Produce frame for one partition and reads its error code.
func (c *conn) roundTrip(frame []byte, topicLen int) error {
	if _, err := c.Write(frame); err != nil {
		return err
	}
	body, err := c.reply()
	if err != nil {
		return err
	}
	return produceError(body, topicLen)
}

// produceError is the error code of the one partition in a Produce reply.
func produceError(body []byte, topicLen int) error {
	// correlation id, one topic, its name, one partition, its index
	at := 4 + 4 + 2 + topicLen + 4 + 4
	if len(body) < at+2 {
		return fmt.Errorf("a produce reply of %d bytes", len(body))
	}
	if code := int16(binary.BigEndian.Uint16(body[at:])); code != 0 {
		return kafkaError(code)
	}
	return nil
}

// reply reads one frame. The bytes are good until the next call.
func (c *conn) reply() ([]byte, error) {
	head, err := c.reader.Peek(sizeBytes)
	if err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head))
	if size+sizeBytes > readBuffer {
		return nil, fmt.Errorf("a reply of %d bytes", size)
	}
	if _, err := c.reader.Discard(sizeBytes); err != nil {
		return nil, err
	}
	body, err := c.reader.Peek(size)
	if err != nil {
		return nil, err
	}
	_, err = c.reader.Discard(size)
	return body, err
}

func (c *conn) readFull(into []byte) error {
	_, err := io.ReadFull(c.reader, into)
	return err
}

// clientID makes no large frame as long as a multiple of a cache line, which a test holds to: the limit, which writes whole frames, would copy
// aligned to aligned each time, a tenth cheaper than batches of any other length can be written.
const clientID = "barnabas-bench"

// frame is a request with its header, ready to send.
func frame(request kmsg.Request) []byte {
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))
	return formatter.AppendRequest(nil, request, 1)
}

// produceFrame is a Produce request of one batch of equal records, with acks=all.
func produceFrame(topic string, partition int32, value []byte, records int) []byte {
	request := kmsg.NewPtrProduceRequest()
	request.Version = produceVersion
	request.Acks = -1
	request.TimeoutMillis = ackTimeoutMs
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition = partition
	part.Records = batch(value, records)
	top := kmsg.NewProduceRequestTopic()
	top.Topic = topic
	top.Partitions = append(top.Partitions, part)
	request.Topics = append(request.Topics, top)
	return frame(request)
}

// batch is a record batch v2 of records without a key.
func batch(value []byte, records int) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic = 2
	b.PartitionLeaderEpoch = -1
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.NumRecords, b.LastOffsetDelta = int32(records), int32(records-1)
	for i := range records {
		b.Records = appendRecord(b.Records, int32(i), value)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func appendRecord(to []byte, delta int32, value []byte) []byte {
	r := kmsg.NewRecord()
	r.OffsetDelta, r.Value = delta, value
	r.Length = int32(len(r.AppendTo(nil)) - 1) // its own varint is that of zero, one byte
	return r.AppendTo(to)
}

// recordsIn is how many records of a size make a batch of at most so many bytes.
func recordsIn(bytes, valueSize int) int {
	one := len(appendRecord(nil, 1<<13, make([]byte, valueSize))) // offset deltas take one to three bytes
	return max(1, (bytes-batchHeader)/one)
}

const batchHeader = 61
