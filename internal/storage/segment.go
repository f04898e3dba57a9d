package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"sync/atomic"

	"barnabas/internal/record"
)

// unknownTimestamp stands for a timestamp that was not read from disk yet.
const unknownTimestamp int64 = math.MinInt64

// segment is a stretch of a log: a file of batches and its indexes. All offsets in it lie in [base,
// base+MaxInt32].
//
// Batches lie in [0, size): the writer, under the log's mutex, publishes size after the bytes are
// written, so a reader that stays below it reads whole batches. Fields without a word are guarded by
// the log's mutex.
type segment struct {
	log     *Log
	base    record.Offset // constant
	records file
	offsets offsetIndex
	times   timeIndex
	size    atomic.Int64
	mark    atomic.Pointer[string] // what the files' names bear in the end; nil for nothing

	created        int64 // milliseconds: when it was made or loaded
	sinceIndex     int64 // bytes appended after the batch of the last index entry
	firstTimestamp int64 // the first batch's, or unknownTimestamp
	// last is the last batch that was appended or walked over, as long as it is known.
	last lastBatch
	// max is the largest timestamp and the last offset of the first batch that bears it. In a sealed
	// segment it is read when it is needed.
	max       timeEntry
	maxLoaded bool
}

func newSegment(l *Log, base record.Offset) *segment {
	s := &segment{log: l, base: base, created: l.store.nowMs(), firstTimestamp: unknownTimestamp, max: noTimeEntry, last: noBatch}
	s.records.of, s.records.kind = s, recordsFile
	s.offsets.of, s.offsets.kind = s, offsetIndexFile
	s.times.of, s.times.kind = s, timeIndexFile
	s.offsets.reset(0, offsetEntry{})
	s.times.reset(0, noTimeEntry)
	return s
}

// createSegment makes an empty segment with its files. The caller holds the log's mu.
func createSegment(l *Log, base record.Offset) (*segment, error) {
	s := newSegment(l, base)
	s.maxLoaded = true
	return s, s.createFiles()
}

// createFiles makes the files of an empty segment. The caller holds the log's mu.
func (s *segment) createFiles() error {
	s.log.unnamed = true
	for _, f := range s.files() {
		h, err := f.create()
		if err != nil {
			return fmt.Errorf("create segment %d: %w", s.base, err)
		}
		h.unpin()
	}
	return nil
}

func (s *segment) files() [3]*file {
	return [3]*file{&s.records, &s.offsets.file, &s.times.file}
}

func (s *segment) openFiles() *handles { return &s.log.store.handles }

func (s *segment) pathOf(kind fileKind) string {
	path := segmentPath(s.log.path(), s.base, kind)
	if mark := s.mark.Load(); mark != nil {
		path += *mark
	}
	return path
}

func segmentPath(dir string, base record.Offset, kind fileKind) string {
	return filepath.Join(dir, segmentFileName(base, kind))
}

// relative is an offset's distance from the base.
func (s *segment) relative(o record.Offset) (rel int32, ok bool) {
	d := int64(o) - int64(s.base)
	return int32(d), d >= 0 && d <= math.MaxInt32
}

// write appends bytes that hold whole batches, and notes them in the indexes. The caller publishes
// the log's end offset. After an error the file is as it was, or the error says that it could not be
// cut back.
func (s *segment) write(batches []byte, intervalBytes int32) error {
	h, err := s.records.pin()
	if err != nil {
		return err
	}
	defer h.unpin()
	at := s.size.Load()
	if _, err := h.WriteAt(batches, at); err != nil {
		if cut := h.Truncate(at); cut != nil {
			err = errors.Join(err, fmt.Errorf("cut back to %d: %w", at, cut))
		}
		return fmt.Errorf("append to segment %d: %w", s.base, err)
	}
	full := false
	for rest, pos := batches, at; len(rest) > 0; {
		batch, after, err := record.Next(rest)
		if err != nil {
			panic(fmt.Sprintf("storage: %s: appending what was not checked: %v", s.log, err))
		}
		full = s.note(batch, pos, intervalBytes) || full
		pos += int64(len(batch))
		rest = after
	}
	s.size.Store(at + int64(len(batches)))
	if full {
		return s.flushIndexes()
	}
	return nil
}

