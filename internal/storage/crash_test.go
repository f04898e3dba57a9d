package storage

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// torture is a log's life during which a crash is tried before every operation that changes the disk.
type torture struct {
	*harness
	mem     *vfs.Mem
	acked   record.Offset // what a killed process may not lose
	synced  record.Offset // what a crash of the machine may not lose
	start   record.Offset // what may be gone at the beginning
	ops     int
	crashes int
	also    func() // what else is looked at after each operation, if anything
}

// newTorture has the machine crash in so many ways, and the process killed, at every operation that changes anything.
func newTorture(t *testing.T, ways uint64) *torture {
	t.Helper()
	w := &torture{mem: vfs.NewMem()}
	w.harness = newHarness(t, vfs.WithFaults(w.mem, func(op vfs.Op) error {
		if !op.Kind.Changes() {
			return nil
		}
		w.ops++
		for seed := range ways {
			w.crash(w.mem.Crash(uint64(w.ops)*ways+seed), ident.BootID{byte(w.ops), 1}, w.synced)
		}
		w.crash(w.mem.Restart(), w.boot, w.acked)
		if w.also != nil {
			w.also()
		}
		return nil
	}))
	return w
}

// live does everything that changes a log, some of it synced.
func (w *torture) live() error {
	s, err := OpenStore(w.options())
	if err != nil {
		return err
	}
	w.store = s
	l := s.Log(testTopic)
	c := DefaultLogConfig()
	small(&c)
	if l == nil {
		if l, err = s.Create(testTopic, testTopicID, c, 0); err != nil {
			return errors.Join(err, s.Close(false))
		}
	}
	l.SetConfig(c)
	steps := []func(*Log) error{
		w.appends(12), w.flush, w.appends(25), w.appends(3), w.flush, w.appends(20),
		w.truncate(7), w.appends(9), w.flush, w.appends(15), w.drop, w.appends(10), w.checkpoint, w.appends(11),
	}
	for _, step := range steps {
		if err := step(l); err != nil {
			return errors.Join(err, s.Close(false))
		}
	}
	if err := s.Close(true); err != nil {
		return err
	}
	w.synced = w.acked
	return nil
}

func (w *torture) appends(n int) func(*Log) error {
	return func(l *Log) error {
		for i := range n {
			epoch := record.Epoch(int(l.EndOffset()) / 40)
			b := batchOf(w.t, w.store.nowMs(), fmt.Sprintf("value-%d", l.EndOffset()))
			done, err := l.Append(b, AppendOptions{LeaderEpoch: max(epoch, l.LatestEpoch())})
			if err != nil {
				return fmt.Errorf("append %d: %w", i, err)
			}
			w.acked = done.LastOffset + 1
		}
		return nil
	}
}

func (w *torture) flush(l *Log) error {
	end := l.EndOffset()
	if err := l.Flush(); err != nil {
		return err
	}
	w.synced = end
	return nil
}

func (w *torture) truncate(n record.Offset) func(*Log) error {
	return func(l *Log) error {
		to := l.EndOffset() - n
		w.acked, w.synced = min(w.acked, to), min(w.synced, to)
		return l.TruncateTo(to)
	}
}

// drop removes the first records, by hand and by retention.
func (w *torture) drop(l *Log) error {
	l.SetHighWatermark(l.EndOffset())
	w.start = l.StartOffset() + 20
	if err := l.AdvanceStart(w.start); err != nil {
		return err
	}
	w.store.retain([]*Log{l})
	if err := l.usable(); err != nil {
		return err
	}
	w.pass(2 * time.Minute)
	w.store.deletions.run(w.store)
	return nil
}

func (w *torture) checkpoint(l *Log) error { return l.dir.checkpointAll() }

// crash opens what is left on a copy of the disk and wants it to be what was promised.
func (w *torture) crash(mem *vfs.Mem, boot ident.BootID, atLeast record.Offset) {
	w.crashes++
	after := newHarness(w.t, mem)
	after.boot = boot
	s, err := OpenStore(after.options())
	if err != nil {
		w.t.Fatalf("operation %d: %v", w.ops, err)
	}
	defer s.Close(false)
	after.store = s
	l := s.Log(testTopic)
	if l == nil {
		if atLeast > 0 {
			w.t.Fatalf("operation %d: the log is gone, %d records were promised", w.ops, atLeast)
		}
		return
	}
	end := l.EndOffset()
	if end < atLeast {
		w.t.Fatalf("operation %d: log ends at %d, %d were promised\n%s", w.ops, end, atLeast, after.lines.buf.String())
	}
	if l.StartOffset() > w.start {
		w.t.Fatalf("operation %d: log starts at %d, not %d", w.ops, l.StartOffset(), w.start)
	}
	expectRead(w.t, l, l.StartOffset(), 500)
	checkEpochs(w.t, l)
	if w.t.Failed() {
		w.t.Fatalf("operation %d: the log was [%d, %d)\n%s", w.ops, l.StartOffset(), end, after.lines.buf.String())
	}
	done, err := l.Append(batchOf(w.t, after.store.nowMs(), "after"), AppendOptions{LeaderEpoch: 100})
	if err != nil || done.BaseOffset != end {
		w.t.Fatalf("operation %d: append after recovery at %d: %+v %v", w.ops, end, done, err)
	}
}

