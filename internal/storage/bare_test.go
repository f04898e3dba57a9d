package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// bareDir is the directory of the log that tests make.
const bareDir = "/data/orders-3"

func entriesOf(t *testing.T, fsys vfs.FS, dir string) (names []string) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// What happens to a log before its first record makes no file, over any number of starts, and the first record makes all.
func TestLogHasNoFilesBeforeItsFirstRecord(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	l := h.log(nil)
	for life := range 3 {
		for name, do := range map[string]func() error{
			"SetEpoch":     func() error { return l.SetEpoch(record.Epoch(life+1), 0) },
			"ForgetFuture": l.ForgetFuture,
			"Flush":        l.Flush,
			"flush":        func() error { return errors.Join(l.flush(sealedSegments), l.flush(recordsOnly)) },
			"TruncateTo":   func() error { return l.TruncateTo(0) },
			"AdvanceStart": func() error { return l.AdvanceStart(0) },
			"MaxTimestamp": func() error { _, _, err := l.MaxTimestamp(); return err },
			"Read":         func() error { _, err := l.Read(0, ReadOptions{MaxBytes: 10}); return err },
			"checkpoints":  l.dir.checkpointAll,
			"retention":    func() error { h.store.retain([]*Log{l}); return l.usable() },
		} {
			if err := do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if names := entriesOf(t, mem, bareDir); len(names) > 0 {
				t.Fatalf("life %d, %s: there is %v", life, name, names)
			}
		}
		h.close(true)
		var looked atomic.Int32
		h.fs = vfs.WithFaults(mem, func(op vfs.Op) error {
			if op.Kind == vfs.OpReadDir && op.Path == bareDir {
				looked.Add(1)
			}
			return nil
		})
		l = h.open().Log(testTopic)
		if n := looked.Load(); n > 0 || l.TopicID() != testTopicID || !l.IsBare() {
			t.Fatalf("life %d: looked into %d times, topic %s", life, n, l.TopicID())
		}
	}
	h.appendMany(l, 3)
	want := "[00000000000000000000.index 00000000000000000000.log 00000000000000000000.timeindex " +
		"leader-epoch-checkpoint partition.metadata]"
	if names := fmt.Sprint(entriesOf(t, mem, bareDir)); names != want {
		t.Errorf("there is %s", names)
	}
	again := newHarness(t, mem.Restart()).open().Log(testTopic)
	if again.IsBare() || again.TopicID() != testTopicID {
		t.Errorf("the log is of topic %s", again.TopicID())
	}
	expectValues(t, again, 0, 3)
}

// A log without files takes the id that it is told, once; one that has files, or knows its topic, takes none.
func TestTopicIDOfALogWithoutFiles(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.log(nil)
	killed := newHarness(t, mem.Restart())
	l := killed.open().Log(testTopic)
	if !l.TopicID().IsZero() {
		t.Fatalf("the id is %s", l.TopicID())
	}
	for range 2 {
		claim(t, l, testTopicID)
		if l.TopicID() != testTopicID {
			t.Fatalf("the id is %s", l.TopicID())
		}
		claim(t, l, ident.TopicID{9})
	}
}

// A disk that is full when the first record comes takes the directory offline, as it does when a log is made; once there is room
// again, the log is whole.
func TestFirstRecordOnAFullDisk(t *testing.T) {
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		var full, failed atomic.Bool
		hook := vfs.FailNth(n, false, syscall.ENOSPC, func(op vfs.Op) bool {
			return full.Load() && (op.Kind == vfs.OpCreate || op.Kind == vfs.OpWrite) && strings.HasPrefix(op.Path, bareDir)
		})
		h := newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
			err := hook(op)
			if err != nil {
				failed.Store(true)
			}
			return err
		}))
		l := h.log(nil)
		full.Store(true)
		_, err := l.Append(batchOf(t, testStart.UnixMilli(), "value-0"), AppendOptions{LeaderEpoch: 1})
		full.Store(false)
		if !failed.Load() {
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d operations", n-1)
			return
		}
		if !errors.Is(err, ErrStorage) || l.EndOffset() != 0 {
			t.Fatalf("operation %d: the log ends at %d, %v", n, l.EndOffset(), err)
		}
		h.store.probeOffline()
		h.appendMany(l, 2)
		again := newHarness(t, mem.Restart()).open().Log(testTopic)
		if again.TopicID() != testTopicID {
			t.Errorf("operation %d: the log is of topic %s", n, again.TopicID())
		}
		expectValues(t, again, 0, 2)
	}
}

