package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// producerPerf is one run of kafka-producer-perf-test.
type producerPerf struct {
	env         *Env
	topic       string
	records     int64
	warmup      int64 // of the records
	perSecond   float64
	interval    time.Duration
	metrics     bool
	transaction time.Duration // 0: none

	// One of these makes the payload of a record.
	size     int // random letters
	payloads [][]byte
	numbers  bool

	random *rand.Rand
	pool   sync.Pool // of *kgo.Record that have been acknowledged, with their values
	bar    *progress

	mu     sync.Mutex // guards the counts; taken once for each record and by nobody else
	stats  *perfStats
	steady *perfStats // nil until the warm-up is over, or without one
	failed int64
}

// maxPerfRecords bounds the records in flight; buffer.memory is reached first unless they are tiny.
const maxPerfRecords = 1 << 20

// runProducerPerf is kafka-producer-perf-test.
func runProducerPerf(ctx context.Context, env *Env, args []string) error {
	o := newProducerPerfOptions()
	if err := env.parseArguments(o.p, args, true); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return env.misused(err)
	}
	r, to, err := o.run(env)
	if err != nil {
		return err
	}
	return r.run(ctx, to)
}

func (r *producerPerf) run(ctx context.Context, to target) error {
	opts := []kgo.Opt{kgo.AllowAutoTopicCreation(), kgo.MaxBufferedRecords(maxPerfRecords), kgo.DefaultProduceTopic(r.topic)}
	var metrics *clientMetrics
	if r.metrics {
		metrics = newClientMetrics()
		opts = append(opts, kgo.WithHooks(metrics))
	}
	c, err := r.env.connect(ctx, to, opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := (&producing{env: r.env, topic: r.topic}).awaitTopic(ctx, c); err != nil {
		return fmt.Errorf("%s: %s", javaClass(err), errorText(err))
	}
	if r.warmup > 0 {
		r.say(fmt.Sprintf("Warmup first %d records. Steady state results will print after the complete test summary.", r.warmup))
	}
	r.random = rand.New(rand.NewPCG(0, 0))
	r.bar = r.env.progress(r.records)
	r.stats = newPerfStats(r.records, r.interval, r.say)
	if err := r.sendAll(ctx, c); err != nil {
		r.bar.clear()
		return err
	}
	r.bar.clear()
	now := time.Now()
	r.say(r.stats.totalLine(now))
	if r.steady != nil {
		r.say(r.steady.totalLine(now))
	}
	if metrics != nil {
		metrics.print(r.env, "producer", c.props["client.id"])
	}
	if r.failed > 0 {
		return fmt.Errorf("%d records were not sent", r.failed)
	}
	return afterSignal(ctx)
}

// say prints a line in the place of the progress bar.
func (r *producerPerf) say(line string) {
	r.bar.clear()
	r.env.printf("%s\n", line)
}

// sendAll sends the records, or as many as the context allows, and waits for their outcome.
func (r *producerPerf) sendAll(ctx context.Context, c *client) error {
	sending := context.WithoutCancel(ctx)
	limit := newThrottle(r.perSecond)
	var began time.Time // of the transaction; zero outside of one
	for n := int64(0); n < r.records && ctx.Err() == nil; n++ {
		if r.transaction > 0 && began.IsZero() {
			if err := c.BeginTransaction(); err != nil {
				return err
			}
			began = time.Now()
		}
		if n == r.warmup && r.warmup > 0 {
			r.endWarmup()
		}
		sent := r.send(sending, c, n)
		if r.transaction > 0 && sent.Sub(began) >= r.transaction {
			if err := commitTransaction(sending, c); err != nil {
				return err
			}
			began = time.Time{}
		}
		r.bar.at(n)
		limit.after(ctx, n+1)
	}
	if !began.IsZero() {
		return commitTransaction(sending, c)
	}
	return c.Flush(sending)
}

func commitTransaction(ctx context.Context, c *client) error {
	if err := c.Flush(ctx); err != nil {
		return err
	}
	return c.EndTransaction(ctx, kgo.TryCommit)
}

func (r *producerPerf) endWarmup() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steady = newPerfStats(r.records-r.warmup, r.interval, r.say)
	r.steady.steady = true
	r.stats.silent = true
}

// send sends the nth record and returns when that began. It waits while the buffer is full, which
// counts as latency.
func (r *producerPerf) send(ctx context.Context, c *client, n int64) time.Time {
	record, _ := r.pool.Get().(*kgo.Record)
	if record == nil {
		record = new(kgo.Record)
	}
	*record = kgo.Record{Value: r.payload(record.Value[:0], n)}
	began := time.Now()
	warm := n < r.warmup
	c.Produce(ctx, record, func(record *kgo.Record, err error) {
		now := time.Now()
		r.mu.Lock()
		switch {
		case err != nil:
			r.fail(err)
		default:
			r.stats.record(now, now.Sub(began), len(record.Value))
			if r.steady != nil && !warm {
				r.steady.record(now, now.Sub(began), len(record.Value))
			}
		}
		r.mu.Unlock()
		r.pool.Put(record)
	})
	return began
}

// shownFailures bounds how many errors of single records are printed.
const shownFailures = 10

func (r *producerPerf) fail(err error) {
	r.failed++
	if r.failed <= shownFailures && !errors.Is(err, context.Canceled) {
		r.bar.clear()
		r.env.warnf("%s: %s\n", javaClass(err), errorText(err))
	}
}

// payload makes the nth record's value in buf.
func (r *producerPerf) payload(buf []byte, n int64) []byte {
	switch {
	case len(r.payloads) > 0:
		return append(buf, r.payloads[r.random.IntN(len(r.payloads))]...)
	case r.numbers:
		return strconv.AppendInt(buf, n, 10)
	}
	for len(buf) < r.size {
		for word := r.random.Uint64(); word != 0 && len(buf) < r.size; word >>= 8 {
			buf = append(buf, 'A'+byte((word&0xff)*26>>8))
		}
	}
	return buf
}
