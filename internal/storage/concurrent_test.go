package storage

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// TestReadsBesideAppends reads from many goroutines, with few open files, while the log is appended to, flushed,
// rolled and its first segments are removed. Every record that is read is the right one, and none below the end is missing.
func TestReadsBesideAppends(t *testing.T) {
	h := newHarness(t, vfs.OS)
	h.dirs = []string{t.TempDir()}
	h.tune.MaxOpenFiles = 3
	l := h.log(func(c *LogConfig) { small(c); c.RetentionBytes = 20_000; c.FileDeleteDelayMs = 0 })
	const records = 4000
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() { follow(t, l, records) })
	}
	for l.EndOffset() < records {
		h.append(l, 1, fmt.Sprintf("value-%d", l.EndOffset()))
		if l.EndOffset()%500 == 0 {
			l.SetHighWatermark(l.EndOffset())
			h.store.retain(h.store.Logs())
			h.store.deletions.run(h.store)
			if err := l.Flush(); err != nil {
				t.Error(err)
			}
		}
	}
	work.Wait()
}

// follow reads a log until it has come to an offset.
func follow(t *testing.T, l *Log, until record.Offset) {
	for at := record.Offset(0); at < until; {
		end := l.EndOffset()
		if at == end {
			runtime.Gosched()
			continue
		}
		span, err := l.Read(at, ReadOptions{MaxBytes: 900, MinOneBatch: true, UpTo: end})
		if errors.Is(err, ErrOffsetOutOfRange) && at < l.StartOffset() {
			at = l.StartOffset()
			continue
		}
		if err != nil {
			t.Errorf("read at %d: %v", at, err)
			return
		}
		values := map[record.Offset]string{}
		next := decodeSpan(t, &span, at, values)
		if next > end || next == at {
			t.Errorf("read [%d, %d) ended at %d", at, end, next)
			return
		}
		for o := at; o < next; o++ {
			if values[o] != fmt.Sprintf("value-%d", o) {
				t.Errorf("offset %d holds %q", o, values[o])
				return
			}
		}
		at = next
	}
}

func BenchmarkAppend(b *testing.B) {
	h := newHarness(nil, vfs.OS)
	h.dirs = []string{b.TempDir()}
	s, err := OpenStore(h.options())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(false)
	l, err := s.Create(testTopic, testTopicID, DefaultLogConfig(), 0)
	if err != nil {
		b.Fatal(err)
	}
	batch := batchOf(b, testStart.UnixMilli(), string(make([]byte, 1000)))
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		batch.SetBaseOffset(0)
		if _, err := l.Append(batch, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
		span, err := l.Read(l.EndOffset()-1, ReadOptions{MaxBytes: 1 << 20})
		if err != nil || span.Len() != len(batch) {
			b.Fatal(span.Len(), err)
		}
		span.Release()
	}
}
