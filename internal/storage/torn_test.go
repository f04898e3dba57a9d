package storage

import (
	"errors"
	"syscall"
	"testing"

	"barnabas/internal/vfs"
)

// A directory that comes back with less than its logs held is torn, as after a crash of the machine, and stays so over a
// restart of the process until it is settled.
func TestWhatIsLostWhileOfflineIsTorn(t *testing.T) {
	mem := vfs.NewMem()
	broken := false
	h := newHarness(t, vfs.WithFaults(mem, func(op vfs.Op) error {
		if broken {
			return syscall.EIO
		}
		return nil
	}))
	l := h.log(nil)
	h.appendMany(l, 20)
	broken = true
	if _, err := l.Append(batchOf(t, h.store.nowMs(), "v"), AppendOptions{LeaderEpoch: 1}); !errors.Is(err, ErrStorage) {
		t.Fatal(err)
	}
	broken = false
	h.store.probeOffline()
	d := h.store.Dirs()[0]
	if d.Err() != nil || d.Torn() || l.EndOffset() != 20 {
		t.Fatalf("after a passing error: %v, torn %v, end %d", d.Err(), d.Torn(), l.EndOffset())
	}
	broken = true
	if _, err := l.Append(batchOf(t, h.store.nowMs(), "v"), AppendOptions{LeaderEpoch: 1}); !errors.Is(err, ErrStorage) {
		t.Fatal(err)
	}
	broken = false
	f, err := mem.OpenFile(l.path()+"/"+segmentFileName(0, recordsFile), openOrCreate, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(l.Size()/2), f.Close()); err != nil {
		t.Fatal(err)
	}
	h.store.probeOffline()
	if d.Err() != nil || !d.Torn() || l.EndOffset() >= 20 {
		t.Fatalf("after a loss: %v, torn %v, end %d", d.Err(), d.Torn(), l.EndOffset())
	}
	h.store.Close(false)
	h.fs = mem.Restart()
	h.open()
	if d = h.store.Dirs()[0]; !d.Torn() {
		t.Error("the next process does not know")
	}
	if err := d.Settle(); err != nil {
		t.Fatal(err)
	}
	h.store.Close(false)
	h.fs = h.fs.(*vfs.Mem).Restart()
	h.open()
	if h.store.Dirs()[0].Torn() {
		t.Error("torn for ever")
	}
}

// A directory that is offline is not settled with those that are there.
func TestADirectoryThatIsOfflineStaysTorn(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	h.log(nil)
	d := h.store.Dirs()[0]
	d.torn.Store(true)
	d.fail(errors.New("gone"))
	if err := d.Settle(); !errors.Is(err, ErrStorage) || !d.Torn() {
		t.Errorf("settle: %v, torn %v", err, d.Torn())
	}
}
