package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// A machine goes down under two log directories, and one of them can't be read when the broker is back. What is on the
// other goes on in a new leader epoch. When the first is there again its partitions do so too, and those on the other, which
// has lost nothing since, are left alone.
func TestATornDirectoryCountsForItself(t *testing.T) {
	w := newWorld(t)
	w.boot = ident.BootID{1}
	settings := []string{"log.dirs=/a,/b", "num.partitions=2", "default.replication.factor=1"}
	b := w.start(settings...)
	client := w.client(b, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err := w.produce(client, 0, 20); err != nil {
		t.Fatal(err)
	}
	epochs := func() (epochs [2]record.Epoch) {
		for n, p := range b.feed.Current().Topic("t").Partitions() {
			epochs[n] = p.LeaderEpoch
		}
		return epochs
	}
	onB := int32(-1)
	for n := range int32(2) {
		if l := b.store.Log(ident.TopicPartition{Topic: "t", Partition: n}); l.Directory().Path() == "/b" {
			onB = n
		}
	}
	if onB < 0 {
		t.Fatal("no partition is in /b")
	}
	before := epochs()
	client.Close()
	w.store.Cut()

	var broken atomic.Bool
	broken.Store(true)
	w.disk, w.boot = w.disk.Crash(1), ident.BootID{2}
	b = w.startOn(vfs.WithFaults(w.disk, func(op vfs.Op) error {
		if broken.Load() && (op.Path == "/b" || strings.HasPrefix(op.Path, "/b/")) {
			return errors.New("no such disk")
		}
		return nil
	}), settings...)
	between := epochs()
	if between[1-onB] != before[1-onB]+1 {
		t.Errorf("what is in /a has leader epoch %d, it was %d before the crash", between[1-onB], before[1-onB])
	}
	var served atomic.Bool // what the torn directory holds was led before the cluster knew
	watch, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for watch.Err() == nil {
			if p, err := b.partitions.Get("t", onB); err == nil {
				if _, leads := p.IsLeader(); leads && b.store.Log(ident.TopicPartition{Topic: "t", Partition: onB}).Directory().Torn() {
					served.Store(true)
				}
			}
			pause(watch, time.Millisecond)
		}
	}()
	broken.Store(false)
	await(t, "the partition in /b is led again", func() bool {
		p, err := b.partitions.Get("t", onB)
		if err != nil {
			return false
		}
		_, leads := p.IsLeader()
		return leads && len(tornDirs(b.store.Dirs())) == 0 && !b.feed.Current().Broker(b.ID()).Torn
	})
	after := epochs()
	if after[onB] <= before[onB] {
		t.Errorf("what is in /b goes on in leader epoch %d, it was %d before the crash", after[onB], before[onB])
	}
	if after[1-onB] != between[1-onB] {
		t.Errorf("what is in /a has leader epoch %d, it was %d before /b came back", after[1-onB], between[1-onB])
	}
	if served.Load() {
		t.Error("a torn directory's partition was led before the cluster knew that it is torn")
	}
	if err := w.produce(w.client(b, kgo.RecordPartitioner(kgo.RoundRobinPartitioner())), 20, 40); err != nil {
		t.Fatal(err)
	}
}

// A machine goes down, and another one with it that does not come back. The stores were asked about a partition of both before
// this broker was registered again. It tells what its copy holds, and serves what else there is: the other one may never come.
func TestATornBrokerServesWhileAnotherIsAwaited(t *testing.T) {
	w := newWorld(t)
	w.boot = ident.BootID{1}
	settings := []string{"num.partitions=2", "default.replication.factor=1"}
	b := w.start(settings...)
	client := w.client(b, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err := w.produce(client, 0, 20); err != nil {
		t.Fatal(err)
	}
	topic := b.feed.Current().Topic("t")
	asked := *topic.Partition(0)
	client.Close()
	w.store.Cut()
	w.disk, w.boot = w.disk.Crash(1), ident.BootID{2}

	away := metadata.Member{Broker: b.ID() + 1, Store: ident.StoreID{7}}
	asked.Replicas = append(slices.Clone(asked.Replicas), away.Broker)
	asked.ISR = append(slices.Clone(asked.ISR), away)
	asked.Leader, asked.Inquiry = ident.NoBroker, metadata.InquiryTorn
	asked.LeaderEpoch++
	asked.Epoch++
	if _, err := w.memory.Open(memstore.Faults{}).Txn(t.Context(), metadata.Txn{Then: []metadata.Op{
		metadata.Put(metadata.PartitionKey(topic.ID, 0), metadata.EncodePartition(&asked)),
		metadata.Put(metadata.MemberKey(away.Broker), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{away.Store}})),
	}}); err != nil {
		t.Fatal(err)
	}

	b = w.start(settings...)
	await(t, "the directory is no longer torn, and the registration says so", func() bool {
		return len(tornDirs(b.store.Dirs())) == 0 && !b.feed.Current().Broker(b.ID()).Torn
	})
	if p := b.feed.Current().Topic("t").Partition(0); p.Inquiry != metadata.InquiryTorn || p.Leader != ident.NoBroker {
		t.Errorf("the partition that waits for another broker is led by %d, inquiry %v", p.Leader, p.Inquiry)
	}
	other := &kgo.Record{Partition: 1, Value: []byte("it goes on")}
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	if err := w.client(b, kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(ctx, other).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// startOn starts a broker on a view of the world's disk.
func (w *world) startOn(fs vfs.FS, settings ...string) *Broker {
	w.t.Helper()
	c, _, err := config.Load(config.Sources{Overrides: append([]string{
		"listeners=PLAINTEXT://127.0.0.1:0", "http.listener=127.0.0.1:0", "group.initial.rebalance.delay.ms=0",
	}, settings...)})
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := Start(w.t.Context(), Options{
		Config: c, FS: fs, Logger: slog.New(slog.DiscardHandler), Version: "test", Boot: w.boot,
		OpenMetadata: func(context.Context) (metadata.Store, error) {
			w.store = w.memory.Open(w.faults)
			return w.store, nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { b.Stop(context.Background()) })
	return b
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !so() {
		if pause(ctx, time.Millisecond); ctx.Err() != nil {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
