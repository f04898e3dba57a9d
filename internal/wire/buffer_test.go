package wire

import (
	"runtime/debug"
	"testing"
)

// TestLargeBuffersAreUsedAgain: what a follower fetches at once, and a request with several batches, is larger than one
// batch. Memory for each anew is zeroed, and soon collected.
func TestLargeBuffersAreUsedAgain(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pools
	for _, size := range []int{1 << 20, 1<<20 + 100, 10 << 20} {
		// A new buffer costs two. With the race detector a pool forgets one buffer in four.
		if n := testing.AllocsPerRun(20, func() { NewBuffer(size).Free() }); n > 1 {
			t.Errorf("a buffer of %d bytes costs %v allocations each time", size, n)
		}
	}
}