// checkEpochs wants the epochs to be those that the batches bear.
func checkEpochs(t *testing.T, l *Log) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.eachBatch(l.StartOffset(), func(b record.Batch, _ *handle, _ int64) error {
		if at := l.epochs.Load().at(b.BaseOffset()); b.BaseOffset() >= l.StartOffset() && at != b.LeaderEpoch() {
			t.Errorf("offset %d: epoch %d, the batch has %d: %v", b.BaseOffset(), at, b.LeaderEpoch(), *l.epochs.Load())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCrashAtEveryOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testCrashAtEveryOperation(t, 0) })
}

// TestCrashAtEveryOperationWithVolume is the same where the volume is synced instead of files.
func TestCrashAtEveryOperationWithVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testCrashAtEveryOperation(t, 1) })
}

func testCrashAtEveryOperation(t *testing.T, syncTogether int) {
	w := newTorture(t, 3)
	w.tune.SyncTogether = syncTogether
	for range 2 {
		if err := w.live(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d operations, %d crashes", w.ops, w.crashes)
}

// TestErrorAtEveryOperation makes every single operation fail once. What was acknowledged stays, what failed is
// not visible, the directory is offline, and a probe brings it back.
func TestErrorAtEveryOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testErrorAtEveryOperation(t, 0) })
}

// TestErrorAtEveryOperationWithVolume is the same where the volume is synced instead of files.
func TestErrorAtEveryOperationWithVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { testErrorAtEveryOperation(t, 1) })
}

func testErrorAtEveryOperation(t *testing.T, syncTogether int) {
	for _, cause := range []error{syscall.EIO, &vfs.ShortWrite{Written: 5, Err: syscall.ENOSPC}} {
		for n := int64(1); ; n++ {
			mem := vfs.NewMem()
			failed := false
			hook := vfs.FailNth(n, false, cause, nil)
			w := &torture{mem: mem}
			w.harness = newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
				err := hook(op)
				if op.Kind != vfs.OpWrite {
					var short *vfs.ShortWrite
					if errors.As(err, &short) {
						err = short.Err
					}
				}
				failed = failed || err != nil
				return err
			}))
			w.tune.SyncTogether = syncTogether
			err := w.live()
			if !failed {
				t.Logf("%d operations", n)
				break
			}
			if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("operation %d failed, and with it: %v", n, err)
			}
			w.crash(mem.Restart(), w.boot, w.acked)
			if t.Failed() {
				t.Fatalf("operation %d, error %v", n, err)
			}
		}
	}
}

// A log that a crash of the machine has cut short is cut short at its end: it begins where it began, though no name of
// a segment was synced by anybody else.
func TestCrashKeepsTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		h := newHarness(t, mem)
		l := h.log(small)
		h.appendMany(l, 60)
		for seed := range uint64(100) {
			after := newHarness(t, mem.Crash(seed))
			after.boot[0]++
			s, err := OpenStore(after.options())
			if err != nil {
				t.Fatal(err)
			}
			if l := s.Log(testTopic); l != nil && l.StartOffset() != 0 {
				t.Errorf("seed %d: the log is [%d, %d)", seed, l.StartOffset(), l.EndOffset())
			}
			s.Close(false)
		}
	})
}

// What a checkpoint said of records that a crash has taken says nothing of those that come in their place.
func TestCheckpointsForgetWhatACrashHasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		h := newHarness(t, mem)
		l := h.log(nil)
		h.appendMany(l, 10)
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		h.appendMany(l, 30)
		l.SetHighWatermark(40)
		if err := l.dir.checkpointAll(); err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(20) {
			torn := mem.Crash(seed)
			after := newHarness(t, torn)
			after.boot[0]++
			l := after.open().Log(testTopic)
			end := l.EndOffset()
			after.appendMany(l, 20)
			killed := newHarness(t, torn.Restart())
			killed.boot = after.boot
			if got := killed.open().Log(testTopic).HighWatermark(); got > end {
				t.Errorf("seed %d: high watermark %d, the log ended at %d before anything was appended", seed, got, end)
			}
		}
	})
}
