package main

import (
	"math/bits"
	"time"
)

// histogram counts times in buckets that are 1/32 of their size wide, from a microsecond to hours.
type histogram struct {
	counts [64 * histogramSteps]int64
	total  int64
	most   time.Duration
}

const (
	histogramBits  = 5
	histogramSteps = 1 << histogramBits
)

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
	h.most = max(h.most, d)
}

func bucketOf(d time.Duration) int {
	us := uint64(max(0, d/time.Microsecond))
	if us < histogramSteps {
		return int(us)
	}
	shift := bits.Len64(us) - 1 - histogramBits
	return (shift+1)*histogramSteps + int(us>>shift) - histogramSteps
}

// boundOf is the upper end of a bucket.
func boundOf(bucket int) time.Duration {
	if bucket < histogramSteps {
		return time.Duration(bucket+1) * time.Microsecond
	}
	shift := bucket/histogramSteps - 1
	return time.Duration(uint64(bucket%histogramSteps+histogramSteps+1)<<shift) * time.Microsecond
}

// at is the time within which a part of all lies.
func (h *histogram) at(part float64) time.Duration {
	left := int64(part * float64(h.total))
	for bucket, n := range h.counts {
		if left -= n; left < 0 {
			return min(boundOf(bucket), h.most)
		}
	}
	return h.most
}

func (h *histogram) figures() figures {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return figures{
		"p50, ms": ms(h.at(0.5)), "p99, ms": ms(h.at(0.99)), "p99.9, ms": ms(h.at(0.999)), "most, ms": ms(h.most),
	}
}
