package storage

import (
	"sync"

	"barnabas/internal/record"
)

// expansionBytes bounds what large batches take while they are expanded, over all logs: their clients wait for their
// turns. Without it a few small requests at once could expand to all the memory there is. A batch
// that needs more than all of it goes alone.
const expansionBytes = 192 << 20

// largeRecordBytes is what one large record may take: a window that grows holds the old one too.
const largeRecordBytes = record.MaxRecordSize + record.MaxRecordSize/2

// expansion is the room for large batches.
type expansion struct {
	mu    sync.Mutex
	freed *sync.Cond // made when first waited for
	used  int64      // guarded by mu
}

// take waits until there is room for n bytes. Who waits holds none, so that two can't wait for each other.
func (e *expansion) take(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.freed == nil {
		e.freed = sync.NewCond(&e.mu)
	}
	for e.used > 0 && e.used+n > expansionBytes {
		e.freed.Wait()
	}
	e.used += n
}

func (e *expansion) give(n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.used -= n
	e.freed.Broadcast()
}

// expanding is the reading of one batch: a decompressor, and the room that it takes.
type expanding struct {
	decompressor *record.Decompressor
	room         *expansion
	taken        int64
}

var decompressors = sync.Pool{New: func() any { return new(record.Decompressor) }}

// expand borrows a decompressor with the bounds of a topic.
func (l *Log) expand(c *LogConfig) *expanding {
	x := &expanding{decompressor: decompressors.Get().(*record.Decompressor), room: &l.store.expansion}
	x.decompressor.MaxExpanded = int64(l.store.settings.MaxDecompressedBytes)
	if c.MaxDecompressedBytes > 0 {
		x.decompressor.MaxExpanded = int64(c.MaxDecompressedBytes)
	}
	x.decompressor.Large = func() { x.take(largeRecordBytes) }
	return x
}

// take has room for n bytes, in place of what was taken before.
func (x *expanding) take(n int64) {
	x.giveBack()
	x.room.take(n)
	x.taken = n
}

// reserve takes room for a batch of that size as a whole, and one large record beside it if it has any.
func (x *expanding) reserve(size int64) {
	if x.taken > 0 {
		size += largeRecordBytes
	}
	x.take(size)
	x.decompressor.Large = nil
}

func (x *expanding) giveBack() {
	if x.taken > 0 {
		x.room.give(x.taken)
		x.taken = 0
	}
}

// end gives everything back.
func (x *expanding) end() {
	x.giveBack()
	x.decompressor.Large = nil
	decompressors.Put(x.decompressor)
}
