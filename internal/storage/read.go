package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// maxSpanRanges bounds the segments that one read spans.
const maxSpanRanges = 16

// ReadOptions bound a read.
type ReadOptions struct {
	// MaxBytes is how much to return at most. The last batch may be cut by it, as Kafka's are.
	MaxBytes int
	// MinOneBatch returns the first batch whole even if it is larger than MaxBytes.
	MinOneBatch bool
	// UpTo bounds the batches: none holds an offset at or after it. Zero means the end of the log.
	UpTo record.Offset
	// Room, if given, is memory for the span's ranges: where it suffices none is allocated.
	Room []Range
}

// Range is a piece of a segment's file.
type Range struct {
	File vfs.File
	Pos  int64
	Len  int

	handle *handle
}

// Span is what a read found: pieces of files, which stay open until Release. The zero Span is empty.
type Span struct {
	// Ranges are in the order of their offsets.
	Ranges []Range

	log *Log
}

// Len is the bytes of all ranges.
func (s *Span) Len() int {
	n := 0
	for i := range s.Ranges {
		n += s.Ranges[i].Len
	}
	return n
}

// Release lets go of the files. The ranges must not be used after it. It may be called once more.
func (s *Span) Release() {
	for i := range s.Ranges {
		if h := s.Ranges[i].handle; h != nil {
			h.unpin()
		}
	}
	s.Ranges = nil
}

// CopyTo reads the ranges into buf, which has room for Len bytes, and returns how many were read.
// ErrStorage if that fails; io.ErrUnexpectedEOF if the log was truncated meanwhile.
func (s *Span) CopyTo(buf []byte) (int, error) {
	total := 0
	for i := range s.Ranges {
		r := &s.Ranges[i]
		n, err := r.File.ReadAt(buf[total:total+r.Len], r.Pos)
		total += n
		if n == r.Len {
			continue
		}
		if err == nil || errors.Is(err, io.EOF) {
			return total, io.ErrUnexpectedEOF
		}
		return total, s.log.failed("read", err)
	}
	return total, nil
}

// Read returns where the batches are that follow offset from, beginning with the one that holds it.
// It takes no lock. Compaction may have removed the record at from: then the span begins with the
// first batch after it.
//
// A span that was read before a truncation may show what was appended in place of what it pointed
// to; whoever truncates knows that readers have been told better.
//
// Errors: ErrOffsetOutOfRange when from is not within [StartOffset, EndOffset], ErrCorruptMessage,
// ErrStorage, ErrDeleted.
func (l *Log) Read(from record.Offset, opts ReadOptions) (Span, error) {
	if err := l.usable(); err != nil {
		return Span{}, err
	}
	truncations := l.truncations.Load()
	// The end first: a segment list read after it reaches at least as far.
	end := l.EndOffset()
	if start := l.StartOffset(); from < start || from > end {
		return Span{}, fmt.Errorf("%s: offset %d is not in [%d, %d]: %w", l, from, start, end, ErrOffsetOutOfRange)
	}
	upTo := end
	if opts.UpTo > 0 {
		upTo = min(opts.UpTo, end)
	}
	if from >= upTo || opts.MaxBytes <= 0 && !opts.MinOneBatch {
		return Span{}, nil
	}
	span, list := Span{Ranges: opts.Room[:0], log: l}, l.list()
	if err := l.collect(&span, list, from, upTo, opts); err != nil {
		span.Release()
		if errors.Is(err, fs.ErrNotExist) && !slices.Equal(list, l.list()) {
			return l.Read(from, opts) // a segment was removed before its file was opened
		}
		if l.cutSince(truncations, err) {
			return l.Read(from, opts)
		}
		return Span{}, l.failed("read", err)
	}
	return span, nil
}

