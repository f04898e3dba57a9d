package storage

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
)

// manyLogs appends a record to each of many logs.
func manyLogs(t *testing.T, h *harness, count int) {
	t.Helper()
	for i := range count {
		tp := ident.TopicPartition{Topic: "many", Partition: int32(i)}
		l, err := h.store.Create(tp, testTopicID, DefaultLogConfig(), 0)
		if err == nil {
			_, err = l.Append(batchOf(t, h.store.nowMs(), fmt.Sprint(i)), AppendOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyLogsAreSyncedTogether closes a store with many logs: one sync of the volume, no sync of their files, and
// everything is there after a crash of the machine.
func TestManyLogsAreSyncedTogether(t *testing.T) {
	const count = 100
	mem := vfs.NewMem()
	var mu sync.Mutex
	syncs := map[vfs.OpKind]int{} // guarded by mu
	h := newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		syncs[op.Kind]++
		return nil
	}))
	h.open()
	manyLogs(t, h, count)
	mu.Lock()
	clear(syncs)
	mu.Unlock()
	h.close(true)
	mu.Lock()
	defer mu.Unlock()
	if syncs[vfs.OpSyncVolume] != 1 || syncs[vfs.OpSync] > 20 {
		t.Errorf("closing took %d syncs of the volume and %d of files", syncs[vfs.OpSyncVolume], syncs[vfs.OpSync])
	}
	after := newHarness(t, mem.Crash(1))
	for _, l := range after.open().Logs() {
		if l.EndOffset() != 1 {
			t.Errorf("%s ends at %d", l, l.EndOffset())
		}
	}
	if n := len(after.store.Logs()); n != count {
		t.Errorf("%d logs are there of %d", n, count)
	}
}

// TestFilesAreSyncedWhereTheVolumeIsNot falls back, where the system can't sync a volume or some file of it had an error.
func TestFilesAreSyncedWhereTheVolumeIsNot(t *testing.T) {
	const count = 70
	mem := vfs.NewMem()
	h := newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpSyncVolume {
			return errors.Join(errors.ErrUnsupported, syscall.EIO)
		}
		return nil
	}))
	h.open()
	manyLogs(t, h, count)
	h.close(true)
	after := newHarness(t, mem.Crash(1))
	if n := len(after.open().Logs()); n != count {
		t.Errorf("%d logs are there of %d", n, count)
	}
	for _, l := range after.store.Logs() {
		if l.EndOffset() != 1 {
			t.Errorf("%s ends at %d", l, l.EndOffset())
		}
	}
}
