package storage

import (
	"sync"

	"barnabas/internal/record"
)

// largeRecordBytes is what one large record takes while it is expanded: a window that grows holds the old one too. One
// at a time is expanded, over all logs: without that a few small requests at once could expand to all the memory there is.
const largeRecordBytes = record.MaxRecordSize + record.MaxRecordSize/2

// expanding is the reading of one batch: a decompressor, and the turn that it takes if it meets a large record.
type expanding struct {
	decompressor *record.Decompressor
	large        *sync.Mutex
	took         bool
}

var decompressors = sync.Pool{New: func() any { return new(record.Decompressor) }}

// expand borrows a decompressor with the bounds of a topic.
func (l *Log) expand(c *LogConfig) *expanding {
	x := &expanding{decompressor: decompressors.Get().(*record.Decompressor), large: &l.store.largeRecord}
	x.decompressor.MaxExpanded = int64(l.store.settings.MaxDecompressedBytes)
	if c.MaxDecompressedBytes > 0 {
		x.decompressor.MaxExpanded = int64(c.MaxDecompressedBytes)
	}
	x.decompressor.Large = x.takeTurn
	return x
}

// takeTurn waits until no other batch has a large record in memory. It is called once for a batch.
func (x *expanding) takeTurn() {
	x.large.Lock()
	x.took = true
}

// end gives everything back.
func (x *expanding) end() {
	if x.took {
		x.large.Unlock()
	}
	x.decompressor.Large = nil
	decompressors.Put(x.decompressor)
}
