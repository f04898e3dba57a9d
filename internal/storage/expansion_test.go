package storage

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// zeroes is a batch of gzipped records that expand to so much each.
func zeroes(t testing.TB, records, size int) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.Options{Codec: record.Gzip})
	for range records {
		b.Append(1000, []byte("key"), make([]byte, size))
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// A search by time that meets a batch which can't be expanded says so, and says nothing about the disk.
func TestSearchByTimeMeetsABomb(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	if _, err := l.Append(zeroes(t, 1, record.MaxRecordSize+1), AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.OffsetForTimestamp(1000); !errors.Is(err, ErrCorruptMessage) || !errors.Is(err, record.ErrExpands) {
		t.Errorf("search: %v", err)
	}
	if err := l.dir.Err(); err != nil {
		t.Errorf("the directory is offline: %v", err)
	}
}

// What one topic allows its batches to expand to is no bound for another's.
func TestExpansionBoundIsTheTopics(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	narrow := h.log(func(c *LogConfig) { c.Strict, c.MaxDecompressedBytes = true, 1000 })
	wide := h.create(ident.TopicPartition{Topic: "wide"}, nil)
	batch := zeroes(t, 1, 2000)
	for range 10 {
		if _, err := narrow.Append(append(record.Batch{}, batch...), AppendOptions{}); !errors.Is(err, ErrInvalidRecord) {
			t.Fatalf("the narrow topic takes it: %v", err)
		}
		if _, err := wide.Append(append(record.Batch{}, batch...), AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if at, found, err := wide.OffsetForTimestamp(1000); err != nil || !found || at.Offset != 0 {
			t.Fatalf("search in the wide topic: %+v %v %v", at, found, err)
		}
	}
}

// Many large batches at once take their turns, and each is compressed anew as a stream: memory is bounded over all of them.
func TestLargeBatchesTakeTurns(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { c.KeepCompression, c.Compression = false, record.LZ4 })
	batch := zeroes(t, 6, 12<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := l.Append(append(record.Batch{}, batch...), AppendOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if end := l.EndOffset(); end != 12*6 {
		t.Errorf("the log ends at %d", end)
	}
	if !h.store.largeRecord.TryLock() {
		t.Error("a turn was not given back")
	}
	const most = 3 * largeRecordBytes // what is held, and what waits for the collector
	if grown := int64(after.HeapSys - before.HeapSys); grown > most {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
}
