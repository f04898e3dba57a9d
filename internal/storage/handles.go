package storage

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"barnabas/internal/vfs"
)

// handles bounds the files that the store keeps open. A file is opened when it is first pinned and
// stays open, unpinned, until its place is needed: then a clock hand closes one that was not used
// since the hand last came by. Pinning an open file takes no lock.
type handles struct {
	fs    vfs.FS
	limit int // Settings.MaxOpenFiles

	mu   sync.Mutex
	ring []*handle // guarded by mu: the open files that the hand goes round
	hand int       // guarded by mu
}

// file is a file of a segment, open or not.
type file struct {
	handle atomic.Pointer[handle]
	of     *segment
	kind   fileKind
}

// pin returns the file open; the caller unpins it.
func (f *file) pin() (*handle, error) {
	if h := f.handle.Load(); h != nil && h.pin() {
		return h, nil
	}
	return f.of.openFiles().open(f, os.O_RDWR)
}

// create is pin for a file that is new or to be made anew, empty.
func (f *file) create() (*handle, error) {
	f.retire()
	return f.of.openFiles().open(f, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

// retire closes a file that is to be removed, renamed or read anew, as soon as the last pin is gone.
func (f *file) retire() { f.of.openFiles().retire(f) }

// handle is an open file. It is closed when nobody refers to it: neither the ring nor a pin.
type handle struct {
	vfs.File
	owner *file
	refs  atomic.Int32 // one is the ring's own
	used  atomic.Bool
	place int // in the ring; guarded by handles.mu, -1 when it's not there
}

// pin adds a reference unless the file is being closed.
func (h *handle) pin() bool {
	for {
		n := h.refs.Load()
		if n <= 0 {
			return false
		}
		if h.refs.CompareAndSwap(n, n+1) {
			if !h.used.Load() {
				h.used.Store(true)
			}
			return true
		}
	}
}

// unpin gives a reference back; the last one closes the file.
func (h *handle) unpin() {
	if h.refs.Add(-1) == 0 {
		// Nothing is lost here: what must last was synced, and a write that failed has told so.
		h.Close()
	}
}

func (hs *handles) open(f *file, flags int) (*handle, error) {
	hs.makeRoom(1)
	opened, err := hs.openAt(f, flags)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		// The process has fewer descriptors than the bound says: let go of half of ours.
		hs.makeRoom(hs.limit / 2)
		opened, err = hs.openAt(f, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	h := &handle{File: opened, owner: f}
	h.refs.Store(2)
	h.used.Store(true)

	hs.mu.Lock()
	if other := f.handle.Load(); other != nil && other.pin() {
		hs.mu.Unlock()
		opened.Close()
		return other, nil
	}
	f.handle.Store(h)
	h.place = len(hs.ring)
	hs.ring = append(hs.ring, h)
	crowded := len(hs.ring) > hs.limit // others have opened files meanwhile
	hs.mu.Unlock()
	if crowded {
		hs.makeRoom(0)
	}
	return h, nil
}

// openAt opens a file where it is. Between asking for its path and opening it, the file may have
// been renamed and another, of a segment that replaces it, have got its name.
func (hs *handles) openAt(f *file, flags int) (vfs.File, error) {
	for path := f.of.pathOf(f.kind); ; {
		opened, err := hs.fs.OpenFile(path, flags, 0o644)
		now := f.of.pathOf(f.kind)
		if now == path {
			return opened, err
		}
		if err == nil {
			opened.Close()
		}
		path = now
	}
}

// makeRoom closes files that nobody pins until n more may be opened. Each file gets a second chance, so
// the hand goes round at most twice.
func (hs *handles) makeRoom(n int) {
	hs.mu.Lock()
	var closing []*handle
	for steps := 2 * len(hs.ring); steps > 0 && len(hs.ring) > max(0, hs.limit-n); steps-- {
		if hs.hand >= len(hs.ring) {
			hs.hand = 0
		}
		h := hs.ring[hs.hand]
		if h.used.Swap(false) || !h.refs.CompareAndSwap(1, 0) {
			hs.hand++
			continue
		}
		hs.remove(h)
		closing = append(closing, h)
	}
	hs.mu.Unlock()
	for _, h := range closing {
		h.Close()
	}
}

// remove takes a handle from the ring. The caller holds mu.
func (hs *handles) remove(h *handle) {
	last := len(hs.ring) - 1
	hs.ring[h.place] = hs.ring[last]
	hs.ring[h.place].place = h.place
	hs.ring[last] = nil
	hs.ring = hs.ring[:last]
	h.place = -1
	h.owner.handle.CompareAndSwap(h, nil)
}

func (hs *handles) retire(f *file) {
	hs.mu.Lock()
	h := f.handle.Load()
	if h == nil || h.place < 0 {
		hs.mu.Unlock()
		return
	}
	hs.remove(h)
	hs.mu.Unlock()
	h.unpin()
}

// count is how many files are open.
func (hs *handles) count() int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return len(hs.ring)
}
