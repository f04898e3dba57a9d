package storage

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

const timeEntrySize = 12

// timeEntry says that up to the batch whose last offset is base+relative no timestamp is larger than
// timestamp, which that batch bears.
type timeEntry struct {
	timestamp int64
	relative  int32
}

// noTimeEntry stands for the time before the first entry.
var noTimeEntry = timeEntry{timestamp: record.NoTimestamp}

// timeIndex finds offsets by timestamp. Entries are added, kept in memory for a while and flushed
// under the log's mutex; lookups see only what is in the file, so whoever needs the latest flushes
// first.
type timeIndex struct {
	file
	stored  atomic.Int32 // entries in the file
	pending []timeEntry  // guarded by the log's mutex
	last    timeEntry    // guarded by the log's mutex; the last entry, pending or stored
}

// count is how many entries there are. The caller holds the log's mutex.
func (x *timeIndex) count() int { return int(x.stored.Load()) + len(x.pending) }

func (x *timeIndex) reset(n int, last timeEntry) {
	x.pending = nil
	x.last = last
	x.stored.Store(int32(n))
}

// add appends an entry if its timestamp is larger than the last's.
func (x *timeIndex) add(e timeEntry) {
	if e.timestamp <= x.last.timestamp || x.count() > 0 && e.relative < x.last.relative {
		return
	}
	x.pending = append(x.pending, e)
	x.last = e
}

func (x *timeIndex) flush(f vfs.File) error {
	if len(x.pending) == 0 {
		return nil
	}
	buf := make([]byte, 0, len(x.pending)*timeEntrySize)
	for _, e := range x.pending {
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.timestamp))
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.relative))
	}
	stored := x.stored.Load()
	if _, err := f.WriteAt(buf, int64(stored)*timeEntrySize); err != nil {
		return fmt.Errorf("write time index: %w", err)
	}
	x.stored.Store(stored + int32(len(x.pending)))
	x.pending = nil
	return nil
}

// lookup returns the last stored entry whose timestamp is not larger than the one asked for, or
// noTimeEntry.
func (x *timeIndex) lookup(timestamp int64) (timeEntry, error) {
	n := int(x.stored.Load())
	if n == 0 {
		return noTimeEntry, nil
	}
	h, err := x.pin()
	if err != nil {
		return noTimeEntry, err
	}
	defer h.unpin()
	i, err := searchEntries(n, func(i int) (bool, error) {
		e, err := readTimeEntry(h, i)
		return e.timestamp <= timestamp, err
	})
	if err != nil || i == 0 {
		return noTimeEntry, err
	}
	return readTimeEntry(h, i-1)
}

// cut keeps the entries that don't reach beyond the offset index' last one, or none.
func (x *timeIndex) cut(f vfs.File, last offsetEntry, none bool) error {
	n, err := searchEntries(int(x.stored.Load()), func(i int) (bool, error) {
		e, err := readTimeEntry(f, i)
		return !none && e.relative <= last.relative, err
	})
	kept := noTimeEntry
	if err == nil && n > 0 {
		kept, err = readTimeEntry(f, n-1)
	}
	if err == nil {
		err = f.Truncate(int64(n) * timeEntrySize)
	}
	if err != nil {
		return fmt.Errorf("cut time index: %w", err)
	}
	x.reset(n, kept)
	return nil
}

func readTimeEntry(f io.ReaderAt, i int) (timeEntry, error) {
	var buf [timeEntrySize]byte
	if err := readFull(f, buf[:], int64(i)*timeEntrySize); err != nil {
		return noTimeEntry, fmt.Errorf("read time index: %w", err)
	}
	return timeEntry{
		timestamp: int64(binary.BigEndian.Uint64(buf[:])),
		relative:  int32(binary.BigEndian.Uint32(buf[8:])),
	}, nil
}
