package storage

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// tale is what a log has held: the leader epoch of the record at each offset.
type tale []record.Epoch

// startsAs tells whether a tale goes as another one, as far as it goes.
func (h tale) startsAs(other tale) bool {
	return len(h) <= len(other) && slices.Equal(h, other[:len(h)])
}

// of counts the records of a leader epoch. Each epoch has a producer of its own.
func (h tale) of(epoch record.Epoch) (n int) {
	for _, e := range h {
		if e == epoch {
			n++
		}
	}
	return n
}

// cutTorture is a follower's log that is cut again and again. Before every operation that changes the disk the machine
// crashes, and the process.
type cutTorture struct {
	*harness
	mem     *vfs.Mem
	log     *Log
	past    []tale // the log as it was at each step since the last one after which a crash could not undo it
	held    tale   // as it is
	shown   int    // up to where it has been committed
	synced  int    // up to where it is on the disk
	ops     int
	crashes int
}

func (w *cutTorture) write(epoch record.Epoch, n int) {
	w.t.Helper()
	for range n {
		at := len(w.held)
		b := buildBatch(w.t, record.Options{
			BaseOffset: record.Offset(at),
			Producer:   &record.Producer{ID: record.ProducerID(epoch), Sequence: record.Sequence(w.held.of(epoch))},
		}, testStart.UnixMilli(), fmt.Sprintf("offset %d", at))
		b.SetLeaderEpoch(epoch)
		w.held = append(w.held[:at:at], epoch)
		w.past = append(w.past, w.held)
		if _, err := w.log.Append(b, AppendOptions{Origin: Follower}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *cutTorture) cut(to int) {
	w.t.Helper()
	w.synced = min(w.synced, to)
	w.held = w.held[:to:to]
	w.past = append(w.past, w.held)
	if err := w.log.TruncateTo(record.Offset(to)); err != nil {
		w.t.Fatal(err)
	}
	if got := w.log.EndOffset(); got != record.Offset(to) {
		w.t.Fatalf("log ends at %d, it was cut at %d", got, to)
	}
}

// commit has the log's records shown, and the checkpoint files say so.
func (w *cutTorture) commit() {
	w.t.Helper()
	w.shown = len(w.held)
	w.log.SetHighWatermark(record.Offset(w.shown))
	if err := w.log.dir.checkpointAll(); err != nil {
		w.t.Fatal(err)
	}
}

// sync is what the flusher does by and by, or with all what Flush does.
func (w *cutTorture) sync(all bool) {
	w.t.Helper()
	end, what := len(w.held), wholeLog
	if !all {
		end, what = int(w.log.active().base), sealedSegments
	}
	if err := w.log.flush(what); err != nil {
		w.t.Fatal(err)
	}
	w.synced = max(w.synced, end)
	w.past = []tale{w.held}
}

// kill ends the process, and begins another one.
func (w *cutTorture) kill() {
	w.t.Helper()
	w.close(false)
	w.open()
	w.log = w.store.Log(testTopic)
	if got := w.log.EndOffset(); got != record.Offset(len(w.held)) {
		w.t.Fatalf("log ends at %d after the process was killed, not at %d", got, len(w.held))
	}
}

// crash looks what is left of the log where the machine goes down now.
func (w *cutTorture) crash(seed uint64) {
	w.crashes++
	after := newHarness(w.t, w.mem.Crash(seed))
	after.boot = ident.BootID{byte(w.ops), byte(w.ops >> 8), 1}
	s, err := OpenStore(after.options())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close(false)
	l := s.Log(testTopic)
	if l == nil {
		if w.synced > 0 {
			w.t.Error("the log is gone")
		}
		return
	}
	if l.StartOffset() != 0 {
		w.t.Errorf("the log starts at %d", l.StartOffset())
		return
	}
	left := w.read(l)
	if !slices.ContainsFunc(w.past, left.startsAs) {
		w.t.Errorf("the log was never %v; it was %v", left, w.past[len(w.past)-1])
	}
	if len(left) < w.synced {
		w.t.Errorf("%d records are left, %d were synced", len(left), w.synced)
	}
	shown := int(l.HighWatermark())
	if now := min(w.shown, len(w.held)); shown > now || !left[:shown].startsAs(w.held) {
		w.t.Errorf("high watermark %d of %v; committed were %d of %v", shown, left, w.shown, w.held)
	}
	checkEpochs(w.t, l)
	for _, p := range l.Producers() {
		if n := left.of(record.Epoch(p.ID)); p.LastSequence != record.Sequence(n-1) {
			w.t.Errorf("left is %v, and the producer of epoch %d is at %d", left, p.ID, p.LastSequence)
		}
	}
}

func (w *cutTorture) read(l *Log) tale {
	var left tale
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.eachBatch(0, func(b record.Batch, h *handle, pos int64) error {
		whole := make(record.Batch, b.Size())
		if err := readFull(h, whole, pos); err != nil {
			return err
		}
		if b.BaseOffset() != record.Offset(len(left)) {
			return fmt.Errorf("offset %d after %d records", b.BaseOffset(), len(left))
		}
		left = append(left, b.LeaderEpoch())
		return whole.Check(record.StoredLimits)
	})
	if err != nil {
		w.t.Error(err)
	}
	return left
}

// crashesAtACut is how many outcomes of a crash are tried at each operation.
const crashesAtACut = 12

// cutStories are what becomes of a log of ten records that are on the disk and committed.
var cutStories = map[string]func(w *cutTorture){
	"a tail": func(w *cutTorture) {
		w.write(1, 8)
		w.cut(13)
		w.write(2, 7)
		w.commit()
		w.write(2, 2)
	},
	"the process is killed": func(w *cutTorture) {
		w.write(1, 8)
		w.cut(13)
		w.write(2, 7)
		w.kill()
		w.commit()
		w.write(2, 4)
		w.sync(false)
		w.commit()
	},
	"twice, the second time behind": func(w *cutTorture) {
		w.write(1, 8)
		w.cut(13)
		w.write(2, 6)
		w.cut(15)
		w.write(3, 6)
		w.commit()
	},
	"twice, the second time before": func(w *cutTorture) {
		w.write(1, 8)
		w.cut(14)
		w.write(2, 6)
		w.cut(12)
		w.write(3, 6)
		w.commit()
	},
	"twice at one place": func(w *cutTorture) {
		w.write(1, 8)
		w.cut(14)
		w.write(2, 6)
		w.cut(14)
		w.write(3, 9)
		w.commit()
	},
	"what was synced": func(w *cutTorture) {
		w.write(1, 8)
		w.sync(true)
		if err := w.log.dir.checkpointAll(); err != nil {
			w.t.Fatal(err)
		}
		ExpectCuts([]Cut{{w.log, 14}})
		w.cut(14)
		w.write(2, 7)
		w.commit()
		w.sync(false)
		w.commit()
		w.write(2, 3)
	},
	"segments follow": func(w *cutTorture) {
		w.write(1, 8)
		w.cut(13)
		w.write(2, 30)
		w.commit()
		w.sync(false)
		w.write(2, 3)
	},
	"segments go": func(w *cutTorture) {
		w.write(1, 30)
		w.cut(13)
		w.write(2, 30)
		w.commit()
	},
	"segments go, and an earlier epoch was longer": func(w *cutTorture) {
		w.write(3, 30)
		second := int(w.log.list()[1].base)
		w.cut(12)
		w.write(1, second-12)
		w.commit()
		w.write(4, 5)
	},
	"after a clean stop": func(w *cutTorture) {
		w.write(1, 5)
		w.close(true)
		w.synced, w.past = len(w.held), []tale{w.held}
		w.open()
		w.log = w.store.Log(testTopic)
		w.cut(12)
		w.write(2, 9)
		w.commit()
	},
}

// What a crash leaves of a log that is being cut, and written to again, is what it held at some moment; and nothing counts
// as committed that was not. The first stories begin in a log of whose names nothing is synced.
func TestCrashAroundCuts(t *testing.T) {
	for name, story := range cutStories {
		for _, begun := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, synced before %v", name, begun), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testCrashAroundCuts(t, story, begun) })
			})
		}
	}
}

