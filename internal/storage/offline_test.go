package storage

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func TestFullDiskTakesOneDirectoryOfflineAndItComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("nothing")
		mem := vfs.NewMem()
		noRoom := false
		h := newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
			if noRoom && op.Kind == vfs.OpWrite && len(op.Path) > 2 && op.Path[:2] == "/b" {
				return &vfs.ShortWrite{Written: op.Size / 2, Err: syscall.ENOSPC}
			}
			return nil
		}))
		h.dirs = []string{"/a", "/b"}
		var changes []error
		o := h.options()
		o.DirectoryChanged = func(d *Directory, cause error) {
			if cause == nil {
				cause = full
			}
			changes = append(changes, fmt.Errorf("%s: %w", d.Path(), cause))
		}
		s, err := OpenStore(o)
		if err != nil {
			t.Fatal(err)
		}
		h.store = s
		defer s.Close(false)
		onA := h.create(ident.TopicPartition{Topic: "t", Partition: 0}, small)
		onB := h.create(ident.TopicPartition{Topic: "t", Partition: 1}, small)
		if onA.Directory().Path() != "/a" || onB.Directory().Path() != "/b" {
			t.Fatalf("logs are in %s and %s", onA.Directory().Path(), onB.Directory().Path())
		}
		h.appendMany(onA, 20)
		h.appendMany(onB, 20)

		noRoom = true
		_, err = onB.Append(batchOf(t, s.nowMs(), "too much"), AppendOptions{LeaderEpoch: 1})
		if !errors.Is(err, ErrStorage) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("append to a full disk: %v", err)
		}
		if _, err := onB.Read(0, ReadOptions{MaxBytes: 100}); !errors.Is(err, ErrStorage) {
			t.Fatalf("read from an offline directory: %v", err)
		}
		h.appendMany(onA, 20)
		expectValues(t, onA, 0, 40)
		if l := h.create(ident.TopicPartition{Topic: "t", Partition: 2}, small); l.Directory().Path() != "/a" {
			t.Fatalf("a new log is in %s", l.Directory().Path())
		}
		s.probeOffline()
		if s.Dirs()[1].Err() == nil {
			t.Fatal("the directory is back, though the disk is full")
		}

		noRoom = false
		s.probeOffline()
		if err := s.Dirs()[1].Err(); err != nil {
			t.Fatal(err)
		}
		expectValues(t, onB, 0, 20)
		h.appendMany(onB, 20)
		expectValues(t, onB, 0, 40)
		if len(changes) != 2 || !errors.Is(changes[0], syscall.ENOSPC) || !errors.Is(changes[1], full) {
			t.Fatalf("changes: %v", changes)
		}
	})
}

// TestEveryErrorIsSurvivedWithoutARestart fails each operation once, brings the directory back and goes on.
func TestEveryErrorIsSurvivedWithoutARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := int64(1); ; n++ {
			armed, failed := false, false
			hook := vfs.FailNth(n, false, &vfs.ShortWrite{Written: 7, Err: syscall.EIO}, nil)
			h := newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
				if !armed {
					return nil
				}
				err := hook(op)
				if short := (*vfs.ShortWrite)(nil); op.Kind != vfs.OpWrite && errors.As(err, &short) {
					err = short.Err
				}
				failed = failed || err != nil
				return err
			}))
			h.tune.MaxOpenFiles = 4
			l := h.log(small)
			h.appendMany(l, 30)
			armed = true
			for range 40 {
				end := l.EndOffset()
				_, err := l.Append(batchOf(t, h.store.nowMs(), fmt.Sprintf("value-%d", end)), AppendOptions{LeaderEpoch: 1})
				if err == nil && l.EndOffset()%16 == 0 {
					err = l.Flush()
				}
				if err == nil && l.EndOffset() == 50 {
					err = l.TruncateTo(45)
				}
				if err == nil && l.EndOffset() == 60 {
					_, _, err = l.OffsetForTimestamp(h.store.nowMs())
				}
				if err == nil {
					expectReadOrStorage(t, l)
				} else if !errors.Is(err, ErrStorage) {
					t.Fatalf("operation %d: %v", n, err)
				}
				h.store.probeOffline()
				if err := h.store.Dirs()[0].Err(); err != nil {
					t.Fatalf("operation %d: still offline: %v", n, err)
				}
				if l.EndOffset() != end && l.EndOffset() != end+1 && l.EndOffset() != 45 {
					t.Fatalf("operation %d: the end went from %d to %d", n, end, l.EndOffset())
				}
			}
			armed = false
			expectValues(t, l, 0, l.EndOffset())
			h.store.Close(false)
			if !failed {
				t.Logf("%d operations", n)
				return
			}
		}
	})
}

func expectReadOrStorage(t *testing.T, l *Log) {
	t.Helper()
	span, err := l.Read(l.EndOffset()/2, ReadOptions{MaxBytes: 300, MinOneBatch: true})
	if err == nil {
		_, err = span.CopyTo(make([]byte, span.Len()))
		span.Release()
	}
	if err != nil && !errors.Is(err, ErrStorage) {
		t.Fatal(err)
	}
}

// A partition whose directory fills up as it is created gets another, and is in no two when the first is back.
func TestCreationOnAFullDiskLeavesNothing(t *testing.T) {
	t.Run("no room for a directory", func(t *testing.T) { creationOnAFullDisk(t, vfs.OpMkdir, 0) })
	t.Run("no room for files", func(t *testing.T) { creationOnAFullDisk(t, vfs.OpWrite, 1000) })
}

func creationOnAFullDisk(t *testing.T, full vfs.OpKind, start record.Offset) {
	mem := vfs.NewMem()
	noRoom := false
	h := newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
		if noRoom && op.Kind == full && strings.HasPrefix(op.Path, "/a") {
			return syscall.ENOSPC
		}
		return nil
	}))
	h.dirs = []string{"/a", "/b"}
	s := h.open()
	noRoom = true
	if _, err := s.Create(testTopic, testTopicID, DefaultLogConfig(), start); !errors.Is(err, ErrStorage) {
		t.Fatalf("on a full disk: %v", err)
	}
	if l := h.create(testTopic, nil); l.Directory().Path() != "/b" {
		t.Fatalf("the log is in %s", l.Directory().Path())
	}
	noRoom = false
	s.probeOffline()
	if err := s.Dirs()[0].Err(); err != nil {
		t.Fatal(err)
	}
	if h.lines.has("in two log directories") {
		t.Error("the partition is in two log directories")
	}
}
