package storage

import (
	"runtime"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
)

// idlePartitionBytes bounds the heap that an idle partition may cost in this room.
const idlePartitionBytes = 4 << 10

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestTenThousandPartitions measures what idle partitions cost: memory, open files and goroutines.
func TestTenThousandPartitions(t *testing.T) {
	manyPartitions(t, vfs.NewMem(), "/data", 10_000)
}

// TestManyPartitionsOnDisk is the same, less many, with real files.
func TestManyPartitionsOnDisk(t *testing.T) { manyPartitions(t, vfs.OS, t.TempDir(), 300) }

func manyPartitions(t *testing.T, fsys vfs.FS, dir string, partitions int) {
	h := newHarness(t, fsys)
	h.dirs = []string{dir}
	h.tune.MaxOpenFiles = partitions / 20
	goroutines := runtime.NumGoroutine()
	began := time.Now()
	h.open()
	for i := range partitions {
		l := h.create(ident.TopicPartition{Topic: "idle", Partition: int32(i)}, nil)
		h.append(l, 1, "one record")
	}
	t.Logf("made in %v", time.Since(began))
	for _, clean := range []bool{false, true} {
		// The flusher may have a segment's files pinned at the moment.
		if open := h.store.OpenFiles(); open > h.tune.MaxOpenFiles+3 {
			t.Errorf("%d files are open, the bound is %d", open, h.tune.MaxOpenFiles)
		}
		if n := runtime.NumGoroutine() - goroutines; n > 10 {
			t.Errorf("%d more goroutines", n)
		}
		// What the heap loses when the store goes is what the store has cost: the file system stays, and remembers
		// nothing of what is synced.
		for _, l := range h.store.Logs() {
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		with := heapInUse()
		began = time.Now()
		h.close(clean)
		closed := time.Since(began)
		h.store = nil
		each := (with - heapInUse()) / int64(partitions)
		if each > idlePartitionBytes {
			t.Errorf("an idle partition costs %d bytes, more than %d", each, idlePartitionBytes)
		}
		began = time.Now()
		h.open()
		t.Logf("%d bytes of heap each; closed in %v (clean: %v), opened in %v", each, closed, clean, time.Since(began))
		if l := h.store.Log(ident.TopicPartition{Topic: "idle", Partition: int32(partitions - 1)}); l.EndOffset() != 1 {
			t.Errorf("log ends at %d", l.EndOffset())
		}
	}
}
