package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"

	"barnabas/internal/vfs"
)

const (
	offsetEntrySize = 8
	// indexTailEntries is how many index entries wait in memory to be written with one call.
	indexTailEntries = 32
	// indexBlockEntries is how many entries a lookup reads at once when it has come near.
	indexBlockEntries = 256
)

// offsetEntry says that the batch whose last offset is base+relative begins at position.
type offsetEntry struct {
	relative, position int32
}

// offsetIndex finds positions by offset: an entry about every index.interval.bytes, sorted. One
// writer, under the log's mutex, adds entries; lookups take no lock. The last few entries are only
// in memory until flush.
type offsetIndex struct {
	file
	tail atomic.Pointer[offsetTail] // nil while the index was not loaded
	last offsetEntry                // guarded by the log's mutex; of the writer
}

// offsetTail is the entries that the file lacks.
type offsetTail struct {
	stored  int // how many entries the file has
	n       atomic.Int32
	entries []offsetEntry // len is the room; the first n are valid and never change
}

// noTail is that of an index without entries. It has no room, so nobody changes it.
var noTail offsetTail

func (t *offsetTail) added() []offsetEntry { return t.entries[:t.n.Load()] }

// count is how many entries there are.
func (x *offsetIndex) count() int {
	t := x.tail.Load()
	return t.stored + int(t.n.Load())
}

// reset makes the index one of the file's first n entries, the last of which is given.
func (x *offsetIndex) reset(n int, last offsetEntry) {
	tail := &noTail
	if n > 0 {
		tail = &offsetTail{stored: n}
	}
	x.tail.Store(tail)
	x.last = last
}

// add appends an entry unless it is not after the last. full says that the tail must be flushed first.
func (x *offsetIndex) add(e offsetEntry) (full bool) {
	t := x.tail.Load()
	if t.stored+int(t.n.Load()) > 0 && e.relative <= x.last.relative {
		return false
	}
	if t.entries == nil {
		t = &offsetTail{stored: t.stored, entries: make([]offsetEntry, indexTailEntries)}
		x.tail.Store(t)
	}
	n := t.n.Load()
	if int(n) == len(t.entries) {
		return true
	}
	t.entries[n] = e
	t.n.Store(n + 1)
	x.last = e
	return int(n)+1 == len(t.entries)
}

// flush writes the tail to the file. The memory goes back: an idle log holds none.
func (x *offsetIndex) flush(f vfs.File) error {
	t := x.tail.Load()
	added := t.added()
	if len(added) == 0 {
		return nil
	}
	buf := make([]byte, 0, indexTailEntries*offsetEntrySize)
	for _, e := range added {
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.relative))
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.position))
	}
	if _, err := f.WriteAt(buf, int64(t.stored)*offsetEntrySize); err != nil {
		return fmt.Errorf("write offset index: %w", err)
	}
	x.tail.Store(&offsetTail{stored: t.stored + len(added)})
	return nil
}

// lookup returns the last entry whose offset is not larger than the one asked for; the zero entry,
// which stands for the segment's beginning, if there's none.
func (x *offsetIndex) lookup(relative int32) (offsetEntry, error) {
	t := x.tail.Load()
	if added := t.added(); len(added) > 0 && added[0].relative <= relative {
		i := sort.Search(len(added), func(i int) bool { return added[i].relative > relative })
		return added[i-1], nil
	}
	if t.stored == 0 {
		return offsetEntry{}, nil
	}
	h, err := x.pin()
	if err != nil {
		return offsetEntry{}, err
	}
	defer h.unpin()
	n, err := searchOffsets(h, t.stored, relative)
	if err != nil || n == 0 {
		return offsetEntry{}, err
	}
	return readOffsetEntry(h, n-1)
}

var indexBlocks = sync.Pool{New: func() any { return new([indexBlockEntries * offsetEntrySize]byte) }}

// searchOffsets returns how many of the file's first n entries have an offset that is not larger.
func searchOffsets(f io.ReaderAt, n int, relative int32) (int, error) {
	low, high := 0, n
	for high-low > indexBlockEntries {
		mid := low + (high-low)/2
		e, err := readOffsetEntry(f, mid)
		if err != nil {
			return 0, err
		}
		if e.relative <= relative {
			low = mid + 1
		} else {
			high = mid
		}
	}
	buf := indexBlocks.Get().(*[indexBlockEntries * offsetEntrySize]byte)
	defer indexBlocks.Put(buf)
	block := buf[:(high-low)*offsetEntrySize]
	if err := readFull(f, block, int64(low)*offsetEntrySize); err != nil {
		return 0, fmt.Errorf("read offset index: %w", err)
	}
	return low + sort.Search(high-low, func(i int) bool {
		return int32(binary.BigEndian.Uint32(block[i*offsetEntrySize:])) > relative
	}), nil
}

func readOffsetEntry(f io.ReaderAt, i int) (offsetEntry, error) {
	var buf [offsetEntrySize]byte
	if err := readFull(f, buf[:], int64(i)*offsetEntrySize); err != nil {
		return offsetEntry{}, fmt.Errorf("read offset index: %w", err)
	}
	return offsetEntry{
		relative: int32(binary.BigEndian.Uint32(buf[:])),
		position: int32(binary.BigEndian.Uint32(buf[4:])),
	}, nil
}

// readFull reads exactly len(buf) bytes at a position.
func readFull(f io.ReaderAt, buf []byte, pos int64) error {
	n, err := f.ReadAt(buf, pos)
	if n == len(buf) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cut keeps the first entries, as long as keep says so, and returns the last of them. The tail must
// be flushed.
func (x *offsetIndex) cut(f vfs.File, keep func(offsetEntry) bool) (last offsetEntry, err error) {
	n, err := searchEntries(x.count(), func(i int) (bool, error) {
		e, err := readOffsetEntry(f, i)
		return err == nil && keep(e), err
	})
	if err == nil && n > 0 {
		last, err = readOffsetEntry(f, n-1)
	}
	if err == nil {
		err = f.Truncate(int64(n) * offsetEntrySize)
	}
	if err != nil {
		return last, fmt.Errorf("cut offset index: %w", err)
	}
	x.reset(n, last)
	return last, nil
}

// searchEntries returns how many of n entries satisfy a condition that holds for the first ones only.
func searchEntries(n int, holds func(i int) (bool, error)) (int, error) {
	var failed error
	found := sort.Search(n, func(i int) bool {
		ok, err := holds(i)
		failed = errors.Join(failed, err)
		return err != nil || !ok
	})
	return found, failed
}
