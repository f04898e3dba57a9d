package main

import "testing"

func TestLargeFramesAreNotAligned(t *testing.T) {
	const cacheLine = 64
	for _, size := range []int{100, warmValue, fetchValue, latencyValue} {
		s := newStream(loadTopic, size)
		if n := len(s.frames[0]); n%cacheLine == 0 || s.batch%cacheLine == 0 {
			t.Errorf("values of %d bytes: frames of %d and batches of %d bytes", size, n, s.batch)
		}
	}
}
