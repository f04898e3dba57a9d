package main

import (
	"testing"
	"time"
)

func TestHistogramBucketsHoldTheirTimes(t *testing.T) {
	last := -1
	for us := int64(0); us < 1<<22; us += 1 + us/100 {
		d := time.Duration(us) * time.Microsecond
		bucket := bucketOf(d)
		if bucket < last || bucket > last+1 {
			t.Fatalf("%s is in bucket %d after %d", d, bucket, last)
		}
		last = bucket
		if bound := boundOf(bucket); d >= bound || float64(bound-d) > float64(d)/histogramSteps+1000 {
			t.Fatalf("%s is in the bucket that ends at %s", d, bound)
		}
	}
}

func TestHistogramPercentiles(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for _, want := range []struct {
		part float64
		time time.Duration
	}{{0.5, 501 * time.Millisecond}, {0.99, 991 * time.Millisecond}, {1, time.Second}} {
		if got := h.at(want.part); got < want.time || got > want.time*34/32 {
			t.Errorf("p%g is %s, want %s", 100*want.part, got, want.time)
		}
	}
}
