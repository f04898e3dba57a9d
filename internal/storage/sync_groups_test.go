package storage

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func syncing(c *LogConfig) {
	small(c)
	c.SyncOnAck = true
}

// acknowledging appends to logs as brokers do for fsync.on.ack, and notes what of them could have been acknowledged.
type acknowledging struct {
	*harness
	mu       sync.Mutex
	disk     *vfs.Mem
	promised map[ident.TopicPartition]*atomic.Int64
	ops      uint64 // guarded by mu
	broken   string // guarded by mu: the first promise that was broken
}

// crash loses what is not synced, and looks for what was promised before.
func (a *acknowledging) crash(op vfs.Op) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ops++
	promised := map[ident.TopicPartition]record.Offset{}
	for tp, end := range a.promised {
		promised[tp] = record.Offset(end.Load())
	}
	for seed := range uint64(2) {
		after := newHarness(a.t, a.disk.Crash(2*a.ops+seed))
		after.boot[0]++
		s, err := OpenStore(after.options())
		if err != nil {
			a.broken = fmt.Sprintf("operation %d: %v", a.ops, err)
			return nil
		}
		for tp, end := range promised {
			have := record.Offset(0)
			if l := s.Log(tp); l != nil {
				have = l.EndOffset()
				expectRead(a.t, l, l.StartOffset(), 500)
			}
			if have < end && a.broken == "" {
				a.broken = fmt.Sprintf("operation %d (%s %s), seed %d: %s: %d records were promised, there are %d\n%s",
					a.ops, op.Kind, op.Path, seed, tp, end, have, after.lines.buf.String())
			}
		}
		s.Close(false)
	}
	return nil
}

// write appends to a log of its own while the syncs go on, and now and then waits for them.
func (a *acknowledging) write(l *Log) error {
	promised := a.promised[l.tp]
	synced := make(chan struct{}, 1)
	done := func() {
		promised.Store(max(promised.Load(), int64(l.Synced())))
		select {
		case synced <- struct{}{}:
		default:
		}
	}
	for i := range 45 {
		b := batchOf(a.t, a.store.nowMs(), fmt.Sprintf("value-%d", l.EndOffset()))
		if _, err := l.Append(b, AppendOptions{LeaderEpoch: max(record.Epoch(1+i/20), l.LatestEpoch())}); err != nil {
			return err
		}
		l.SyncSoon(done)
		if i == 30 {
			if err := l.Flush(); err != nil { // the background's, beside them
				return err
			}
		}
		if i%4 != 3 {
			continue
		}
		for l.Synced() < l.EndOffset() {
			<-synced
		}
	}
	return nil
}

// TestPowerLossKeepsWhatWasSynced loses the page cache before every operation of the disk.
func TestPowerLossKeepsWhatWasSynced(t *testing.T) { powerLoss(t, 0) }

// TestPowerLossKeepsWhatWasSyncedTogether is the same where the volume is synced instead of files.
func TestPowerLossKeepsWhatWasSyncedTogether(t *testing.T) { powerLoss(t, 1) }

func powerLoss(t *testing.T, together int) {
	a := &acknowledging{disk: vfs.NewMem(), promised: map[ident.TopicPartition]*atomic.Int64{}}
	a.harness = newHarness(t, vfs.WithFaults(a.disk, func(op vfs.Op) error {
		if !op.Kind.Changes() {
			return nil
		}
		return a.crash(op)
	}))
	a.tune.SyncTogether = together
	topics := []ident.TopicPartition{testTopic, {Topic: "payments"}}
	for _, tp := range topics {
		a.promised[tp] = new(atomic.Int64)
	}
	for life := range 2 { // the second goes on after a kill, with records that nobody has synced
		a.open()
		var writers sync.WaitGroup
		for _, tp := range topics {
			l := a.store.Log(tp)
			if l == nil {
				l = a.create(tp, syncing)
			}
			c := l.Config()
			syncing(&c)
			l.SetConfig(c)
			writers.Go(func() {
				if err := a.write(l); err != nil {
					t.Error(err)
				}
			})
		}
		writers.Wait()
		if life == 1 {
			l := a.store.Log(testTopic)
			to := l.EndOffset() - 9
			a.promised[testTopic].Store(min(a.promised[testTopic].Load(), int64(to)))
			if err := l.TruncateTo(to); err != nil {
				t.Fatal(err)
			}
			if err := a.write(l); err != nil {
				t.Fatal(err)
			}
		}
		a.close(false)
		a.store = nil
	}
	if a.broken != "" {
		t.Fatal(a.broken)
	}
	t.Logf("%d operations", a.ops)
}

