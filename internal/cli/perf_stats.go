package cli

import (
	"fmt"
	"slices"
	"time"
)

// maxSamples bounds how many latencies a run of kafka-producer-perf-test remembers: of more records
// than that every nth is taken.
const maxSamples = 500_000

// perfStats is the count of kafka-producer-perf-test: of the whole run, and of the time since the
// last report. Latencies are in milliseconds. Its methods are called by one goroutine at a time.
type perfStats struct {
	steady   bool // counts only what follows the warm-up
	silent   bool // reports no windows
	interval time.Duration
	began    time.Time
	sampling int64
	samples  []int32
	total    perfCount
	window   perfCount
	since    time.Time // the window's beginning
	report   func(line string)
}

type perfCount struct{ records, bytes, latency, max int64 }

func (c *perfCount) add(latency int64, bytes int) {
	c.records++
	c.bytes += int64(bytes)
	c.latency += latency
	c.max = max(c.max, latency)
}

// newPerfStats counts a run of so many records; report gets a line every interval.
func newPerfStats(records int64, interval time.Duration, report func(line string)) *perfStats {
	now := time.Now()
	return &perfStats{
		interval: interval, began: now, since: now, report: report,
		sampling: max(records/min(max(records, 1), maxSamples), 1),
	}
}

// record notes an acknowledged record.
func (s *perfStats) record(now time.Time, latency time.Duration, bytes int) {
	ms := latency.Milliseconds()
	if s.total.records%s.sampling == 0 {
		s.samples = append(s.samples, int32(ms))
	}
	s.total.add(ms, bytes)
	s.window.add(ms, bytes)
	if now.Sub(s.since) < s.interval {
		return
	}
	if s.steady && !s.silent {
		s.report("In steady state.")
	}
	if !s.silent {
		s.report(s.windowLine(now))
	}
	s.window, s.since = perfCount{}, now
}

func (c perfCount) rates(elapsed time.Duration) (records, megabytes float64) {
	ms := float64(elapsed.Milliseconds())
	return 1000 * float64(c.records) / ms, 1000 * float64(c.bytes) / ms / (1024 * 1024)
}

func (c perfCount) mean() float64 { return float64(c.latency) / float64(c.records) }

func (s *perfStats) windowLine(now time.Time) string {
	records, megabytes := s.window.rates(now.Sub(s.since))
	return fmt.Sprintf("%d records sent, %s records/sec (%s MB/sec), %s ms avg latency, %s ms max latency.",
		s.window.records, fixed(records, 1), fixed(megabytes, 2), fixed(s.window.mean(), 1), fixed(float64(s.window.max), 1))
}

// totalLine sums the run up. It sorts the samples, so it comes last.
func (s *perfStats) totalLine(now time.Time) string {
	records, megabytes := s.total.rates(now.Sub(s.began))
	label := ""
	if s.steady {
		label = " steady state"
	}
	slices.Sort(s.samples)
	return fmt.Sprintf("%d%s records sent, %s records/sec (%s MB/sec), %s ms avg latency, %s ms max latency, "+
		"%d ms 50th, %d ms 95th, %d ms 99th, %d ms 99.9th.",
		s.total.records, label, fixed(records, 6), fixed(megabytes, 2), fixed(s.total.mean(), 2),
		fixed(float64(s.total.max), 2), s.percentile(0.5), s.percentile(0.95), s.percentile(0.99), s.percentile(0.999))
}

// percentile reads the sorted samples.
func (s *perfStats) percentile(share float64) int32 {
	if len(s.samples) == 0 {
		return 0
	}
	return s.samples[int(share*float64(len(s.samples)))]
}
