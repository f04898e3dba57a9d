package storage

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
)

// twoDirectories is a store whose directory /b fails, and can be watched as it comes back.
type twoDirectories struct {
	*harness
	broken    bool
	meanwhile func(op vfs.Op) // on /b
	onB       *Log
}

func newTwoDirectories(t *testing.T) *twoDirectories {
	two := &twoDirectories{meanwhile: func(vfs.Op) {}}
	two.harness = newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
		if !strings.HasPrefix(op.Path, "/b/") {
			return nil
		}
		if two.broken && op.Kind.Changes() {
			return syscall.EIO
		}
		two.meanwhile(op)
		return nil
	}))
	two.dirs = []string{"/a", "/b"}
	two.open()
	two.store.Prefer(testTopic, two.store.DirectoryAt("/b"))
	two.onB = two.create(testTopic, small)
	if got := two.onB.Directory().Path(); got != "/b" {
		t.Fatalf("the log is in %s", got)
	}
	two.appendMany(two.onB, 20)
	return two
}

// fail takes /b offline.
func (two *twoDirectories) fail() {
	two.t.Helper()
	two.broken = true
	if _, err := two.onB.Append(batchOf(two.t, two.store.nowMs(), "lost"), AppendOptions{LeaderEpoch: 1}); !errors.Is(err, ErrStorage) {
		two.t.Fatalf("append to a broken disk: %v", err)
	}
}

// back brings it back, and has something happen once, when it is at what is asked for.
func (two *twoDirectories) back(at func(op vfs.Op) bool, do func()) {
	two.t.Helper()
	two.broken = false
	done := false
	two.meanwhile = func(op vfs.Op) {
		if !done && at(op) {
			done = true
			do()
		}
	}
	two.store.probeOffline()
	two.meanwhile = func(vfs.Op) {}
	if err := two.onB.Directory().Err(); err != nil || !done {
		two.t.Fatalf("the directory is offline: %v; it came by where something was to happen: %v", err, done)
	}
}

// lookedFor is when the logs of the directory have been looked for, and it is not online yet.
func lookedFor(op vfs.Op) bool {
	return op.Kind == vfs.OpRemove && filepath.Base(op.Path) == inventoryName
}

// What is to be deleted while its directory is on its way back is not deleted then, and is there still, to be deleted later.
func TestDeletionWhileTheDirectoryComesBack(t *testing.T) {
	for _, future := range []bool{false, true} {
		two := newTwoDirectories(t)
		name, remove, find := testTopic, two.store.Delete, two.store.Log
		if future {
			name = ident.TopicPartition{Topic: "moved", Partition: 0}
			remove, find = two.store.DropFuture, two.store.Future
			if _, err := two.store.CreateFuture(two.create(name, small), two.onB.Directory(), 0); err != nil {
				t.Fatal(err)
			}
		}
		two.fail()
		two.back(lookedFor, func() {
			if err := remove(name); !errors.Is(err, ErrStorage) {
				t.Errorf("deleted from an offline directory: %v", err)
			}
		})
		if find(name) == nil {
			t.Fatalf("future %v: its files are in the directory, and the store does not know the log", future)
		}
		if err := remove(name); err != nil {
			t.Error(err)
		}
		entries, err := two.fs.ReadDir("/b")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), name.String()) && !isDeletedDir(e.Name()) {
				t.Errorf("%s is left", e.Name())
			}
		}
	}
}

// A log that is made while another of its name is being found in a directory that comes back is the partition's all the same.
func TestCreationWhileTheDirectoryComesBack(t *testing.T) {
	two := newTwoDirectories(t)
	two.fail()
	if err := two.store.Delete(testTopic); !errors.Is(err, ErrStorage) {
		t.Fatalf("deleted from an offline directory: %v", err)
	}
	other := ident.TopicID{4, 5, 6}
	var made *Log
	two.back(lookedFor, func() {
		var err error
		if made, err = two.store.Create(testTopic, other, DefaultLogConfig(), 0); err != nil {
			t.Fatal(err)
		}
	})
	if log := two.store.Log(testTopic); log != made || log.Directory().Path() != "/a" {
		t.Errorf("the partition's log is %s in %s", log, log.Directory().Path())
	}
	found := two.store.Future(testTopic)
	if found == nil || found.TopicID() != testTopicID || found.IsNamedFuture() {
		t.Fatalf("the log that was found: %v", found)
	}
	expectValues(t, found, 0, 20)
	if err := two.store.DropFuture(testTopic); err != nil {
		t.Error(err)
	}
}

// A partition's directory that nobody knows of, with a log of another topic, does not become the new log.
func TestLogIsNotMadeOfAnotherTopics(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	h.appendMany(l, 20)
	h.store.mu.Lock()
	delete(h.store.logs, testTopic) // as where a third directory has it, too
	h.store.mu.Unlock()
	l.close()
	again, err := h.store.Create(testTopic, ident.TopicID{4, 5, 6}, DefaultLogConfig(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if end := again.EndOffset(); end != 0 {
		t.Errorf("a new topic's log ends at %d", end)
	}
	h.appendMany(again, 3)
	expectValues(t, again, 0, 3)
}
