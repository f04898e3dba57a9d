package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "numbers"
	partitions = 12
	perSecond  = 2000
	recordSize = 1024
)

// load produces numbered records at a steady rate, idempotently and with acks=all, and notes when each was acknowledged.
type load struct {
	client *kgo.Client
	stop   context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	sent   uint64
	acked  map[uint64]bool
	last   [partitions]time.Time // of each partition's last acknowledgement
	pause  time.Duration         // the longest between two of one partition since mark
	paused pausedPartition       // whose it was
	failed []error
}

func newClient(t *testing.T, c *cluster, options ...kgo.Opt) *kgo.Client {
	// A process that is killed right after it has taken a connection ends it before the first answer.
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(c.addresses()...), kgo.AlwaysRetryEOF(),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
		kgo.MetadataMinAge(10*time.Millisecond),
		kgo.UnknownTopicRetries(-1))...) // a broker hears of a new topic a moment later than the one that was asked to make it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func startLoad(t *testing.T, c *cluster) *load {
	ctx, stop := context.WithCancel(t.Context())
	l := &load{
		stop: stop, ended: make(chan struct{}), acked: map[uint64]bool{},
		client: newClient(t, c, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(time.Millisecond),
			kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(perSecond)), // a machine that can't keep up is not asked for more
	}
	go l.run(ctx)
	return l
}

func (l *load) run(ctx context.Context) {
	defer close(l.ended)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ctx.Err() == nil; {
		due := uint64(time.Since(began).Seconds() * perSecond)
		for ; l.sent < due && ctx.Err() == nil; l.sent++ {
			l.produce(l.sent)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (l *load) produce(n uint64) {
	value := make([]byte, recordSize)
	binary.BigEndian.PutUint64(value, n)
	l.client.Produce(context.Background(), &kgo.Record{Value: value}, func(r *kgo.Record, err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.failed = append(l.failed, err)
			return
		}
		l.acked[n] = true
		now := time.Now()
		if last := &l.last[r.Partition]; !last.IsZero() && now.Sub(*last) > l.pause {
			l.pause, l.paused = now.Sub(*last), pausedPartition{r.Partition, *last}
		}
		l.last[r.Partition] = now
	})
}

// pausedPartition is which partition paused, and since when.
type pausedPartition struct {
	number int32
	since  time.Time
}

// where says which partition paused longest, and how long after the event that was.
func (l *load) where(event time.Time) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("partition %d, from %s after", l.paused.number, l.paused.since.Sub(event).Round(time.Millisecond))
}

// mark begins to measure the longest pause between acknowledgements of one partition.
func (l *load) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pause = 0
}

func (l *load) longestPause() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pause
}

// count is how many records are acknowledged.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// finish ends the load and returns what was acknowledged.
func (l *load) finish(t *testing.T) map[uint64]bool {
	l.stop()
	<-l.ended
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.client.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if len(l.failed) > 0 {
		t.Errorf("%d records refused, the first: %v", len(l.failed), l.failed[0])
	}
	return l.acked
}

// check reads everything and compares it with what was acknowledged: nothing lost, nothing twice, nothing out of order.
func check(t *testing.T, c *cluster, acked map[uint64]bool) {
	t.Helper()
	client := newClient(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var ends kadm.ListedOffsets
	c.await("the ends of the partitions", func() (ok bool) {
		var err error
		ends, err = kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
		return err == nil && ends.Error() == nil
	})
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := map[uint64]int{}
	newest := map[int32]uint64{}
	for left > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			n := binary.BigEndian.Uint64(r.Value)
			if before, ok := newest[r.Partition]; ok && n <= before && seen[n] == 0 {
				t.Errorf("partition %d has %d after %d", r.Partition, n, before)
			}
			newest[r.Partition] = n
			seen[n]++
			left--
		})
	}
	lost, twice := 0, 0
	for n := range acked {
		if seen[n] == 0 {
			lost++
		}
	}
	for _, times := range seen {
		if times > 1 {
			twice++
		}
	}
	if left > 0 || lost > 0 || twice > 0 {
		t.Errorf("%d acknowledged, %d lost, %d more than once, %d not read", len(acked), lost, twice, left)
	}
}
