package golang

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct{ admin *kadm.Client }

func newFranz(t *testing.T) client {
	return franz{kadm.NewClient(franzClient(t))}
}

func franzClient(t *testing.T, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func (f franz) createTopic(t *testing.T, topic string, partitions int, config map[string]string) {
	t.Helper()
	configs := map[string]*string{}
	for name, value := range config {
		configs[name] = &value
	}
	if _, err := f.admin.CreateTopic(within(t), int32(partitions), 1, configs, topic); err != nil {
		t.Fatal(err)
	}
}

var franzCodecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func (f franz) produce(t *testing.T, topic, codec string, sent []rec) {
	t.Helper()
	cl := franzClient(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(franzCodecs[codec]))
	var out []*kgo.Record
	for _, r := range sent {
		o := &kgo.Record{Topic: topic, Partition: r.partition, Key: r.key, Value: r.value, Timestamp: time.UnixMilli(r.timestampMs)}
		for _, h := range r.headers {
			o.Headers = append(o.Headers, kgo.RecordHeader{Key: h.name, Value: h.value})
		}
		out = append(out, o)
	}
	if err := cl.ProduceSync(within(t), out...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (f franz) consume(t *testing.T, topic string, count int) []rec {
	t.Helper()
	cl := franzClient(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []rec
	for ctx := within(t); len(got) < count; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records came: %v", len(got), count, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			g := rec{r.Partition, r.Offset, r.Key, r.Value, nil, r.Timestamp.UnixMilli()}
			for _, h := range r.Headers {
				g.headers = append(g.headers, header{h.Key, h.Value})
			}
			got = append(got, g)
		})
	}
	return got
}

// franzMember polls on a goroutine until it leaves.
type franzMember struct {
	client *kgo.Client
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	owned  int
	places []string
}

func (f franz) join(t *testing.T, group, topic string) member {
	t.Helper()
	m := &franzMember{done: make(chan struct{})}
	change := func(sign int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.owned += sign * len(parts[topic])
		}
	}
	m.client = franzClient(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.HeartbeatInterval(100*time.Millisecond), kgo.OnPartitionsAssigned(change(1)),
		kgo.OnPartitionsRevoked(change(-1)), kgo.OnPartitionsLost(change(-1)))
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	go m.poll(ctx)
	return m
}

func (m *franzMember) poll(ctx context.Context) {
	defer close(m.done)
	for {
		fetches := m.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		m.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			m.places = append(m.places, fmt.Sprintf("%d@%d", r.Partition, r.Offset))
		})
		m.mu.Unlock()
	}
}

func (m *franzMember) assigned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned
}

func (m *franzMember) seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.places...)
}

func (m *franzMember) leave(t *testing.T) {
	t.Helper()
	m.stop()
	<-m.done
	if err := m.client.CommitUncommittedOffsets(within(t)); err != nil {
		t.Fatal(err)
	}
	m.client.Close()
}

func (f franz) config(t *testing.T, topic, name string) string {
	t.Helper()
	described, err := f.admin.DescribeTopicConfigs(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	resource, err := described.On(topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range resource.Configs {
		if c.Key == name {
			return c.MaybeValue()
		}
	}
	return ""
}

func (f franz) alterConfig(t *testing.T, topic, name, value string) {
	t.Helper()
	altered, err := f.admin.AlterTopicConfigs(within(t), []kadm.AlterConfig{{Name: name, Value: &value}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := altered.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err }); err != nil {
		t.Fatal(err)
	}
}

func (f franz) addPartitions(t *testing.T, topic string, count int) {
	t.Helper()
	made, err := f.admin.UpdatePartitions(within(t), count, topic)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f franz) deleteTopic(t *testing.T, topic string) {
	t.Helper()
	if _, err := f.admin.DeleteTopic(within(t), topic); err != nil {
		t.Fatal(err)
	}
}

func (f franz) topics(t *testing.T) map[string]int {
	t.Helper()
	listed, err := f.admin.ListTopics(within(t))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for name, detail := range listed {
		counts[name] = len(detail.Partitions)
	}
	return counts
}
