package robustness

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// load is an idempotent producer with acks=all that numbers its records and remembers where each was acknowledged to be.
type load struct {
	topic  string
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	acked  atomic.Int64
	moved  chan struct{} // one place: a record was acknowledged

	mu      sync.Mutex
	offsets map[int]int64 // by number; guarded by mu
	failure error         // guarded by mu
}

// unacknowledged bounds the records of a load that are under way.
const unacknowledged = 500

func startLoad(t *testing.T, b *broker, topic string) *load {
	t.Helper()
	client, err := b.client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(unacknowledged),
		kgo.RecordRetries(1<<30), kgo.UnknownTopicRetries(-1), kgo.RetryTimeout(time.Minute),
		kgo.DialTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{topic: topic, client: client, cancel: cancel, done: make(chan struct{}),
		moved: make(chan struct{}, 1), offsets: map[int]int64{}}
	t.Cleanup(l.stop)
	go func() {
		defer close(l.done)
		for n := 0; ctx.Err() == nil; n++ {
			client.Produce(ctx, kgo.StringRecord(strconv.Itoa(n)), func(r *kgo.Record, err error) { l.outcome(n, r, err) })
		}
	}()
	return l
}

func (l *load) outcome(n int, r *kgo.Record, err error) {
	l.mu.Lock()
	switch {
	case err == nil:
		l.offsets[n] = r.Offset
	case !errors.Is(err, context.Canceled) && !errors.Is(err, kgo.ErrClientClosed):
		l.failure = errors.Join(l.failure, fmt.Errorf("record %d: %w", n, err))
	}
	l.mu.Unlock()
	if err != nil {
		return
	}
	l.acked.Add(1)
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// await waits for so many more acknowledgements.
func (l *load) await(t *testing.T, more int64) {
	t.Helper()
	target := l.acked.Load() + more
	deadline := time.After(patience)
	for l.acked.Load() < target {
		select {
		case <-l.moved:
		case <-deadline:
			t.Fatalf("%d of %d records were acknowledged within %s", l.acked.Load(), target, patience)
		}
	}
}

// stop ends the load: what is not acknowledged by now may be in the log or not.
func (l *load) stop() {
	l.cancel()
	<-l.done
	l.client.Close()
}

// verify reads the topic: every acknowledged record is there, where its producer was told, once and in order.
func (l *load) verify(t *testing.T, b *broker) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		t.Errorf("the producer was told of failures: %v", l.failure)
	}
	found, previous, next := map[int]bool{}, -1, int64(0)
	for _, r := range readAll(t, b, l.topic) {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			t.Fatalf("offset %d holds %q", r.Offset, r.Value)
		}
		switch offset, acknowledged := l.offsets[n]; {
		case r.Offset != next:
			t.Fatalf("offset %d follows %d", r.Offset, next-1)
		case found[n]:
			t.Fatalf("record %d is there twice, again at offset %d", n, r.Offset)
		case n < previous:
			t.Fatalf("record %d comes after %d", n, previous)
		case acknowledged && offset != r.Offset:
			t.Fatalf("record %d is at offset %d; its producer was told %d", n, r.Offset, offset)
		}
		found[n], previous, next = true, n, r.Offset+1
	}
	for n, offset := range l.offsets {
		if !found[n] {
			t.Fatalf("record %d was acknowledged at offset %d and is gone", n, offset)
		}
	}
	t.Logf("%d records acknowledged, %d found", len(l.offsets), len(found))
}

// readAll reads partition 0 of a topic as a real client does.
func readAll(t *testing.T, b *broker, topic string) []*kgo.Record {
	t.Helper()
	end := b.endOf(t, topic)
	client, err := b.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var records []*kgo.Record
	for int64(len(records)) < end {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(records), end, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}