// note takes a batch at a position into timestamps and indexes. It reports whether the indexes must
// be flushed.
func (s *segment) note(b record.Batch, pos int64, intervalBytes int32) (full bool) {
	rel, _ := s.relative(b.LastOffset())
	s.last = lastBatch{pos, b.BaseOffset(), b.LeaderEpoch(), b.CRC()}
	if s.firstTimestamp == unknownTimestamp && pos == 0 {
		s.firstTimestamp = b.MaxTimestamp()
	}
	if b.MaxTimestamp() > s.max.timestamp {
		s.max = timeEntry{timestamp: b.MaxTimestamp(), relative: rel}
	}
	if s.sinceIndex > int64(intervalBytes) && pos <= math.MaxInt32 {
		full = s.offsets.add(offsetEntry{relative: rel, position: int32(pos)})
		s.times.add(s.max)
		s.sinceIndex = 0
	}
	s.sinceIndex += int64(b.Size())
	return full
}

// flushIndexes writes the index entries that are only in memory, and the largest timestamp as the
// time index' last entry.
func (s *segment) flushIndexes() error {
	if s.maxLoaded && s.max != noTimeEntry {
		s.times.add(s.max)
	}
	if len(s.offsets.tail.Load().added()) > 0 {
		h, err := s.offsets.pin()
		if err != nil {
			return err
		}
		defer h.unpin()
		if err := s.offsets.flush(h); err != nil {
			return err
		}
	}
	if len(s.times.pending) > 0 {
		h, err := s.times.pin()
		if err != nil {
			return err
		}
		defer h.unpin()
		return s.times.flush(h)
	}
	return nil
}

// sync makes the segment's files survive a crash of the machine. It takes no lock.
func (s *segment) sync() error { return s.syncExtent(wholeLog) }

func (s *segment) syncExtent(what extent) error {
	all := s.files()
	files := all[:]
	if what == recordsOnly {
		files = files[:1]
	}
	for _, f := range files {
		h, err := f.pin()
		if err != nil {
			return err
		}
		err = h.Sync()
		h.unpin()
		if err != nil {
			return fmt.Errorf("sync segment %d: %w", s.base, err)
		}
	}
	return nil
}

// place is a batch's place in a segment.
type place struct {
	seg *segment
	pos int64
	// base and last are the batch's offsets, size its bytes.
	base, last record.Offset
	size       int
}

// find returns the first batch whose last offset is not smaller than o. found is false if the
// segment ends before. It takes no lock.
func (s *segment) find(o record.Offset, h *handle) (at place, found bool, err error) {
	end := s.size.Load()
	rel, ok := s.relative(o)
	if !ok {
		if o > s.base {
			return place{}, false, nil
		}
		rel = 0
	}
	entry, err := s.offsets.lookup(rel)
	if err != nil {
		return place{}, false, err
	}
	at, found, err = s.scan(o, int64(entry.position), end, h)
	if entry.position != 0 && (errors.Is(err, record.ErrCorrupt) || errors.Is(err, record.ErrUnsupportedMagic)) {
		// The index leads astray, the file may be well: read it from its beginning.
		return s.scan(o, 0, end, h)
	}
	return at, found, err
}

