package storage

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// Reads and searches beside truncations may find nothing, or what stood there before. They don't take the file's sudden
// end for a failure of the disk.
func TestReadsBesideTruncations(t *testing.T) {
	h := newHarness(t, vfs.OS)
	h.dirs = []string{t.TempDir()}
	l := h.log(func(c *LogConfig) { small(c); c.FileDeleteDelayMs = 0 })
	h.appendMany(l, 50)
	var done atomic.Bool
	var work sync.WaitGroup
	for range 3 {
		work.Go(func() {
			for !done.Load() {
				readBesideTruncation(t, l)
			}
		})
	}
	defer work.Wait()
	defer done.Store(true)
	for range 150 {
		if err := l.TruncateTo(l.EndOffset() - 1 - record.Offset(rand.IntN(20))); err != nil {
			t.Error(err)
			break
		}
		h.appendMany(l, 50-int(l.EndOffset()))
	}
	if err := l.dir.Err(); err != nil {
		t.Errorf("the directory is offline: %v", err)
	}
}

func readBesideTruncation(t *testing.T, l *Log) {
	span, err := l.Read(record.Offset(rand.IntN(50)), ReadOptions{MaxBytes: 900, MinOneBatch: true})
	if err != nil && !errors.Is(err, ErrOffsetOutOfRange) && !errors.Is(err, ErrCorruptMessage) {
		t.Errorf("read: %v", err)
	}
	span.Release()
	if _, _, err := l.OffsetForTimestamp(1); err != nil && !errors.Is(err, ErrCorruptMessage) {
		t.Errorf("search: %v", err)
	}
}
