package metrics

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Durations counts how long something took, in microseconds, in buckets an eighth of a power of two wide: a
// quantile is known to 7 %. Observing is three atomic operations. The zero value is ready, and takes no
// room before the first observation.
type Durations struct {
	observed atomic.Pointer[observed]
}

type observed struct {
	buckets [bucketCount]atomic.Uint32 // they may wrap: quantiles are of differences
	count   atomic.Int64
	sum     atomic.Int64 // microseconds

	mu     sync.Mutex
	recent *window // guarded by mu; nil before the first scrape
}

const (
	bucketBits  = 3  // 8 buckets to a power of two
	maxPower    = 26 // the last bucket begins at 2^26 µs, 67 s
	bucketCount = (maxPower - bucketBits + 2) << bucketBits
)

// window is what the buckets were at two moments, so that quantiles tell of the last one to two windowLengths and
// not of all time since the start.
type window struct {
	older, newer [bucketCount]uint32
	turned       time.Time
}

const windowLength = time.Minute

// Observe counts one duration; a negative one counts as none.
func (d *Durations) Observe(took time.Duration) {
	o := d.observed.Load()
	if o == nil {
		d.observed.CompareAndSwap(nil, new(observed))
		o = d.observed.Load()
	}
	us := max(0, took.Microseconds())
	o.buckets[bucketOf(us)].Add(1)
	o.sum.Add(us)
	o.count.Add(1)
}

// bucketOf maps microseconds to a bucket: below 8 each has its own, above each power of two has 8.
func bucketOf(us int64) int {
	power := bits.Len64(uint64(us)) - 1
	if power < bucketBits {
		return int(us)
	}
	if power > maxPower {
		return bucketCount - 1
	}
	shift := power - bucketBits
	return (shift+1)<<bucketBits + int(us>>shift) - 1<<bucketBits
}

// bucketMiddle is the middle of a bucket, in microseconds.
func bucketMiddle(bucket int) float64 {
	if bucket < 1<<bucketBits {
		return float64(bucket)
	}
	shift := bucket>>bucketBits - 1
	low := int64(bucket&(1<<bucketBits-1)+1<<bucketBits) << shift
	return float64(low) + float64(int64(1)<<shift)/2
}

var quantiles = []struct {
	of    float64
	label string
}{{0.5, "0.50"}, {0.75, "0.75"}, {0.95, "0.95"}, {0.98, "0.98"}, {0.99, "0.99"}, {0.999, "0.999"}}

// summary is what a scrape shows of a Durations.
type summary struct {
	count     int64
	sumMs     float64
	quantiles [6]float64 // milliseconds
}

// summarize turns the window when it is due, and returns the counts since the start and the quantiles of the
// last minute or two.
func (d *Durations) summarize(now time.Time) (s summary, ok bool) {
	o := d.observed.Load()
	if o == nil {
		return s, false
	}
	s.count, s.sumMs = o.count.Load(), float64(o.sum.Load())/1000
	var current [bucketCount]uint32
	for i := range current {
		current[i] = o.buckets[i].Load()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.recent == nil {
		o.recent = &window{turned: now}
	}
	if now.Sub(o.recent.turned) >= windowLength {
		o.recent.older, o.recent.newer, o.recent.turned = o.recent.newer, current, now
	}
	s.quantiles = quantilesBetween(&o.recent.older, &current)
	return s, true
}

func quantilesBetween(older, newer *[bucketCount]uint32) (values [6]float64) {
	var total uint64
	for i := range newer {
		total += uint64(newer[i] - older[i])
	}
	next, seen := 0, uint64(0)
	for i := range newer {
		seen += uint64(newer[i] - older[i])
		for next < len(quantiles) && total > 0 && float64(seen) >= quantiles[next].of*float64(total) {
			values[next] = bucketMiddle(i) / 1000
			next++
		}
	}
	return values
}
