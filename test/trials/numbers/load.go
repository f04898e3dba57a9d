// Package numbers makes loads of numbered records and finds out what became of them: which of those that were
// acknowledged are lost, which are there twice or out of order, and how long nothing was acknowledged.
//
// A Load has one goroutine of its own, which ends with Finish. Everything else happens in the caller's goroutine and
// in franz-go's.
package numbers

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options say what a load is.
type Options struct {
	Target     Target
	Topic      string
	Partitions int32
	// Rate is in records a second.
	Rate int
	// Size is that of a record's value in bytes, eight at least.
	Size int
	// MaxBuffered bounds the records that wait to be acknowledged; what is offered beyond is refused. 0 stands for what
	// Java's buffer.memory of 32 MiB holds.
	MaxBuffered int
	// Notice, if given, is told of every time without an acknowledgement of a partition that was longer than NoticeAbove.
	Notice      func(partition int32, from, to time.Time)
	NoticeAbove time.Duration
	// Log, if given, takes what the client says of all it does.
	Log io.Writer
}

// Load produces numbered records at a steady rate, idempotently and with acks=all, in turn to every partition.
type Load struct {
	options Options
	client  *kgo.Client
	cancel  context.CancelFunc
	ended   chan struct{}

	mu     sync.Mutex
	sent   *Sent // guarded by mu
	counts []int // acknowledged of each partition; guarded by mu
	stalls stalls
}

// Sent is what was offered and what of it was acknowledged.
type Sent struct {
	// Places has one entry for each number: where its producer was told that it is.
	Places []Place
	Acked  int
	// Refused counts the numbers that their producer was told are not stored, by what it was told.
	Refused map[string]int
}

// Place is a partition and an offset; the offset is -1 while none is acknowledged.
type Place struct {
	Partition int32
	Offset    int64
}

// Start begins to produce.
func Start(o Options) (*Load, error) {
	if o.MaxBuffered == 0 {
		o.MaxBuffered = 32 << 20 / max(o.Size, 1)
	}
	settings := []kgo.Opt{kgo.DefaultProduceTopic(o.Topic), kgo.ProducerLinger(time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(o.MaxBuffered)}
	if o.Log != nil {
		settings = append(settings, kgo.WithLogger(kgo.BasicLogger(o.Log, kgo.LogLevelDebug, func() string {
			return time.Now().UTC().Format("15:04:05.000000 ")
		})))
	}
	client, err := o.Target.Client(settings...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{
		options: o, client: client, cancel: cancel, ended: make(chan struct{}),
		counts: make([]int, o.Partitions), sent: &Sent{Refused: map[string]int{}}, stalls: newStalls(o.Partitions, time.Now()),
	}
	go l.run(ctx)
	return l, nil
}

// Target is a cluster as clients see it.
type Target struct {
	// Bootstrap are the addresses, host:port, that clients begin with.
	Bootstrap []string
	// Dial is how they connect, nil for the usual way.
	Dial Dial
	// Options are what every client needs beside.
	Options []kgo.Opt
}

// dialTimeout is how long a connection may take.
const dialTimeout = time.Second

// Client is one that notices changes of the cluster as soon as it can: it asks again after 10 ms, and gives
// up on a broker that has vanished after two seconds. The connection of a process that is killed right after it has
// taken it ends before the first answer; that is tried again too.
func (t Target) Client(options ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{
		kgo.SeedBrokers(t.Bootstrap...), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
		kgo.Dialer(newMemory(t.Dial).connect), kgo.RequestTimeoutOverhead(time.Second), kgo.ProduceRequestTimeout(time.Second),
		kgo.RecordRetries(1 << 30), kgo.UnknownTopicRetries(-1), kgo.RetryTimeout(time.Minute),
	}, t.Options, options)...)
	if err != nil {
		return nil, fmt.Errorf("client of %v: %w", t.Bootstrap, err)
	}
	return client, nil
}

// tick is how often the load catches up with its rate.
const tick = 2 * time.Millisecond

func (l *Load) run(ctx context.Context) {
	defer close(l.ended)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	next := 0
	began := time.Now()
	for previous := began; ctx.Err() == nil; {
		now := time.Now()
		l.paused(now.Sub(previous))
		previous = now
		for due := int(now.Sub(began).Seconds() * float64(l.options.Rate)); next < due; next++ {
			l.offer(next)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// paused notes how long the load itself did not run, for want of a processor.
func (l *Load) paused(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalls.own = max(l.stalls.own, d)
}

func (l *Load) offer(n int) {
	value := make([]byte, max(l.options.Size, 8))
	binary.BigEndian.PutUint64(value, uint64(n))
	record := &kgo.Record{Value: value, Partition: int32(n) % l.options.Partitions}
	l.mu.Lock()
	l.sent.Places = append(l.sent.Places, Place{record.Partition, -1})
	l.mu.Unlock()
	l.client.TryProduce(context.Background(), record, func(r *kgo.Record, err error) { l.outcome(n, r, err) })
}

func (l *Load) outcome(n int, r *kgo.Record, err error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.sent.Refused[err.Error()]++
		return
	}
	l.sent.Places[n].Offset = r.Offset
	l.sent.Acked++
	l.counts[r.Partition]++
	if from := l.stalls.lastOf[r.Partition]; l.options.Notice != nil && now.Sub(from) > l.options.NoticeAbove {
		l.options.Notice(r.Partition, from, now)
	}
	l.stalls.acknowledged(r.Partition, now)
}

// Acked counts the records acknowledged so far.
func (l *Load) Acked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent.Acked
}

// Counts are the records acknowledged so far in each partition.
func (l *Load) Counts() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.counts)
}

// Mark begins to measure anew what Stalls tells.
func (l *Load) Mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalls.mark()
}

// Stalls are the longest since Mark, and those that last still.
func (l *Load) Stalls() Stalls {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stalls.until(time.Now())
}

// Finish ends the load, waits until ctx ends for what is not acknowledged yet, and returns what was sent. What still
// waits then counts as refused.
func (l *Load) Finish(ctx context.Context) *Sent {
	l.cancel()
	<-l.ended
	flushed := l.client.Flush(ctx)
	if flushed != nil {
		bound, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		l.client.AbortBufferedRecords(bound) // of which some may be on their way for ever
		cancel()
	}
	l.client.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// NotAcked counts the numbers that were offered and not acknowledged.
func (s *Sent) NotAcked() int { return len(s.Places) - s.Acked }
