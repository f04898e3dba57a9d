package broker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// world is what outlives a broker: its disk and the cluster's metadata, both in memory.
type world struct {
	t      *testing.T
	disk   *vfs.Mem
	memory *memstore.Memory
	store  *memstore.Store // of the broker started last
	faults memstore.Faults // of the next one
	boot   ident.BootID
	pod    *pod // in which the next broker runs; nil for none
}

func newWorld(t *testing.T) *world {
	return &world{t: t, disk: vfs.NewMem(), memory: memstore.New(), boot: ident.NewBootID()}
}

// start starts a broker with settings as name=value. It is stopped with the test.
func (w *world) start(settings ...string) *Broker {
	w.t.Helper()
	b, err := w.tryStart(settings...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Stop(context.Background()) })
	return b
}

func (w *world) tryStart(settings ...string) (*Broker, error) {
	c, _, err := config.Load(config.Sources{Overrides: append([]string{
		"listeners=PLAINTEXT://127.0.0.1:0", "http.listener=127.0.0.1:0", "log.dirs=/data",
		"group.initial.rebalance.delay.ms=0",
	}, settings...)})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), longEnough)
	defer cancel()
	return w.startConfigured(ctx, c)
}

// startWithin is tryStart for a start that ctx may end.
func (w *world) startWithin(ctx context.Context, settings ...string) (*Broker, error) {
	c, _, err := config.Load(config.Sources{Overrides: append([]string{
		"listeners=PLAINTEXT://127.0.0.1:0", "http.listener=127.0.0.1:0", "log.dirs=/data",
	}, settings...)})
	if err != nil {
		return nil, err
	}
	return w.startConfigured(ctx, c)
}

func (w *world) startConfigured(ctx context.Context, c *config.Broker) (*Broker, error) {
	environment, account := func(string) string { return "" }, ""
	if w.pod != nil {
		environment, account = func(name string) string { return w.pod.env[name] }, w.pod.account
	}
	return Start(ctx, Options{
		Config: c, FS: w.disk, Logger: slog.New(slog.DiscardHandler), Version: "test", Boot: w.boot,
		Environment: environment, Account: account,
		OpenMetadata: func(context.Context) (metadata.Store, error) {
			w.store = w.memory.Open(w.faults)
			return w.store, nil
		},
	})
}

// client of a broker, closed with the test.
func (w *world) client(b *Broker, options ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(b.Addresses()["PLAINTEXT"].String()), kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic("t"), kgo.MetadataMinAge(10 * time.Millisecond), kgo.UnknownTopicRetries(-1),
	}, options...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