func (s *segment) scan(o record.Offset, from, end int64, h *handle) (place, bool, error) {
	if from < 0 || from > end {
		return place{}, false, fmt.Errorf("index points to %d, segment ends at %d: %w", from, end, record.ErrCorrupt)
	}
	walk := walkHeaders(h, from, end)
	defer walk.close()
	for first := true; ; first = false {
		b, pos, err := walk.next()
		if errors.Is(err, io.EOF) {
			return place{}, false, nil
		}
		if err != nil {
			return place{}, false, fmt.Errorf("segment %d: %w", s.base, err)
		}
		if first && pos > 0 && (b.BaseOffset() < s.base || b.BaseOffset() > o) {
			return place{}, false, fmt.Errorf("segment %d: index points to offset %d for %d: %w",
				s.base, b.BaseOffset(), o, record.ErrCorrupt)
		}
		if b.LastOffset() >= o {
			return place{s, pos, b.BaseOffset(), b.LastOffset(), b.Size()}, true, nil
		}
	}
}

// loadMax reads a sealed segment's largest timestamp from its time index.
func (s *segment) loadMax() error {
	if s.maxLoaded {
		return nil
	}
	if n := s.times.count(); n > 0 {
		h, err := s.times.pin()
		if err != nil {
			return err
		}
		defer h.unpin()
		e, err := readTimeEntry(h, n-1)
		if err != nil {
			return err
		}
		s.max, s.times.last = e, e
	}
	s.maxLoaded = true
	return nil
}

// largestTimestamp is the largest timestamp of the records, or, if they bear none, when the file was
// written.
func (s *segment) largestTimestamp() (int64, error) {
	if err := s.loadMax(); err != nil {
		return 0, err
	}
	if s.max.timestamp >= 0 {
		return s.max.timestamp, nil
	}
	info, err := s.log.store.fs.Stat(s.pathOf(recordsFile))
	if err != nil {
		return 0, err
	}
	return info.ModTime().UnixMilli(), nil
}

// loadFirstTimestamp reads the first batch's timestamp. The segment is not empty.
func (s *segment) loadFirstTimestamp() (int64, error) {
	if s.firstTimestamp != unknownTimestamp {
		return s.firstTimestamp, nil
	}
	h, err := s.records.pin()
	if err != nil {
		return 0, err
	}
	defer h.unpin()
	walk := walkHeaders(h, 0, s.size.Load())
	defer walk.close()
	b, _, err := walk.next()
	if err != nil {
		return 0, err
	}
	s.firstTimestamp = b.MaxTimestamp()
	return s.firstTimestamp, nil
}

// retire closes the segment's files once nobody reads them.
func (s *segment) retire() {
	for _, f := range s.files() {
		f.retire()
	}
}

// remove removes the segment's files; those that are not there are no error.
func (s *segment) remove() error {
	s.retire()
	for kind := recordsFile; kind <= txnIndexFile; kind++ {
		if err := removeFile(s.log.store.fs, s.pathOf(kind)); err != nil {
			return fmt.Errorf("remove segment %d: %w", s.base, err)
		}
	}
	return nil
}

// rename gives the segment's files another mark, or none. They are open meanwhile, so that nobody
// looks for one under the name that it had.
func (s *segment) rename(mark string) error {
	for _, f := range s.files() {
		h, err := f.pin()
		if err != nil {
			return err
		}
		defer h.unpin()
	}
	for kind := recordsFile; kind <= txnIndexFile; kind++ {
		err := s.log.store.fs.Rename(s.pathOf(kind), segmentPath(s.log.path(), s.base, kind)+mark)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rename segment %d: %w", s.base, err)
		}
	}
	s.mark.Store(&mark)
	return nil
}

// cutIndexes keeps the index entries that come first and satisfy keep, and the time index' as far as
// they reach.
func (s *segment) cutIndexes(keep func(offsetEntry) bool) error {
	if err := s.flushIndexes(); err != nil {
		return err
	}
	offsets, err := s.offsets.pin()
	if err != nil {
		return err
	}
	defer offsets.unpin()
	times, err := s.times.pin()
	if err != nil {
		return err
	}
	defer times.unpin()
	last, err := s.offsets.cut(offsets, keep)
	if err != nil {
		return err
	}
	return s.times.cut(times, last, s.offsets.count() == 0)
}