func testCrashAroundCuts(t *testing.T, story func(*cutTorture), begun bool) {
	w := &cutTorture{mem: vfs.NewMem(), past: []tale{{}}}
	watching := false
	w.harness = newHarness(t, vfs.WithFaults(w.mem, func(op vfs.Op) error {
		if !op.Kind.Changes() || !watching {
			return nil
		}
		w.ops++
		for n := range uint64(crashesAtACut) {
			w.crash(uint64(w.ops)*100 + n)
			if t.Failed() {
				t.Fatalf("the crash was before operation %d, %s %s, outcome %d", w.ops, op.Kind, op.Path, n)
			}
		}
		return nil
	}))
	c := DefaultLogConfig()
	c.IndexIntervalBytes, c.SegmentBytes = 200, 1600
	w.open()
	l, err := w.store.Create(testTopic, testTopicID, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.log = l
	w.write(1, 10)
	if begun {
		w.sync(true)
		w.commit()
	} else {
		w.shown = 10
		l.SetHighWatermark(10)
	}
	watching = true
	story(w)
	watching = false
	t.Logf("%d operations, %d crashes", w.ops, w.crashes)
}

// A cut beside a sync, which began before it and ends after it, stays in doubt: the sync knew nothing of the new segment.
func TestACutBesideASyncStaysInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var beside func()
		h := newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
			if do := beside; do != nil && op.Kind == vfs.OpSyncDir {
				beside = nil
				do()
			}
			return nil
		}))
		l := h.log(nil)
		h.appendMany(l, 10)
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		h.appendMany(l, 10)
		if err := l.SetEpoch(2, 15); err != nil { // so that there is a small file to sync
			t.Fatal(err)
		}
		beside = func() {
			if err := l.TruncateTo(13); err != nil {
				t.Error(err)
			}
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if beside != nil {
			t.Fatal("no directory was synced")
		}
		if at, _ := l.checkpointed(writtenOffsets); at != 13 {
			t.Errorf("written up to %d", at)
		}
		h.appendMany(l, 5)
		if at, _ := l.checkpointed(writtenOffsets); at != 13 {
			t.Errorf("written up to %d before the new segment's name is synced", at)
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if at, _ := l.checkpointed(writtenOffsets); at != 18 {
			t.Errorf("written up to %d after a sync", at)
		}
	})
}

