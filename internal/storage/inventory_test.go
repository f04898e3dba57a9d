package storage

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// varied fills a store with logs of all sorts.
func varied(t *testing.T, h *harness) {
	t.Helper()
	partition := func(i int32) ident.TopicPartition { return ident.TopicPartition{Topic: "varied", Partition: i} }
	h.create(partition(0), nil) // empty
	h.appendMany(h.create(partition(1), nil), 1)
	h.appendMany(h.create(partition(2), small), 60)
	cut := h.create(partition(3), small)
	h.appendMany(cut, 60)
	if err := cut.TruncateTo(25); err != nil {
		t.Fatal(err)
	}
	h.append(cut, 7, "value-25")
	shortened := h.create(partition(4), small)
	h.appendMany(shortened, 60)
	shortened.SetHighWatermark(50)
	if err := shortened.AdvanceStart(33); err != nil {
		t.Fatal(err)
	}
	idempotent := h.create(partition(5), small)
	for i := range 20 {
		b := buildBatch(t, record.Options{Producer: &record.Producer{ID: 4000, Epoch: 2, Sequence: record.Sequence(i)}},
			h.store.nowMs(), fmt.Sprintf("value-%d", i))
		if _, err := idempotent.Append(b, AppendOptions{LeaderEpoch: record.Epoch(i / 5)}); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
	}
	led := h.create(partition(6), nil)
	if err := led.SetEpoch(5, 0); err != nil {
		t.Fatal(err)
	}
	beyond, err := h.store.Create(partition(7), testTopicID, DefaultLogConfig(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	h.append(beyond, 3, "value-1000")
}

// seen is what somebody who uses a log can see of it.
type seen struct {
	id                        ident.TopicID
	start, end, highWatermark record.Offset
	recoveryPoint             int64
	epochs                    leaderEpochs
	segments                  []foundSegment
	producers                 []ProducerState
	values                    map[record.Offset]string
	times                     []TimestampOffset
}

func seenOf(t *testing.T, l *Log) seen {
	t.Helper()
	s := seen{
		id: l.TopicID(), start: l.StartOffset(), end: l.EndOffset(), highWatermark: l.HighWatermark(),
		recoveryPoint: l.recoveryPoint.Load(), producers: l.Producers(), values: readAll(t, l, l.StartOffset(), 300),
	}
	s.epochs = append(s.epochs, *l.epochs.Load()...)
	for _, found := range l.list() {
		s.segments = append(s.segments, foundSegment{found.base, found.size.Load()})
	}
	for ts := testStart; ts.Before(testStart.Add(time.Minute)); ts = ts.Add(500 * time.Millisecond) {
		at, _, err := l.OffsetForTimestamp(ts.UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		s.times = append(s.times, at)
	}
	return s
}

func allSeen(t *testing.T, s *Store) map[string]seen {
	t.Helper()
	all := map[string]seen{}
	for _, l := range s.Logs() {
		claim(t, l, testTopicID) // as whoever uses a log has it
		all[l.String()] = seenOf(t, l)
	}
	return all
}

// TestInventoryTellsWhatIsThere starts with an inventory and without, and wants to see the same, and the same after
// more was appended and after a crash.
func TestInventoryTellsWhatIsThere(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.open()
	varied(t, h)
	h.close(true)

	var looked atomic.Int32 // at others than the one that was cut: deleted segments wait there to be removed
	with := newHarness(t, vfs.WithFaults(mem.Restart(), func(op vfs.Op) error {
		if op.Kind == vfs.OpReadDir && op.Path != "/data" && op.Path != "/data/varied-3" {
			looked.Add(1)
		}
		return nil
	}))
	with.open()
	if n := looked.Load(); n > 0 {
		t.Errorf("%d partitions were looked into", n)
	}
	without := newHarness(t, mem.Restart())
	if err := without.fs.Remove("/data/" + inventoryName); err != nil {
		t.Fatal(err)
	}
	without.open()
	compare := func(what string) {
		t.Helper()
		want := allSeen(t, without.store)
		for name, got := range allSeen(t, with.store) {
			if !reflect.DeepEqual(got, want[name]) {
				t.Errorf("%s: %s is\n%+v\nwithout an inventory\n%+v", what, name, got, want[name])
			}
		}
		if len(want) != 8 {
			t.Errorf("%s: %d logs", what, len(want))
		}
	}
	compare("after a clean stop")
	for _, x := range []*harness{with, without} {
		for _, l := range x.store.Logs() {
			l.SetConfig(*with.store.Logs()[0].config.Load())
			x.appendMany(l, 30)
		}
	}
	compare("after more appends")
	for _, x := range []*harness{with, without} {
		x.close(true)
		x.open()
	}
	compare("after another clean stop")
}

// TestInventoryIsDoubted changes something by hand after a clean stop: what is there counts, and not what the inventory says.
func TestInventoryIsDoubted(t *testing.T) {
	const dir = "/data/orders-3/"
	active := dir + segmentFileName(0, recordsFile)
	for name, c := range map[string]struct {
		change func(t *testing.T, mem *vfs.Mem)
		end    record.Offset
	}{
		"nothing": {func(*testing.T, *vfs.Mem) {}, 5},
		"the log is cut": {func(t *testing.T, mem *vfs.Mem) {
			truncateFile(t, mem, active, 100)
		}, 1},
		"the log is cut and its time set back": {func(t *testing.T, mem *vfs.Mem) {
			info, err := mem.Stat(active)
			truncateFile(t, mem, active, 100)
			if err == nil {
				err = mem.Chtimes(active, info.ModTime())
			}
			if err != nil {
				t.Fatal(err)
			}
		}, 1},
		"the log is written over": {func(t *testing.T, mem *vfs.Mem) {
			f, err := mem.OpenFile(active, openOrCreate, 0o644)
			if err == nil {
				_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 100), 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, 0},
		"the directory is another": {func(t *testing.T, mem *vfs.Mem) {
			if err := mem.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := mem.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}, 0},
		"the inventory is torn": {func(t *testing.T, mem *vfs.Mem) {
			truncateFile(t, mem, "/data/"+inventoryName, 20)
		}, 5},
		"somebody else has marked the directory": {func(t *testing.T, mem *vfs.Mem) {
			truncateFile(t, mem, active, 100)
			f, err := mem.Create("/data/" + cleanMarkName)
			if err == nil {
				_, err = f.WriteAt([]byte(`{"version":0,"brokerEpoch":-1}`), 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			h := newHarness(t, mem)
			l := h.log(nil)
			h.appendMany(l, 5)
			h.close(true)
			c.change(t, mem)
			l = h.open().Log(testTopic)
			expectValues(t, l, 0, c.end)
			h.append(l, 1, fmt.Sprintf("value-%d", c.end))
			expectValues(t, l, 0, c.end+1)
		})
	}
}

func truncateFile(t *testing.T, mem *vfs.Mem, name string, size int64) {
	t.Helper()
	f, err := mem.OpenFile(name, openOrCreate, 0o644)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestInventoryIsOfOneStart kills the process after a start from an inventory: it says nothing of what came then.
func TestInventoryIsOfOneStart(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.appendMany(h.log(nil), 5)
	h.close(true)
	h.appendMany(h.open().Log(testTopic), 5)
	killed := newHarness(t, mem.Restart())
	expectValues(t, killed.open().Log(testTopic), 0, 10)
}

// TestInventoryLeavesOutWhatIsNotInOrder finds a file that is nobody's: a start has to look at that.
func TestInventoryLeavesOutWhatIsNotInOrder(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.appendMany(h.log(nil), 5)
	stray := filepath.Join("/data/orders-3", segmentFileName(3, recordsFile)+cleanedMark)
	if _, err := mem.Create(stray); err != nil {
		t.Fatal(err)
	}
	h.close(true)
	expectValues(t, h.open().Log(testTopic), 0, 5)
	if _, err := mem.Stat(stray); err == nil {
		t.Error("the start did not tidy up")
	}
}

func TestInventoryIsReadBack(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.open()
	varied(t, h)
	h.close(true)
	d := h.store.dirs[0]
	found := d.readInventory()
	if len(found) != 7 || !strings.HasPrefix(h.store.Logs()[0].String(), "varied-") {
		t.Fatalf("%d entries", len(found))
	}
	again, err := decodeInventory(found.encode())
	if err != nil || !reflect.DeepEqual(found, again) {
		t.Fatalf("%v: %+v is not %+v", err, again, found)
	}
}

func FuzzInventory(f *testing.F) {
	f.Add(inventory{"orders-3": {
		end: 7, epochs: leaderEpochs{{1, 0}, {4, 5}}, segments: []inventoriedSegment{{0, 100, 2, 1}, {5, 60, 0, 1}},
		active: inventoriedEnd{sinceIndex: 60, max: noTimeEntry}, snapshots: []record.Offset{5, 7}, producers: true,
	}}.encode())
	f.Fuzz(func(t *testing.T, content []byte) {
		found, err := decodeInventory(content)
		if err != nil {
			return
		}
		again, err := decodeInventory(found.encode())
		if err != nil || !reflect.DeepEqual(found, again) {
			t.Fatalf("%v: %+v is not %+v", err, again, found)
		}
	})
}
