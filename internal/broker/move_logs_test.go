package broker

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/metadata"
)

// A replica is moved to and fro between the broker's log directories while it is written to, and once more over a restart: nothing is
// lost, doubled or out of order, and the in-sync set names the store on which it is.
func TestAReplicaIsMovedWhileItIsWrittenTo(t *testing.T) {
	w := newWorld(t)
	settings := []string{"log.dirs=/a,/b", "num.partitions=1", "default.replication.factor=1"}
	b := w.start(settings...)
	client := w.client(b, kgo.ProducerBatchCompression(kgo.NoCompression()))
	for n := range 3 { // more than is copied at a time
		large := &kgo.Record{Key: bytes.Repeat([]byte("k"), 900_000), Value: []byte(strconv.Itoa(n))}
		if err := client.ProduceSync(t.Context(), large).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.produce(client, 3, 100); err != nil {
		t.Fatal(err)
	}
	var written atomic.Int64
	written.Store(100)
	writing, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for n := written.Load(); writing.Err() == nil; n++ {
			if err := client.ProduceSync(t.Context(), kgo.StringRecord(strconv.FormatInt(n, 10))).FirstErr(); err != nil {
				ended <- err
				return
			}
			written.Store(n + 1)
		}
		ended <- nil
	}()
	for _, dir := range []string{"/b", "/a", "/b"} {
		moveTo(t, client, dir)
		await(t, "the replica is in "+dir, func() bool { return isMoved(t, b, client, dir) })
		at := written.Load()
		await(t, "more is written", func() bool { return written.Load() > at+10 })
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	// So slow that the process ends before the move does.
	slow := kadm.AlterConfig{Name: alterDirsRate, Value: kadm.StringPtr("1")}
	if _, err := kadm.NewClient(client).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{slow}, int32(b.ID())); err != nil {
		t.Fatal(err)
	}
	await(t, "the limit counts", func() bool {
		return b.feed.Current().Config(metadata.Resource{Type: metadata.BrokerResource, Name: fmt.Sprint(int32(b.ID()))})[alterDirsRate] == "1"
	})
	if err := b.feed.Await(t.Context(), b.feed.Current().Revision()); err != nil { // whoever subscribes hears of it a moment later
		t.Fatal(err)
	}
	moveTo(t, client, "/a")
	dirs, err := kadm.NewClient(client).DescribeBrokerLogDirs(t.Context(), int32(b.ID()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := dirs["/a"].Topics.Lookup("t", 0); !ok || !p.IsFuture || p.OffsetLag <= 0 {
		t.Errorf("the future replica is shown as %+v, %v", p, ok)
	}
	if p, ok := dirs["/b"].Topics.Lookup("t", 0); !ok || p.IsFuture {
		t.Errorf("the replica is shown as %+v, %v", p, ok)
	}
	w.store.Cut()
	w.disk = w.disk.Restart()
	b = w.start(settings...)
	client = w.client(b)
	fast := kadm.AlterConfig{Op: kadm.DeleteConfig, Name: alterDirsRate}
	if _, err := kadm.NewClient(client).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{fast}, int32(b.ID())); err != nil {
		t.Fatal(err)
	}
	await(t, "the move has been gone on with", func() bool { return isMoved(t, b, client, "/a") })
	count := int(written.Load())
	for n, value := range w.consume(b, count) {
		if value != strconv.Itoa(n) {
			t.Fatalf("record %d of %d is %q", n, count, value)
		}
	}
}

func moveTo(t *testing.T, client *kgo.Client, dir string) {
	t.Helper()
	r := kmsg.NewPtrAlterReplicaLogDirsRequest()
	topic := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	topic.Topic, topic.Partitions = "t", []int32{0}
	d := kmsg.NewAlterReplicaLogDirsRequestDir()
	d.Dir, d.Topics = dir, append(d.Topics, topic)
	r.Dirs = append(r.Dirs, d)
	answer, err := r.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if code := answer.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("error %d", code)
	}
}

// isMoved tells whether the replica is in a directory, nowhere else, and named there by the in-sync set.
func isMoved(t *testing.T, b *Broker, client *kgo.Client, dir string) bool {
	t.Helper()
	dirs, err := kadm.NewClient(client).DescribeBrokerLogDirs(t.Context(), int32(b.ID()), nil)
	if err != nil {
		t.Fatal(err)
	}
	in := 0
	for _, d := range dirs {
		if p, ok := d.Topics.Lookup("t", 0); ok {
			if in++; d.Dir != dir || p.IsFuture {
				return false
			}
		}
	}
	isr := b.feed.Current().Topic("t").Partition(0).ISR
	return in == 1 && isr[0].Store == b.store.DirectoryAt(dir).ID()
}
