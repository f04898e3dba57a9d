package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func TestDirectoryInUse(t *testing.T) {
	h := newHarness(t, vfs.OS)
	h.dirs = []string{t.TempDir()}
	h.open()
	_, err := OpenStore(h.options())
	if !errors.Is(err, ErrDirectoryInUse) || !strings.Contains(err.Error(), h.dirs[0]) {
		t.Fatal(err)
	}
	h.close(true)
	h.open()
}

func TestDirectoryOfAnotherClusterOrBroker(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	id := h.open().Dirs()[0].ID()
	h.close(true)
	o := h.options()
	o.ClusterID = ident.ClusterID{1}
	if _, err := OpenStore(o); !errors.Is(err, ErrWrongCluster) || !strings.Contains(err.Error(), "/data") {
		t.Error(err)
	}
	o = h.options()
	o.BrokerID = 2
	if _, err := OpenStore(o); !errors.Is(err, ErrWrongBroker) || !strings.Contains(err.Error(), "/data") {
		t.Error(err)
	}
	if again := h.open().Dirs()[0].ID(); again != id || id.IsZero() {
		t.Errorf("the directory's id was %s, is %s", id, again)
	}
}

func TestClusterIsAdopted(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	o := h.options()
	o.ClusterID = ident.ClusterID{}
	s, err := OpenStore(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(testCluster, 1); err != nil || s.ClusterID() != testCluster {
		t.Fatal(err)
	}
	if err := s.Adopt(ident.ClusterID{1}, 1); !errors.Is(err, ErrWrongCluster) {
		t.Fatal(err)
	}
	s.Close(true)
	s, err = OpenStore(o)
	if err != nil || s.ClusterID() != testCluster {
		t.Fatal(err)
	}
	s.Close(true)
}

func TestDeletedLog(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	h.appendMany(l, 30)
	span, err := l.Read(0, ReadOptions{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Delete(testTopic); err != nil {
		t.Fatal(err)
	}
	if err := h.store.Delete(testTopic); !errors.Is(err, ErrUnknownLog) {
		t.Fatal(err)
	}
	if _, err := l.Append(batchOf(t, 0, "x"), AppendOptions{}); !errors.Is(err, ErrDeleted) {
		t.Fatal(err)
	}
	if next := decodeSpan(t, &span, 0, map[record.Offset]string{}); next != 30 {
		t.Fatalf("the reader got up to %d", next)
	}
	fresh := h.create(testTopic, nil)
	h.append(fresh, 1, "value-0")
	if n := h.filesOf("/data", deleteDirSuffix); n != 1 {
		t.Fatalf("%d directories wait to be removed", n)
	}
	h.pass(time.Hour)
	h.store.deletions.run(h.store)
	if n := h.filesOf("/data", deleteDirSuffix); n != 0 {
		t.Fatalf("%d directories are left", n)
	}
	expectValues(t, fresh, 0, 1)
}

// TestANewLogIsNotTakenForTheOldOne kills the process after a topic was deleted and made again: what the checkpoints
// say of the old one must not cut the new one.
func TestANewLogIsNotTakenForTheOldOne(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	l := h.log(small)
	h.appendMany(l, 50)
	l.SetHighWatermark(50)
	if err := l.AdvanceStart(40); err != nil {
		t.Fatal(err)
	}
	h.close(true)
	h.open()
	if err := h.store.Delete(testTopic); err != nil {
		t.Fatal(err)
	}
	h.appendMany(h.create(testTopic, small), 20)
	again := newHarness(t, mem.Restart())
	l = again.open().Log(testTopic)
	if l.StartOffset() != 0 || l.HighWatermark() != 0 {
		t.Fatalf("start %d, high watermark %d", l.StartOffset(), l.HighWatermark())
	}
	expectValues(t, l, 0, 20)
}

func TestLongTopicNamesCanBeDeleted(t *testing.T) {
	tp := ident.TopicPartition{Topic: strings.Repeat("x", 249), Partition: 12345}
	name := deletedDirName(tp, ident.NewStoreID())
	if len(name) > 255 || !isDeletedDir(name) {
		t.Fatalf("%d: %s", len(name), name)
	}
	if parsed, ok := parsePartitionDir(tp.String()); !ok || parsed != tp {
		t.Fatal(parsed, ok)
	}
}

func TestDamagedFilesAreSurvived(t *testing.T) {
	for _, name := range []string{
		"recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint",
		"written-offset-checkpoint", "orders-3/leader-epoch-checkpoint", "orders-3/partition.metadata",
		"orders-3/00000000000000000000.index", "orders-3/00000000000000000000.timeindex",
	} {
		for _, content := range []string{"", "garbage\n", "0\n1\n", "0\n99999999999\n"} {
			mem := vfs.NewMem()
			h := newHarness(t, mem)
			h.appendMany(h.log(small), 60)
			h.close(true)
			if err := vfs.WriteFileAtomic(mem, "/data/"+name, []byte(content)); err != nil {
				t.Fatal(err)
			}
			l := h.open().Log(testTopic)
			if l == nil {
				t.Fatalf("%s with %q: the log is gone", name, content)
			}
			expectValues(t, l, 0, 60)
			if l.LatestEpoch() != 1 || l.EpochAt(0) != 1 {
				t.Errorf("%s with %q: epochs %v", name, content, *l.epochs.Load())
			}
		}
	}
}

func TestTornTailIsCutAndSaid(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.appendMany(h.log(nil), 10)
	path := "/data/orders-3/00000000000000000000.log"
	h.close(false)
	f, err := mem.OpenFile(path, openOrCreate, 0)
	if err != nil {
		t.Fatal(err)
	}
	size, _ := f.Size()
	f.Truncate(size - 5)
	f.Close()
	expectValues(t, h.open().Log(testTopic), 0, 9)
	for _, part := range []string{"cut a broken tail", "partition=orders-3", "offset=9", "bytes=71"} {
		if !h.lines.has(part) {
			t.Errorf("the log says nothing of %q:\n%s", part, h.lines.buf.String())
		}
	}
}

// TestTorn: only a machine that has booted anew under a process that was killed may have lost what was written, and
// that stands until it has been settled.
func TestTorn(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	torn := func(when string, want bool) {
		t.Helper()
		if got := h.open().Dirs()[0].Torn(); got != want {
			t.Errorf("%s: torn is %v", when, got)
		}
	}
	killed := func(disk *vfs.Mem) {
		mem = disk
		h.close(false)
		h.fs = mem
	}
	torn("a new directory", false)
	h.appendMany(h.create(testTopic, small), 3)
	killed(mem.Restart())
	torn("killed", false)
	killed(mem.Crash(1))
	h.boot = ident.BootID{10}
	torn("after a crash of the machine", true)
	killed(mem.Restart())
	torn("killed before anybody knew", true)
	if err := h.store.Dirs()[0].Settle(); err != nil {
		t.Fatal(err)
	}
	killed(mem.Restart())
	torn("killed after it was settled", false)
	h.close(true)
	h.boot = ident.BootID{11}
	torn("rebooted between a clean end and a start", false)
	killed(mem.Restart())
	torn("and then killed", false)
}