func (l *Log) collect(span *Span, list []*segment, from, upTo record.Offset, opts ReadOptions) error {
	left := opts.MaxBytes
	for i := max(0, segmentAt(list, from)); i < len(list) && list[i].base < upTo; i++ {
		if len(span.Ranges) == maxSpanRanges || left <= 0 && (len(span.Ranges) > 0 || !opts.MinOneBatch) {
			return nil
		}
		s := list[i]
		h, err := s.records.pin()
		if err != nil {
			return err
		}
		minOne := opts.MinOneBatch && len(span.Ranges) == 0
		whole := i+1 < len(list) && list[i+1].base <= upTo
		pos, length, err := l.stretch(stretch{s, h, from, upTo, whole}, left, minOne)
		if s.discarded() {
			err = errDiscarded
		}
		if err != nil || length == 0 {
			h.unpin()
			if isBadBatch(err) && len(span.Ranges) > 0 {
				return nil // whoever has read what is before it meets it with the next read
			}
			if err != nil {
				return err
			}
			continue
		}
		span.Ranges = append(span.Ranges, Range{File: h.File, Pos: pos, Len: length, handle: h})
		left -= length
	}
	return nil
}

// errDiscarded says that a segment was removed or replaced while its files were opened: those may have been another's, of
// the same name, that was discarded after it.
var errDiscarded = fmt.Errorf("segment was discarded: %w", fs.ErrNotExist)

// stretch is what a read wants of a segment: from the batch that holds an offset up to the one that
// holds another, or to the end if it wants the whole rest.
type stretch struct {
	seg        *segment
	handle     *handle
	from, upTo record.Offset
	whole      bool
}

// stretch finds the bytes of a stretch: at most left, unless the first batch is larger and minOne is
// set.
func (l *Log) stretch(w stretch, left int, minOne bool) (pos int64, length int, err error) {
	pos, firstSize, err := l.firstBatch(w)
	if err != nil || pos < 0 {
		return 0, 0, err
	}
	limit, err := l.lastByte(w)
	if err != nil {
		return 0, 0, err
	}
	available := min(limit-pos, math.MaxInt32)
	if available <= 0 {
		return 0, 0, nil
	}
	if minOne && int64(left) < available {
		if firstSize == 0 {
			if firstSize, err = batchSize(w.handle, pos, limit); err != nil {
				return 0, 0, err
			}
		}
		left = max(left, firstSize)
	}
	return pos, int(min(int64(left), available)), nil
}

// firstBatch is the position of the first batch whose last offset is not smaller than from, and its
// size, 0 if it wasn't looked at; -1 if the segment has none.
func (l *Log) firstBatch(w stretch) (pos int64, size int, err error) {
	if w.from <= w.seg.base {
		return w.seg.firstBatch(w.handle)
	}
	if at, ok := l.boundaries.find(w.from); ok && at.seg == w.seg {
		return at.pos, 0, nil
	}
	at, found, err := w.seg.find(w.from, w.handle)
	if err != nil || !found {
		return -1, 0, err
	}
	return at.pos, at.size, nil
}

// lastByte is the position of the first batch that holds upTo or a later offset, or the segment's
// size. That an append has published the size and not yet the end of the log is no reason to show
// it.
func (l *Log) lastByte(w stretch) (int64, error) {
	size := w.seg.size.Load()
	if w.whole {
		return size, nil
	}
	if at, ok := l.boundaries.find(w.upTo); ok && at.seg == w.seg {
		return at.pos, nil
	}
	at, found, err := w.seg.find(w.upTo, w.handle)
	if err != nil || !found {
		return size, err
	}
	return at.pos, nil
}

// firstBatch is the position and size of the segment's first batch: one look at each segment, so that a file that
// doesn't begin with a batch is not handed out.
func (s *segment) firstBatch(h *handle) (pos int64, size int, err error) {
	if end := s.size.Load(); end > 0 {
		size, err = batchSize(h, 0, end)
	}
	return 0, size, err
}

func batchSize(h *handle, pos, end int64) (int, error) {
	walk := walkHeaders(h, pos, end)
	defer walk.close()
	b, _, err := walk.next()
	if err != nil {
		return 0, err
	}
	return b.Size(), nil
}