// What is appended while a sync is under way shares the next one.
func TestSyncGroupsShareSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs int
		begun, release := make(chan struct{}), make(chan struct{})
		h := newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
			if op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, ".log") {
				syncs++
				begun <- struct{}{}
				<-release
			}
			return nil
		}))
		l := h.log(func(c *LogConfig) { c.SyncOnAck = true })
		var told atomic.Int64
		done := func() { told.Add(1) }
		h.appendMany(l, 1)
		l.SyncSoon(done)
		<-begun
		for range 500 {
			h.appendMany(l, 1) // does not wait
			l.SyncSoon(done)
		}
		if l.Synced() != 0 || told.Load() != 0 {
			t.Fatalf("synced up to %d, told %d times, and the disk has not answered", l.Synced(), told.Load())
		}
		release <- struct{}{}
		<-begun
		if l.Synced() != 1 || told.Load() != 1 {
			t.Fatalf("synced up to %d, told %d times after the first sync", l.Synced(), told.Load())
		}
		release <- struct{}{}
		synctest.Wait()
		if l.Synced() != 501 || told.Load() != 2 || syncs != 2 {
			t.Fatalf("synced up to %d by %d syncs, told %d times", l.Synced(), syncs, told.Load())
		}
		l.SyncSoon(done)
		synctest.Wait()
		if syncs != 2 {
			t.Error("it is synced again, and nothing was appended")
		}
	})
}

// A sync that fails takes the directory offline, tells those who wait, and is not made good by another one beside it: the kernel
// tells an error once.
func TestFailedSyncIsNeverTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, release := make(chan struct{}), make(chan struct{})
		failed := false
		h := newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
			if op.Kind != vfs.OpSync || !strings.HasSuffix(op.Path, ".log") || failed {
				return nil
			}
			failed = true
			close(begun)
			<-release
			return syscall.EIO
		}))
		l := h.log(func(c *LogConfig) { c.SyncOnAck = true })
		h.appendMany(l, 3)
		told := make(chan struct{}, 1)
		l.SyncSoon(func() { told <- struct{}{} })
		<-begun
		other := make(chan error, 1)
		go func() { other <- l.Flush() }()
		synctest.Wait()
		if l.Synced() != 0 {
			t.Fatalf("synced up to %d while the first sync is under way", l.Synced())
		}
		close(release)
		<-told
		if err := <-other; !errors.Is(err, ErrStorage) {
			t.Errorf("a sync after one that failed: %v", err)
		}
		if l.Synced() != 0 || !errors.Is(l.Directory().Err(), ErrStorage) {
			t.Errorf("synced up to %d, the directory: %v", l.Synced(), l.Directory().Err())
		}
	})
}

// What a failed sync may have left behind in the page cache alone, and marked as written, is written again before a sync of it
// counts.
func TestAfterAFailedSyncTheRestIsWrittenAgain(t *testing.T) {
	for _, onAck := range []bool{true, false} {
		var fail, count atomic.Bool
		var writes atomic.Int64
		h := newHarness(t, vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
			records := strings.HasSuffix(op.Path, ".log")
			if records && op.Kind == vfs.OpSync && fail.Load() {
				return syscall.EIO
			}
			if records && op.Kind == vfs.OpWrite && count.Load() {
				writes.Add(1)
			}
			return nil
		}))
		l := h.log(func(c *LogConfig) { small(c); c.SyncOnAck = onAck })
		h.appendMany(l, 20)
		if err := l.flush(recordsOnly); err != nil {
			t.Fatal(err)
		}
		h.appendMany(l, 25)
		fail.Store(true)
		if err := l.flush(recordsOnly); !errors.Is(err, ErrStorage) {
			t.Fatal(err)
		}
		fail.Store(false)
		count.Store(true)
		h.store.probeOffline()
		count.Store(false)
		if err := l.Directory().Err(); err != nil {
			t.Fatal(err)
		}
		if again := writes.Load() > 0; again != onAck {
			t.Errorf("fsync.on.ack %v: %d writes", onAck, writes.Load())
		}
		expectValues(t, l, 0, 45)
		if err := l.flush(recordsOnly); err != nil || l.Synced() != 45 {
			t.Errorf("synced up to %d: %v", l.Synced(), err)
		}
		h.close(false)
		h.store = nil
	}
}