func (w *world) produce(client *kgo.Client, from, to int) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), longEnough)
	defer cancel()
	for n := from; n < to; n++ {
		if err := client.ProduceSync(ctx, kgo.StringRecord(strconv.Itoa(n))).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// consume reads count records from the beginning.
func (w *world) consume(b *Broker, count int) []string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), longEnough)
	defer cancel()
	client := w.client(b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var values []string
	for len(values) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("after %d records: %v", len(values), err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func get(t *testing.T, b *Broker, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + b.http.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestProduceRestartConsume(t *testing.T) {
	w := newWorld(t)
	b := w.start()
	if err := w.produce(w.client(b), 0, 10); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := w.start()
	if again.ID() != b.ID() {
		t.Errorf("broker id was %d and is %d", b.ID(), again.ID())
	}
	if values := w.consume(again, 10); strings.Join(values, " ") != "0 1 2 3 4 5 6 7 8 9" {
		t.Errorf("read %v", values)
	}
}

// TestFullDisk fills the disk: the directory goes offline with KAFKA_STORAGE_ERROR, and comes back by itself when
// there is room.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	b := w.start()
	patient := w.client(b)
	if err := w.produce(patient, 0, 10); err != nil {
		t.Fatal(err)
	}
	w.disk.SetCapacity(1)
	client := w.client(b, kgo.RequestRetries(0), kgo.RecordRetries(0), kgo.DisableIdempotentWrite(),
		kgo.RequiredAcks(kgo.LeaderAck()))
	if err := w.produce(client, 10, 11); !errors.Is(err, kerr.KafkaStorageError) {
		t.Fatalf("on a full disk: %v, want KAFKA_STORAGE_ERROR", err)
	}
	if _, page := get(t, b, "/metrics"); !strings.Contains(page, "kafka_log_logmanager_offlinelogdirectorycount 1") {
		t.Error("no metric tells of the directory that is offline")
	}
	w.disk.SetCapacity(1 << 30)
	if err := w.produce(patient, 10, 20); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	if n := len(w.consume(b, 20)); n != 20 {
		t.Errorf("%d records", n)
	}
}

// TestLostLease takes the registration away: the broker makes it anew, is controller again, and serves on.
func TestLostLease(t *testing.T) {
	w := newWorld(t)
	b := w.start()
	if err := w.produce(w.client(b), 0, 1); err != nil {
		t.Fatal(err)
	}
	before := b.feed.Current().Broker(b.ID()).Epoch
	if err := b.session.held().Revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "registered again", func() bool {
		image := b.feed.Current()
		me := image.Broker(b.ID())
		return me != nil && me.Epoch != before && image.ControllerID() == b.ID()
	})
	if err := w.produce(w.client(b), 1, 10); err != nil {
		t.Fatal(err)
	}
	if n := len(w.consume(b, 10)); n != 10 {
		t.Errorf("%d records", n)
	}
}

// TestMachineCrash: after a machine went down under a broker its partitions go on in a new leader epoch, for the ends of
// their logs may be missing; after no more than the process was killed, nothing may be.
func TestMachineCrash(t *testing.T) {
	for _, crash := range []struct {
		name string
		boot ident.BootID
		disk func(*vfs.Mem) *vfs.Mem
		more record.Epoch
	}{
		{"process", ident.BootID{1}, (*vfs.Mem).Restart, 0},
		{"machine", ident.BootID{2}, func(d *vfs.Mem) *vfs.Mem { return d.Crash(1) }, 1},
	} {
		t.Run(crash.name, func(t *testing.T) {
			w := newWorld(t)
			w.boot = ident.BootID{1}
			b := w.start()
			if err := w.produce(w.client(b), 0, 10); err != nil {
				t.Fatal(err)
			}
			before := b.feed.Current().Topic("t").Partition(0).LeaderEpoch
			w.store.Cut()
			w.disk, w.boot = crash.disk(w.disk), crash.boot
			b = w.start()
			after := b.feed.Current().Topic("t").Partition(0).LeaderEpoch
			if after != before+crash.more {
				t.Errorf("leader epoch %d, was %d", after, before)
			}
			if err := b.feed.Await(t.Context(), b.session.revision()); err != nil {
				t.Fatal(err)
			}
			if len(tornDirs(b.store.Dirs())) > 0 || b.feed.Current().Broker(b.ID()).Torn {
				t.Error("torn for ever")
			}
			if err := w.produce(w.client(b), 10, 20); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	w := newWorld(t)
	b := w.start()
	for _, path := range []string{"/livez", "/readyz"} {
		if code, body := get(t, b, path); code != http.StatusOK || body != "ok\n" {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	b.ready.set(errStopping)
	if code, body := get(t, b, "/readyz"); code != http.StatusServiceUnavailable || body != "stopping\n" {
		t.Errorf("/readyz while stopping: %d %q", code, body)
	}
}

func TestSecondBrokerOfThatID(t *testing.T) {
	w := newWorld(t)
	const ttl = "zookeeper.session.timeout.ms=1000"
	first := w.start("node.id=7", "log.dirs=/one", ttl)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := w.startWithin(ctx, "node.id=7", "log.dirs=/two", ttl)
		ended <- err
	}()
	for first.feed.Current().Successor(7) == nil && ctx.Err() == nil {
		pause(ctx, time.Millisecond)
	}
	if err := w.produce(w.client(first), 0, 1); err != nil { // nothing has changed for the first
		t.Error(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, metadata.ErrBrokerIDTaken) || !strings.Contains(err.Error(), "KAFKA_BROKER_ID") {
		t.Errorf("a second broker 7: %v", err)
	}
}

// TestSuccessorOfADeadBroker: a broker dies without a word, and one of its id comes up on an empty disk.
func TestSuccessorOfADeadBroker(t *testing.T) {
	w := newWorld(t)
	const ttl = "zookeeper.session.timeout.ms=1000"
	w.start("node.id=7", "log.dirs=/one", ttl)
	w.store.Cut() // its lease runs out
	b, err := w.tryStart("node.id=7", "log.dirs=/two", ttl)
	if err != nil {
		t.Fatal(err)
	}
	b.Stop(t.Context())
}

// TestKeepersComeLater: the metadata store answers only after the broker has begun to ask.
func TestKeepersComeLater(t *testing.T) {
	w := newWorld(t)
	var left atomic.Int32
	left.Store(3)
	w.faults.Before = func(memstore.Call) error {
		if left.Add(-1) >= 0 {
			return metadata.ErrUnavailable
		}
		return nil
	}
	if err := w.produce(w.client(w.start()), 0, 1); err != nil {
		t.Fatal(err)
	}
}

// TestFailedStartLeavesNothing: the log directories can't be opened, and the metadata store answers only after that.
func TestFailedStartLeavesNothing(t *testing.T) {
	w := newWorld(t)
	c, _, err := config.Load(config.Sources{Overrides: []string{
		"listeners=PLAINTEXT://127.0.0.1:0", "http.listener=", "log.dirs=/data",
	}})
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan metadata.Store, 1)
	broken := vfs.WithFaults(w.disk, func(vfs.Op) error { return errors.New("broken") })
	_, err = Start(t.Context(), Options{
		Config: c, FS: broken, Logger: slog.New(slog.DiscardHandler),
		OpenMetadata: func(ctx context.Context) (metadata.Store, error) {
			<-ctx.Done() // which the failure brings about
			store := w.memory.Open(memstore.Faults{})
			opened <- store
			return store, nil
		},
	})
	if err == nil {
		t.Fatal("started on a disk that is broken")
	}
	store := <-opened
	<-store.Watch(context.Background(), "", 1<<40) // ends with the store
}

func TestBrokersWithoutIDsTakeDifferentOnes(t *testing.T) {
	w := newWorld(t)
	one, two := w.start("log.dirs=/one"), w.start("log.dirs=/two")
	if one.ID() == two.ID() {
		t.Errorf("both are broker %d", one.ID())
	}
}

func TestFreeBrokerID(t *testing.T) {
	id := ident.TopicID{1}
	state := metadata.Partition{Replicas: []ident.BrokerID{1, 3}}
	image, _, err := metadata.NewImage().Apply(1, []metadata.Event{
		{KV: metadata.KV{Key: metadata.TopicKey(id), Value: metadata.EncodeTopic("t", 1)}},
		{KV: metadata.KV{Key: metadata.PartitionKey(id, 0), Value: metadata.EncodePartition(&state)}},
		{KV: metadata.KV{Key: metadata.BrokerKey(2), Value: metadata.EncodeBroker(&metadata.Broker{})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := freeBrokerID(image, 0); got != 4 {
		t.Errorf("%d is free: 1 and 3 hold partitions, 2 is registered", got)
	}
}

func TestContainerMemory(t *testing.T) {
	files := func(content map[string]string) func(string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			if text, ok := content[name]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("no such file")
		}
	}
	const v2, v1 = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
	for _, c := range []struct {
		content map[string]string
		want    int64
	}{
		{nil, 0},
		{map[string]string{v2: "max\n"}, 0},
		{map[string]string{v2: "134217728\n"}, 128 << 20},
		{map[string]string{v1: "9223372036854771712\n"}, 0},
		{map[string]string{v1: "268435456"}, 256 << 20},
	} {
		if got := containerMemory(files(c.content)); got != c.want {
			t.Errorf("%v: %d, want %d", c.content, got, c.want)
		}
	}
}