// A sync that began before the log had files says nothing of those that were made beside it.
func TestSyncBesideTheFirstRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, what := range []extent{wholeLog, sealedSegments, recordsOnly} {
			mem := vfs.NewMem()
			h := newHarness(t, mem)
			l := h.log(nil)
			f, err := l.beginFlush(what)
			if err != nil {
				t.Fatal(err)
			}
			h.appendMany(l, 2)
			if err := f.run(); err != nil {
				t.Fatal(err)
			}
			if !l.unnamed || !l.unsynced || l.Synced() != 0 || l.recoveryPoint.Load() != 0 {
				t.Errorf("extent %d: unnamed %v, unsynced %v, synced to %d", what, l.unnamed, l.unsynced, l.Synced())
			}
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(20) {
				after := newHarness(t, mem.Crash(seed))
				after.boot[0]++
				l := after.open().Log(testTopic)
				if l == nil || l.TopicID() != testTopicID {
					t.Fatalf("extent %d, seed %d: the log is gone, or its id", what, seed)
				}
				expectValues(t, l, 0, 2)
				after.close(false)
				after.store = nil
			}
			h.close(false)
			h.store = nil
		}
	})
}

// TestCrashAroundTheFirstRecord tries a kill and a crash of the machine before every operation around the first record of a log,
// and around what else gives it files.
func TestCrashAroundTheFirstRecord(t *testing.T) {
	firsts := map[string]func(w *torture, l *Log) error{
		"a record": func(w *torture, l *Log) error { return w.appends(2)(l) },
		"a start elsewhere": func(_ *torture, l *Log) error {
			return errors.Join(l.TruncateFullyTo(500), l.TruncateFullyTo(0))
		},
		"nothing": func(_ *torture, l *Log) error { return l.SetEpoch(3, 0) },
	}
	for name, first := range firsts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { crashAroundTheFirst(t, first) })
		})
	}
}

func crashAroundTheFirst(t *testing.T, first func(w *torture, l *Log) error) {
	w := newTorture(t, 8)
	w.start = 500 // or where a log was cut to begin there
	w.also = func() {
		if id, found := topicIDOf(t, w.mem.Restart()); found && id != testTopicID {
			t.Fatalf("operation %d: the log has records and is of topic %s", w.ops, id)
		}
	}
	life := func(steps ...func(*Log) error) {
		t.Helper()
		s, err := OpenStore(w.options())
		if err != nil {
			t.Fatal(err)
		}
		w.store = s
		l := s.Log(testTopic)
		if l == nil {
			l = w.create(testTopic, small)
		}
		claim(t, l, testTopicID)
		for _, step := range steps {
			if err := step(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(len(steps) != 1); err != nil {
			t.Fatal(err)
		}
		w.store = nil
	}
	life(w.flush) // and is killed
	life()
	life(w.flush, func(l *Log) error { return first(w, l) })
	life(w.appends(12), w.flush, w.appends(3))
	t.Logf("%d operations, %d crashes", w.ops, w.crashes)
}

// topicIDOf is the id of the log with records that is left; found is false where there is none.
func topicIDOf(t *testing.T, left *vfs.Mem) (id ident.TopicID, found bool) {
	t.Helper()
	h := newHarness(t, left)
	s, err := OpenStore(h.options())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(false)
	l := s.Log(testTopic)
	if l == nil || l.EndOffset() == l.StartOffset() {
		return id, false
	}
	return l.TopicID(), true
}

// claim has a log be one of a topic, if it does not know its own.
func claim(t *testing.T, l *Log, id ident.TopicID) {
	t.Helper()
	if err := l.Claim(id); err != nil {
		t.Fatal(err)
	}
}
