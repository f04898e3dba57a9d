package golang

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

type saramaClient struct{ admin sarama.ClusterAdmin }

func newSarama(t *testing.T) client {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	return saramaClient{admin}
}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V4_0_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 50 * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
	config.Consumer.Group.Rebalance.Retry.Backoff = 50 * time.Millisecond
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	// On a machine that stands still for a while nobody is to be shut out, and nothing to be asked twice.
	config.Consumer.Group.Session.Timeout = 45 * time.Second
	config.Admin.Timeout = deadline
	return config
}

func (s saramaClient) createTopic(t *testing.T, topic string, partitions int, config map[string]string) {
	t.Helper()
	detail := &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for name, value := range config {
		detail.ConfigEntries[name] = &value
	}
	if err := s.admin.CreateTopic(topic, detail, false); err != nil {
		t.Fatal(err)
	}
}

var saramaCodecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func (s saramaClient) produce(t *testing.T, topic, codec string, sent []rec) {
	t.Helper()
	config := saramaConfig()
	config.Producer.Compression = saramaCodecs[codec]
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	var out []*sarama.ProducerMessage
	for _, r := range sent {
		m := &sarama.ProducerMessage{
			Topic: topic, Partition: r.partition, Value: sarama.ByteEncoder(r.value), Timestamp: time.UnixMilli(r.timestampMs),
		}
		if r.key != nil {
			m.Key = sarama.ByteEncoder(r.key)
		}
		for _, h := range r.headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.name), Value: h.value})
		}
		out = append(out, m)
	}
	if err := producer.SendMessages(out); err != nil {
		t.Fatal(err)
	}
}

func (s saramaClient) consume(t *testing.T, topic string, count int) []rec {
	t.Helper()
	consumer, err := sarama.NewConsumer([]string{bootstrap}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	messages := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	defer close(done)
	for p := range int32(partitions) {
		part, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			t.Fatal(err)
		}
		go forward(part.Messages(), messages, done)
	}
	var got []rec
	for over := within(t); len(got) < count; {
		select {
		case m := <-messages:
			g := rec{m.Partition, m.Offset, m.Key, m.Value, nil, m.Timestamp.UnixMilli()}
			for _, h := range m.Headers {
				g.headers = append(g.headers, header{string(h.Key), h.Value})
			}
			got = append(got, g)
		case <-over.Done():
			t.Fatalf("%d of %d records came", len(got), count)
		}
	}
	return got
}

func forward(from <-chan *sarama.ConsumerMessage, to chan<- *sarama.ConsumerMessage, done <-chan struct{}) {
	for m := range from {
		select {
		case to <- m:
		case <-done:
			return
		}
	}
}

// saramaMember is a group handler; sarama calls it from goroutines of its own.
type saramaMember struct {
	group sarama.ConsumerGroup
	stop  context.CancelFunc
	done  chan struct{}

	mu     sync.Mutex
	owned  int
	places []string
}

func (s saramaClient) join(t *testing.T, group, topic string) member {
	t.Helper()
	g, err := sarama.NewConsumerGroup([]string{bootstrap}, group, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &saramaMember{group: g, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{topic}, m); err != nil && ctx.Err() == nil {
				m.note("error " + err.Error())
				return
			}
		}
	}()
	return m
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owned = 0
	for _, claimed := range session.Claims() {
		m.owned += len(claimed)
	}
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.note(fmt.Sprintf("%d@%d", message.Partition, message.Offset))
		session.MarkMessage(message, "")
	}
	return nil
}

func (m *saramaMember) note(place string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places = append(m.places, place)
}

func (m *saramaMember) assigned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned
}

func (m *saramaMember) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.places...)
}

func (m *saramaMember) leave(t *testing.T) {
	t.Helper()
	m.stop()
	<-m.done
	if err := m.group.Close(); err != nil {
		t.Fatal(err)
	}
	for _, place := range m.seen() {
		if strings.HasPrefix(place, "error") {
			t.Fatal(place)
		}
	}
}

func (s saramaClient) config(t *testing.T, topic, name string) string {
	t.Helper()
	results, err := s.admin.DescribeConfigs([]*sarama.ConfigResource{{
		Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name},
	}}, sarama.DescribeConfigsOptions{})
	if err != nil || len(results) != 1 || len(results[0].Configs) != 1 {
		t.Fatalf("describe configs: %v, %+v", err, results)
	}
	return results[0].Configs[0].Value
}

func (s saramaClient) alterConfig(t *testing.T, topic, name, value string) {
	t.Helper()
	if err := s.admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		name: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}, false); err != nil {
		t.Fatal(err)
	}
}

func (s saramaClient) addPartitions(t *testing.T, topic string, count int) {
	t.Helper()
	if err := s.admin.CreatePartitions(topic, int32(count), nil, false); err != nil {
		t.Fatal(err)
	}
}

func (s saramaClient) deleteTopic(t *testing.T, topic string) {
	t.Helper()
	if err := s.admin.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
}

func (s saramaClient) topics(t *testing.T) map[string]int {
	t.Helper()
	listed, err := s.admin.ListTopics()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for name, detail := range listed {
		counts[name] = int(detail.NumPartitions)
	}
	return counts
}
