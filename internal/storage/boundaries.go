package storage

import (
	"sync"

	"barnabas/internal/record"
)

// boundaryCount is how many positions of batches a log remembers.
const boundaryCount = 16

// boundaries remembers where the latest appends ended, so that those who read on from there,
// followers and consumers at the end of the log, and the high watermark they are bounded by, are
// found without the index. Only holders of the log's mutex add and clear, so that a position
// outlives no truncation.
type boundaries struct {
	mu   sync.Mutex
	ring []boundary // guarded by mu; it doubles up to boundaryCount, for most logs of many see few appends
	next int        // guarded by mu
}

// boundary says that the batch which begins with an offset is, or will be, at a position.
type boundary struct {
	seg    *segment
	offset record.Offset
	pos    int64
}

func (b *boundaries) add(at boundary) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.ring); b.next == n && n < boundaryCount {
		grown := make([]boundary, max(1, 2*n))
		copy(grown, b.ring)
		b.ring = grown
	}
	b.ring[b.next%len(b.ring)] = at
	b.next++
}

func (b *boundaries) find(o record.Offset) (at boundary, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.ring {
		if b.ring[i].seg != nil && b.ring[i].offset == o {
			return b.ring[i], true
		}
	}
	return boundary{}, false
}

// clear forgets everything, when segments are cut, replaced or removed.
func (b *boundaries) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring, b.next = nil, 0
}
