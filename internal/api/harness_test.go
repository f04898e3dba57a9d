package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/metrics"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/txn"
	"barnabas/internal/vfs"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience bounds every wait, on a busy machine.
const patience = time.Minute

// memoryBroker is an API over real rooms, with the disk and the metadata store in memory.
type memoryBroker struct {
	*API
	store *memstore.Store
	feed  *metadata.Feed
}

const listenerName = "PLAINTEXT"

// newBroker starts one; what it started ends with the test.
func newBroker(t testing.TB, settings map[string]string) *memoryBroker {
	t.Helper()
	return newBrokerIn(t, settings, "/data")
}

// newBrokerIn starts one with these log directories.
func newBrokerIn(t testing.TB, settings map[string]string, dirs ...string) *memoryBroker {
	t.Helper()
	return newBrokerOn(t, vfs.NewMem(), settings, dirs...)
}

// newBrokerOn starts one whose log directories are on this file system.
func newBrokerOn(t testing.TB, disk vfs.FS, settings map[string]string, dirs ...string) *memoryBroker {
	t.Helper()
	ctx := t.Context()
	view := config.Defaults().WithDynamic(settings, nil)
	logger := slog.New(slog.DiscardHandler)
	store := memstore.New().Open(memstore.Faults{})
	cluster, err := metadata.Found(ctx, store, metadata.Cluster{ID: ident.NewClusterID(), BornMs: 1})
	must(t, err)
	logs, err := storage.OpenStore(storage.Options{
		FS: disk, Dirs: dirs, ClusterID: cluster.ID, BrokerID: 1,
		Config: storage.DefaultLogConfig(), Logger: logger,
	})
	must(t, err)
	feed, err := metadata.StartFeed(ctx, store, logger)
	must(t, err)
	partitions := replication.NewManager(replication.Options{
		Broker: 1, Store: logs, Logger: logger, MaxLag: time.Minute,
		Settings: func(image *metadata.Image, topic string) replication.TopicSettings {
			return replication.TopicSettings{Log: topicConfig(view, image, topic), MinISR: func(int) int { return 1 }}
		},
		Propose: func(replication.Proposal) {},
	})
	feed.Subscribe(partitions.Apply)
	lease, err := store.Lease(ctx, time.Minute)
	must(t, err)
	_, err = metadata.Register(ctx, store, metadata.Broker{
		ID: 1, Stores: storesOf(logs),
		Endpoints: []metadata.Endpoint{{Listener: listenerName, Host: "127.0.0.1", Port: 9092, Protocol: "PLAINTEXT"}},
		Features:  controller.SupportedFeatures(),
	}, lease.ID())
	must(t, err)
	elected := controller.Start(controller.Options{
		Broker: 1, Store: store, Feed: feed, Lease: func() metadata.Lease { return lease },
		View: func() *config.View { return view }, Logger: logger,
	})
	groups := group.New(group.Options{Config: group.DefaultConfig(), Partitions: func() int32 { return 1 }, Logger: logger})
	producers := txn.NewProducers(func(ctx context.Context) (txn.Block, error) {
		block, err := elected.AllocateProducerIDs(ctx)
		return txn.Block{First: record.ProducerID(block.First), Count: int64(block.Count)}, err
	}, logger)
	for !elected.Elected() || feed.Current().ControllerID() != 1 {
		if ctx.Err() != nil {
			t.Fatal("no controller")
		}
		runtime.Gosched() // the election has no event to wait for
	}
	var broker *memoryBroker
	t.Cleanup(func() {
		broker.Close()
		groups.Close()
		producers.Close()
		elected.Stop()
		feed.Stop()
		must(t, logs.Close(true))
		must(t, store.Close())
	})
	broker = &memoryBroker{store: store, feed: feed, API: New(Deps{
		Broker: 1, Partitions: partitions, Metadata: feed, Controller: elected, Groups: groups,
		Producers: producers, Store: logs, Config: func() *config.View { return view },
		InternalTopic: func(string) (controller.NewTopic, bool) { return controller.NewTopic{}, false },
		Metrics:       metrics.New("test"), Logger: logger,
	})}
	return broker
}

func storesOf(logs *storage.Store) (ids []ident.StoreID) {
	for _, d := range logs.Dirs() {
		ids = append(ids, d.ID())
	}
	return ids
}

// topicConfig is as much of a topic's settings as these tests change.
func topicConfig(view *config.View, image *metadata.Image, topic string) storage.LogConfig {
	c := storage.DefaultLogConfig()
	v := view.ForTopic(image.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic}))
	c.MaxMessageBytes = int32(config.MaxMessageBytes.In(v))
	c.Compact = config.CleanupPolicy.In(v)[0] == "compact"
	c.Delete = !c.Compact
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exchange is a request made in a test.
type exchange struct {
	frame   []byte
	client  wire.Client
	done    chan struct{}
	replies chan wire.Reply
	aborts  chan error
}

func (x *exchange) Frame() []byte         { return x.frame }
func (x *exchange) Keep()                 {}
func (x *exchange) Client() *wire.Client  { return &x.client }
func (x *exchange) Done() <-chan struct{} { return x.done }
func (x *exchange) Reply(r wire.Reply)    { x.replies <- r }
func (x *exchange) Abort(reason error)    { x.aborts <- reason }