// One write of each checkpoint file serves for all logs that are expected to be cut, and a cut of an end of which the disk
// knows nothing waits for no sync.
func TestCutsShareTheirSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		syncs := 0
		counting := false
		h := newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
			if counting && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir || op.Kind == vfs.OpSyncVolume) {
				syncs++
			}
			return nil
		}))
		h.open()
		var logs []*Log
		for n := range int32(20) {
			l := h.create(ident.TopicPartition{Topic: "cut", Partition: n}, nil)
			h.appendMany(l, 10)
			logs = append(logs, l)
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		var cuts []Cut
		for _, l := range logs {
			h.appendMany(l, 10)
			cuts = append(cuts, Cut{l, 15})
		}
		counting = true
		cutAll := func() {
			ExpectCuts(cuts)
			for _, c := range cuts {
				if err := c.Log.TruncateTo(c.To); err != nil {
					t.Error(err)
				}
			}
		}
		if cutAll(); syncs != 0 {
			t.Errorf("%d syncs for cuts of ends of which the disk knows nothing", syncs)
		}
		for i, l := range logs {
			h.appendMany(l, 10)
			l.SetHighWatermark(20)
			if err := l.Flush(); err != nil {
				t.Error(err)
			}
			cuts[i].To = 22
		}
		if err := h.store.dirs[0].checkpointAll(); err != nil {
			t.Error(err)
		}
		// A checkpoint file is synced, and its directory: that of the recovery points says too much, the others don't or need no sync.
		syncs = 0
		if cutAll(); syncs != 2 {
			t.Errorf("%d syncs for cuts of ends of which a checkpoint file speaks", syncs)
		}
	})
}
