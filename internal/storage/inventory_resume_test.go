package storage

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// starts is a start after the process, or the machine, has gone down in the middle of a life that began with an inventory.
type starts struct {
	t        *testing.T
	resumed  int // logs that nobody looked into
	compared int
}

// start opens what is left, and wants to see the same as a start that has no inventory.
func (s *starts) start(left *vfs.Mem, without *vfs.Mem, boot ident.BootID, when string) {
	s.t.Helper()
	if err := removeFile(without, "/data/"+inventoryName); err != nil {
		s.t.Fatal(err)
	}
	var looked atomic.Int32
	found := s.open(vfs.WithFaults(left, func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen && strings.HasSuffix(op.Path, leaderEpochsName) {
			looked.Add(1)
		}
		return nil
	}), boot)
	want := s.open(without, boot)
	if len(found) != len(want) {
		s.t.Fatalf("%s: %d logs, %d without an inventory", when, len(found), len(want))
	}
	for name, got := range found {
		if want := want[name]; !reflect.DeepEqual(got, want) {
			if slices.Equal(got.times, want.times) {
				got.times, want.times = nil, nil
			}
			s.t.Fatalf("%s: %s is\n%+v\nwithout an inventory\n%+v", when, name, got, want)
		}
	}
	s.resumed += len(found) - int(looked.Load())
	s.compared += len(found)
}

// open starts a process, looks at everything, and ends it before it has done anything.
func (s *starts) open(fsys vfs.FS, boot ident.BootID) map[string]seen {
	s.t.Helper()
	h := newHarness(s.t, fsys)
	h.boot = boot
	store, err := OpenStore(h.options())
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close(false)
	all := allSeen(s.t, store)
	for name, l := range all {
		// Of one without records nobody needs to know.
		l.epochs = append(leaderEpochs(nil), l.epochs.truncateEnd(l.end)...)
		all[name] = l
	}
	return all
}

// disturb does something to a log that appends, cuts or shortens it.
func disturb(h *harness, rng *rand.Rand, l *Log) error {
	epoch := max(0, l.LatestEpoch()) + record.Epoch(rng.IntN(2))
	switch rng.IntN(8) {
	case 0:
		return l.TruncateTo(l.StartOffset() + record.Offset(rng.Int64N(int64(l.EndOffset()-l.StartOffset())+1)))
	case 1:
		return l.TruncateFullyTo(record.Offset(rng.IntN(3) * int(l.EndOffset()) / 2))
	case 2:
		l.SetHighWatermark(l.EndOffset())
		return l.AdvanceStart(l.StartOffset() + record.Offset(rng.Int64N(int64(l.EndOffset()-l.StartOffset())+1)))
	case 3:
		return l.Flush()
	case 4:
		return l.SetEpoch(epoch+1, l.EndOffset())
	case 5:
		return l.dir.checkpointAll()
	}
	options := record.Options{}
	if rng.IntN(3) == 0 {
		options.Producer = &record.Producer{ID: record.ProducerID(rng.IntN(1000)), Sequence: 0}
	}
	for range 1 + rng.IntN(4) {
		b := buildBatch(h.t, options, h.store.nowMs(), fmt.Sprintf("value-%d", l.EndOffset()))
		if _, err := l.Append(b, AppendOptions{LeaderEpoch: epoch}); err != nil {
			return err
		}
		options.Producer = nil
		h.pass(time.Second)
	}
	return nil
}

// TestKilledAfterACleanStop stops in order, begins a life with what that has left, and kills the process, or the whole
// machine, before each operation that changes the disk. What the inventory makes of it has to be what a look at every file does.
func TestKilledAfterACleanStop(t *testing.T) {
	s := &starts{t: t}
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			s.t = t
			killedAfterACleanStop(s, seed)
		})
	}
	t.Logf("%d logs compared, %d of them by the inventory", s.compared, s.resumed)
	if s.resumed == 0 || s.resumed == s.compared {
		t.Error("nothing was decided by the inventory, or everything")
	}
}

