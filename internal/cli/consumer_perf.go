package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumerPerf is one run of kafka-consumer-perf-test.
type consumerPerf struct {
	env        *Env
	topic      string
	include    string // a regular expression of topics, when topic is ""
	records    int64  // how many to read
	idle       time.Duration
	interval   time.Duration
	detailed   bool
	hideHeader bool
	metrics    bool
	dates      dateFormat

	joins joinClock
	bar   *progress
	read  perfCount // records and bytes so far

	// The last report.
	reported   perfCount
	reportedMs int64
}

// joinClock adds up the time without partitions, in milliseconds.
type joinClock struct {
	mu    sync.Mutex // guards all below
	since time.Time
	total int64
	round int64 // since the last report
}

func (j *joinClock) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.since = time.Now()
}

func (j *joinClock) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	took := time.Since(j.since).Milliseconds()
	j.total += took
	j.round += took
}

// takeRound returns the time since the last call.
func (j *joinClock) takeRound() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	round := j.round
	j.round = 0
	return round
}

func (j *joinClock) sum() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.total
}

const perfColumns = "data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, " +
	"rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"

func (r *consumerPerf) header() string {
	if r.detailed {
		return "time, threadId, " + perfColumns
	}
	return "start.time, end.time, " + perfColumns
}

func (r *consumerPerf) run(ctx context.Context, to target) error {
	if !r.hideHeader {
		r.env.printf("%s\n", r.header())
	}
	opts := r.options(to)
	metrics := newClientMetrics()
	if r.metrics {
		opts = append(opts, kgo.WithHooks(metrics))
	}
	c, err := r.env.connect(ctx, to, opts...)
	if err != nil {
		return err
	}
	began := time.Now()
	r.joins.begin()
	err = r.consume(ctx, c)
	ended := time.Now()
	r.leave(c)
	if err != nil {
		return err
	}
	if !r.detailed {
		r.say(r.summary(began.UnixMilli(), ended.UnixMilli()))
	}
	if r.metrics {
		metrics.print(r.env, "consumer", c.props["client.id"])
	}
	return afterSignal(ctx)
}

func (r *consumerPerf) options(to target) []kgo.Opt {
	reset := kgo.NewOffset().AtStart()
	if to.overrides["auto.offset.reset"] == "latest" {
		reset = kgo.NewOffset().AtEnd()
	}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(to.overrides["group.id"]), kgo.ConsumeStartOffset(reset), kgo.ConsumeResetOffset(reset),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { r.joins.end() }),
		kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { r.joins.begin() }),
	}
	if r.topic != "" {
		return append(opts, kgo.ConsumeTopics(r.topic), kgo.AllowAutoTopicCreation())
	}
	return append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+r.include+")$"))
}

// perfPoll is how long one poll waits.
const perfPoll = 100 * time.Millisecond

// consume reads until there are enough records, none came for too long, or the context ends.
func (r *consumerPerf) consume(ctx context.Context, c *client) error {
	r.bar = r.env.progress(r.records)
	defer r.bar.clear()
	last := time.Now()
	r.reportedMs = last.UnixMilli()
	for now := last; r.read.records < r.records && now.Sub(last) <= r.idle && ctx.Err() == nil; now = time.Now() {
		fetches, err := r.poll(ctx, c)
		if err != nil {
			return err
		}
		now = time.Now()
		if fetches.NumRecords() > 0 {
			last = now
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			record := iter.Next()
			r.read.add(0, len(record.Key)+len(record.Value))
			if ms := now.UnixMilli(); ms-r.reportedMs >= r.interval.Milliseconds() {
				r.reportWindow(ms)
			}
		}
		r.bar.at(r.read.records)
	}
	if r.read.records < r.records && ctx.Err() == nil {
		r.say(fmt.Sprintf("WARNING: Exiting before consuming the expected number of records: timeout (%d ms) exceeded. "+
			"You can use the --timeout option to increase the timeout.", r.idle.Milliseconds()))
	}
	return nil
}

func (r *consumerPerf) poll(ctx context.Context, c *client) (kgo.Fetches, error) {
	waiting, cancel := context.WithTimeout(ctx, perfPoll)
	defer cancel()
	fetches := c.PollRecords(waiting, pollRecords)
	if fetches.NumRecords() > 0 || waiting.Err() != nil {
		return fetches, nil
	}
	return fetches, fetches.Err()
}

// leave commits what was read, as a Java consumer does that is closed, and leaves the group.
func (r *consumerPerf) leave(c *client) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if c.props["enable.auto.commit"] != "false" {
		if err := c.CommitUncommittedOffsets(ctx); err != nil {
			r.env.warnf("Offsets were not committed: %s\n", errorText(err))
		}
	}
	_ = c.LeaveGroupContext(ctx) // the session timeout does it otherwise
	c.CloseAllowingRebalance()
}

// say prints a line in the place of the progress bar.
func (r *consumerPerf) say(line string) {
	r.bar.clear()
	r.env.printf("%s\n", line)
}

const megabyte = 1024 * 1024

// reportWindow shows what came since the last report.
func (r *consumerPerf) reportWindow(nowMs int64) {
	joined := r.joins.takeRound()
	if r.detailed {
		r.say(r.windowLine(nowMs, joined))
	}
	r.reported, r.reportedMs = r.read, nowMs
}

func (r *consumerPerf) windowLine(nowMs, joined int64) string {
	elapsed := float64(nowMs - r.reportedMs)
	megabytes := float64(r.read.bytes-r.reported.bytes) / megabyte
	records := float64(r.read.records - r.reported.records)
	fetching := nowMs - r.reportedMs - joined
	fetchedMB, fetched := 0.0, 0.0
	if fetching > 0 {
		fetchedMB, fetched = 1000*megabytes/float64(fetching), 1000*records/float64(fetching)
	}
	return fmt.Sprintf("%s, %d, %s, %s, %d, %s, %d, %d, %s, %s", r.dates.format(nowMs), 0,
		fixed(float64(r.read.bytes)/megabyte, 4), fixed(1000*megabytes/elapsed, 4), r.read.records,
		fixed(1000*records/elapsed, 4), joined, fetching, fixed(fetchedMB, 4), fixed(fetched, 4))
}

func (r *consumerPerf) summary(beganMs, endedMs int64) string {
	seconds := float64(endedMs-beganMs) / 1000
	joined := r.joins.sum()
	fetching := endedMs - beganMs - joined
	megabytes, records := float64(r.read.bytes)/megabyte, float64(r.read.records)
	return fmt.Sprintf("%s, %s, %s, %s, %d, %s, %d, %d, %s, %s", r.dates.format(beganMs), r.dates.format(endedMs),
		fixed(megabytes, 4), fixed(megabytes/seconds, 4), r.read.records, fixed(records/seconds, 4),
		joined, fetching, fixed(megabytes/(float64(fetching)/1000), 4), fixed(records/(float64(fetching)/1000), 4))
}

func perfGroup() string { return fmt.Sprintf("perf-consumer-%d", rand.IntN(100_000)) }