func newExchange(frame []byte) *exchange {
	x := &exchange{
		frame: frame, done: make(chan struct{}), replies: make(chan wire.Reply, 1), aborts: make(chan error, 1),
	}
	x.client.Address, x.client.Listener = "/127.0.0.1", listenerName
	return x
}

// begin hands a request to the API on a goroutine of its own.
func (b *memoryBroker) begin(request kmsg.Request) *exchange {
	x := newExchange(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, request, 5)[4:])
	go b.Handle(x)
	return x
}

// wait returns the bytes of the reply, nil for the empty one.
func (x *exchange) wait(t testing.TB) []byte {
	t.Helper()
	select {
	case r := <-x.replies:
		defer r.Free()
		return flatten(t, &r)
	case err := <-x.aborts:
		t.Fatalf("aborted: %v", err)
	case <-time.After(patience):
		t.Fatal("no answer")
	}
	return nil
}

// ask makes a request and decodes its answer.
func ask[P kmsg.Response](t testing.TB, b *memoryBroker, version int16, request kmsg.Request) P {
	t.Helper()
	request.SetVersion(version)
	return decode[P](t, request, b.begin(request).wait(t))
}

func decode[P kmsg.Response](t testing.TB, request kmsg.Request, frame []byte) P {
	t.Helper()
	if got := int(binary.BigEndian.Uint32(frame)); got != len(frame)-4 {
		t.Fatalf("frame of %d bytes claims %d", len(frame)-4, got)
	}
	if got := binary.BigEndian.Uint32(frame[4:]); got != 5 {
		t.Fatalf("correlation id %d", got)
	}
	body := frame[8:]
	response := request.ResponseKind()
	response.SetVersion(request.GetVersion())
	if response.IsFlexible() && request.Key() != wire.KeyApiVersions {
		body = body[1:]
	}
	must(t, response.ReadFrom(body))
	if again := response.AppendTo(nil); !bytes.Equal(again, body) {
		t.Fatalf("%s v%d is not written as kmsg writes it:\n got %x\nwant %x",
			kmsg.NameForKey(request.Key()), request.GetVersion(), body, again)
	}
	return response.(P)
}

// abort makes a request that must close the connection.
func (b *memoryBroker) abort(t testing.TB, request kmsg.Request) error {
	t.Helper()
	x := b.begin(request)
	select {
	case <-x.replies:
		t.Fatal("answered")
	case err := <-x.aborts:
		return err
	case <-time.After(patience):
		t.Fatal("no answer")
	}
	return nil
}

// createTopic makes a topic and waits until its partitions are led here.
func (b *memoryBroker) createTopic(t testing.TB, name string, partitions int32, configs map[string]string) ident.TopicID {
	t.Helper()
	topic := controller.NewTopic{Name: name, Partitions: partitions, ReplicationFactor: 1}
	for name, value := range configs {
		topic.Configs = append(topic.Configs, controller.ConfigEntry{Name: name, Value: &value})
	}
	made, err := b.Controller.CreateTopics(t.Context(), []controller.NewTopic{topic}, false)
	must(t, err)
	must(t, made[0].Err)
	return made[0].ID
}

func flatten(t testing.TB, r *wire.Reply) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, r.SendTo(&b))
	return b.Bytes()
}

// batchOf is a record batch with one record for each value.
func batchOf(t testing.TB, values ...string) []byte {
	t.Helper()
	return batchWith(t, record.Options{}, values...)
}

func batchWith(t testing.TB, o record.Options, values ...string) []byte {
	t.Helper()
	b := record.NewBuilder(o)
	for _, v := range values {
		b.Append(time.Now().UnixMilli(), nil, []byte(v))
	}
	batch, err := b.Build()
	must(t, err)
	return bytes.Clone(batch)
}

// values are those of the records in what a fetch returned.
func values(t testing.TB, batches []byte) []string {
	t.Helper()
	var out []string
	for len(batches) > 0 {
		batch, rest, err := record.Next(batches)
		if err != nil {
			break // the last one may be cut
		}
		var d record.Decompressor
		var r record.Reader
		for r.Reset(batch, &d); r.Next(); {
			out = append(out, string(r.Record().Value))
		}
		must(t, r.Err())
		r.Close()
		batches = rest
	}
	return out
}

// produceTo is a Produce request of one batch.
func produceTo(topic string, partition int32, acks int16, batch []byte) *kmsg.ProduceRequest {
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	r := kmsg.NewPtrProduceRequest()
	r.Acks, r.TimeoutMillis, r.Topics = acks, 1000, append(r.Topics, t)
	return r
}

// fetchFrom is a Fetch request of one partition.
func fetchFrom(topic string, id ident.TopicID, partition int32, offset int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = topic, id, append(t.Partitions, p)
	r := kmsg.NewPtrFetchRequest()
	r.MaxBytes, r.MinBytes, r.SessionEpoch, r.Topics = 1<<20, 1, -1, append(r.Topics, t)
	return r
}

func (b *memoryBroker) produce(t testing.TB, topic string, partition int32, values ...string) {
	t.Helper()
	response := ask[*kmsg.ProduceResponse](t, b, 12, produceTo(topic, partition, -1, batchOf(t, values...)))
	if code := response.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("produce: code %d", code)
	}
}