func killedAfterACleanStop(s *starts, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0x1a7e))
	mem, trying, ops := vfs.NewMem(), false, 0
	h := newHarness(s.t, vfs.WithFaults(mem, func(op vfs.Op) error {
		if !trying || !op.Kind.Changes() {
			return nil
		}
		ops++
		when := fmt.Sprintf("seed %d, operation %d (%s %s)", seed, ops, op.Kind, op.Path)
		s.start(mem.Restart(), mem.Restart(), ident.BootID{9}, "killed, "+when)
		crash := seed*1000 + uint64(ops)
		s.start(mem.Crash(crash), mem.Crash(crash), ident.BootID{10}, "after a crash, "+when)
		return nil
	}))
	h.open()
	logs := make([]*Log, 3)
	for i := range logs {
		logs[i] = h.create(ident.TopicPartition{Topic: "t", Partition: int32(i)}, func(c *LogConfig) {
			if seed%3 == 2 {
				small(c)
			}
		})
		if i > 0 {
			h.appendMany(logs[i], 1+rng.IntN(12))
		}
	}
	for range 2 {
		h.close(true)
		h.open()
		trying = true
		for range 10 {
			l := h.store.Log(logs[rng.IntN(len(logs))].tp)
			if err := disturb(h, rng, l); err != nil {
				h.t.Fatal(err)
			}
		}
		trying = false
	}
	h.close(false)
}

// TestInventoryOfAnotherBootGoes starts after a crash of the machine, and after a stop that another program marked: what
// is left there is none of this boot, or not the last word, and must not count at a later start.
func TestInventoryOfAnotherBootGoes(t *testing.T) {
	for name, change := range map[string]func(h *harness) error{
		"another boot": func(h *harness) error { h.boot[0]++; return nil },
		"another's mark": func(h *harness) error {
			return vfs.WriteFileAtomic(h.fs, "/data/"+cleanMarkName, []byte(`{"version":0,"brokerEpoch":-1}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			h := newHarness(t, mem)
			h.appendMany(h.log(nil), 5)
			h.close(true)
			h.open()
			h.close(false)
			if err := change(h); err != nil {
				t.Fatal(err)
			}
			h.open()
			if _, err := mem.Stat("/data/" + inventoryName); err == nil {
				t.Error("the inventory is still there")
			}
		})
	}
}

// TestInventoryIsOfTheSameBatches has the log's one file made anew under its name, longer than it was: what the inventory
// knows of the old one says nothing of it.
func TestInventoryIsOfTheSameBatches(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	h.appendMany(h.log(nil), 5)
	h.close(true)
	l := h.open().Log(testTopic)
	if err := l.TruncateTo(0); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		h.append(l, 9, fmt.Sprintf("value-%d", i), "longer than those before")
	}
	h.pass(2 * time.Minute)
	h.store.deletions.run(h.store)
	killed := newHarness(t, mem.Restart())
	again := killed.open().Log(testTopic)
	if again.EndOffset() != 14 || again.EpochAt(0) != 9 {
		t.Errorf("the log ends at %d, its first record is of epoch %d", again.EndOffset(), again.EpochAt(0))
	}
}

// TestInventoryIsOfTheSameTopic deletes a log after a clean stop and makes another topic's under its name, which begins with the
// same batches: what the inventory knows of the old one says nothing of it, or the broker would remove it, with its records,
// as a deleted topic's.
func TestInventoryIsOfTheSameTopic(t *testing.T) {
	for _, records := range []int{0, 5} {
		t.Run(fmt.Sprint(records), func(t *testing.T) {
			mem := vfs.NewMem()
			h := newHarness(t, mem)
			h.appendMany(h.log(nil), records)
			h.close(true)
			h.open()
			if err := h.store.Delete(testTopic); err != nil {
				t.Fatal(err)
			}
			id := ident.TopicID{4, 5, 6}
			l, err := h.store.Create(testTopic, id, DefaultLogConfig(), 0)
			if err != nil {
				t.Fatal(err)
			}
			h.appendMany(l, 7)
			again := newHarness(t, mem.Restart()).open().Log(testTopic)
			if again.TopicID() != id {
				t.Errorf("the log is of topic %s, it was made for %s", again.TopicID(), id)
			}
			expectValues(t, again, 0, 7)
		})
	}
}
