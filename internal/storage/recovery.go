package storage

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"barnabas/internal/record"
)

// recoveryWindow is how much of a segment recovery reads at once; a larger batch gets a buffer of
// its own.
const recoveryWindow = 1 << 20

// loadSegments makes the found segments usable, from the first to the last: their indexes are
// trusted where the segment is, and built anew where they can't be. What is behind broken bytes is
// cut off, and said. It returns the segments that are left and the end of the log.
func (l *Log) loadSegments(segments []*segment, found listing, from loading) ([]*segment, record.Offset, error) {
	end := record.Offset(0)
	for i, s := range segments {
		s.loadIndexes(found)
		last := i == len(segments)-1
		var err error
		switch {
		case !last && (from.clean || segments[i+1].base <= from.trusted):
			end, err = segments[i+1].base, l.loadSealed(s, segments[i+1].base, found)
		case from.clean:
			end, err = l.loadActive(s, found)
		default:
			if end, err = l.recoverSegment(s, max(from.trusted, s.base), found); errors.Is(err, errOverlap) {
				end, err = segments[i+1].base, nil
			}
			if err == nil && !last && end < segments[i+1].base && end >= from.cleaned {
				err = fmt.Errorf("%w: the next segment begins at %d", errTorn, segments[i+1].base)
			}
		}
		if errors.Is(err, errTorn) {
			return l.cutAfter(segments, i, end, err)
		}
		if err == nil && !last {
			err = s.flushIndexes() // nothing will be appended to it
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return segments, end, nil
}

// errOverlap says that a segment went on beyond the beginning of the next one. A truncation had cut
// it there, which a crash of the machine undid; it has been cut again.
var errOverlap = errors.New("segment reaches into the next")

// errTorn says that a segment's bytes were broken from some place on, and are cut off there.
var errTorn = errors.New("broken batch")

// cutAfter removes the segments behind one that was cut.
func (l *Log) cutAfter(segments []*segment, i int, end record.Offset, cause error) ([]*segment, record.Offset, error) {
	var bytes int64
	for _, s := range segments[i+1:] {
		bytes += s.size.Load()
		if err := s.remove(); err != nil {
			return nil, 0, err
		}
	}
	if len(segments) > i+1 {
		if err := l.store.fs.SyncDir(l.path()); err != nil {
			return nil, 0, err
		}
	}
	if bytes > 0 {
		l.store.logger.Warn("removed the segments behind a broken batch", "partition", l.tp.String(),
			"offset", int64(end), "bytes", bytes, "segments", len(segments)-i-1, "error", cause)
	}
	return segments[: i+1 : i+1], end, nil
}

// loadIndexes takes the entries of the index files for what they are worth by their sizes.
func (s *segment) loadIndexes(found listing) {
	s.offsets.reset(int(found.indexes[segmentFile{base: s.base, kind: offsetIndexFile}]/offsetEntrySize), offsetEntry{})
	s.times.reset(int(found.indexes[segmentFile{base: s.base, kind: timeIndexFile}]/timeEntrySize), noTimeEntry)
}

// indexesLookSane tells whether both index files are there and hold whole entries.
func (s *segment) indexesLookSane(found listing) bool {
	offsets, ok := found.indexes[segmentFile{base: s.base, kind: offsetIndexFile}]
	if !ok || offsets%offsetEntrySize != 0 {
		return false
	}
	times, ok := found.indexes[segmentFile{base: s.base, kind: timeIndexFile}]
	return ok && times%timeEntrySize == 0
}

// loadSealed takes a segment that was synced, and ends at next, as it is. Broken bytes in it are
// found, and told, by who reads them: what follows stays.
func (l *Log) loadSealed(s *segment, next record.Offset, found listing) error {
	if s.indexesLookSane(found) {
		return nil
	}
	l.store.logger.Warn("building the indexes of a segment anew", "partition", l.tp.String(), "segment", int64(s.base))
	_, err := l.recoverSegment(s, next, found)
	if errors.Is(err, errTorn) || errors.Is(err, errOverlap) {
		return nil
	}
	return err
}

// loadActive finds the end of a log that was closed in order: what follows the last index entry is
// walked over.
func (l *Log) loadActive(s *segment, found listing) (record.Offset, error) {
	if s.size.Load() == 0 && s.indexesLookSane(found) {
		s.maxLoaded = true
		return s.base, nil
	}
	if !s.indexesLookSane(found) {
		return l.recoverSegment(s, s.base, found)
	}
	h, err := s.records.pin()
	if err != nil {
		return 0, err
	}
	defer h.unpin()
	at, err := s.keepSaneIndexes(h, found, func(offsetEntry) bool { return true })
	if err != nil {
		return 0, err
	}
	end, err := s.replay(h, at, s.size.Load())
	if errors.Is(err, record.ErrCorrupt) || errors.Is(err, record.ErrUnsupportedMagic) {
		l.store.logger.Warn("log was closed in order but is broken", "partition", l.tp.String(), "error", err)
		return l.recoverSegment(s, s.base, found)
	}
	return end, err
}

// keepSaneIndexes cuts the indexes to the entries that satisfy keep, if the last of those points
// where it says; to nothing if not. It returns the position up to which the indexes are good.
func (s *segment) keepSaneIndexes(h *handle, found listing, keep func(offsetEntry) bool) (int64, error) {
	if s.indexesLookSane(found) && s.offsets.count() == 0 && s.times.count() == 0 {
		s.sinceIndex, s.max, s.maxLoaded = 0, noTimeEntry, true
		return 0, nil
	}
	if err := s.makeIndexes(); err != nil {
		return 0, err
	}
	err := s.cutIndexes(keep)
	sane := err == nil && s.offsetsAscend()
	if sane && s.offsets.count() > 0 {
		last := s.offsets.last
		walk := walkHeaders(h, int64(last.position), s.size.Load())
		b, _, err := walk.next()
		sane = err == nil && last.position >= 0 && b.LastOffset() == s.base+record.Offset(last.relative)
		walk.close()
	}
	if !sane {
		if err := s.cutIndexes(func(offsetEntry) bool { return false }); err != nil {
			return 0, err
		}
	}
	s.sinceIndex, s.max, s.maxLoaded = 0, s.times.last, true
	return int64(s.offsets.last.position), nil
}

// offsetsAscend tells whether the last entry comes after the one before it. Those of a Kafka that was killed don't:
// its index files are as long as they may become, and end with zeroes.
func (s *segment) offsetsAscend() bool {
	n := s.offsets.count()
	if n < 2 {
		return true
	}
	h, err := s.offsets.pin()
	if err != nil {
		return false
	}
	defer h.unpin()
	before, err := readOffsetEntry(h, n-2)
	return err == nil && before.relative < s.offsets.last.relative
}

// makeIndexes makes the index files if they are missing.
func (s *segment) makeIndexes() error {
	for _, f := range []*file{&s.offsets.file, &s.times.file} {
		h, err := s.openFiles().open(f, openOrCreate)
		if err != nil {
			return err
		}
		h.unpin()
	}
	return nil
}

// after is the base of the first segment behind an offset, MaxInt64 if there is none.
func (f *listing) after(o record.Offset) record.Offset {
	for _, s := range f.segments {
		if s.base > o {
			return s.base
		}
	}
	return math.MaxInt64
}

// recoverSegment checks a segment's batches from an offset on, builds the indexes for them, and cuts
// off what is not a whole and sound batch: then the error is errTorn. It returns the offset after
// the last batch.
func (l *Log) recoverSegment(s *segment, from record.Offset, found listing) (record.Offset, error) {
	h, err := s.records.pin()
	if err != nil {
		return 0, err
	}
	defer h.unpin()
	sane := s.indexesLookSane(found)
	at, err := s.keepSaneIndexes(h, found, func(e offsetEntry) bool {
		return sane && s.base+record.Offset(e.relative) < from && int64(e.position) < s.size.Load()
	})
	if err != nil {
		return 0, err
	}
	scan := recoveryScan{log: l, segment: s, handle: h, pos: at, next: s.base, trusted: from,
		upTo: found.after(s.base), epochs: *l.epochs.Load(), latest: found.latest}
	broken := scan.run()
	if err := l.setEpochs(scan.epochs); err != nil {
		return scan.next, err
	}
	if errors.Is(broken, errTorn) || errors.Is(broken, errOverlap) {
		l.store.logger.Warn("cut a broken tail off a log", "partition", l.tp.String(), "offset", int64(scan.next),
			"segment", int64(s.base), "bytes", s.size.Load()-scan.pos, "error", broken)
		s.size.Store(scan.pos)
		// Synced, lest another crash undoes it under segments that were made after it.
		if err := errors.Join(h.Truncate(scan.pos), h.Sync()); err != nil {
			return scan.next, err
		}
	}
	return scan.next, broken
}

// recoveryScan walks a segment from a position to its end and checks every batch.
type recoveryScan struct {
	log     *Log
	segment *segment
	handle  *handle
	pos     int64         // where the next batch begins
	next    record.Offset // the lowest offset that it may have
	trusted record.Offset // batches that end before it need no checksum
	upTo    record.Offset // where the next segment begins
	epochs  leaderEpochs  // with those of the batches; nil if all will be taken from the whole log
	latest  *record.Epoch // of the batches of the log that were read until now
	// producers: a batch of an idempotent producer, or a control batch, was among them.
	producers bool

	window []byte
	at     int64 // the position of window[0]
}

// run returns nil at the end of the segment, errTorn at a broken batch (pos is where it begins), or
// why it can't read.
func (r *recoveryScan) run() error {
	interval := r.log.config.Load().IndexIntervalBytes
	for size := r.segment.size.Load(); r.pos < size; {
		b, err := r.batch(size)
		if err != nil {
			return err
		}
		if r.segment.note(b, r.pos, interval) {
			if err := r.segment.flushIndexes(); err != nil {
				return err
			}
		}
		r.noteEpoch(b)
		r.producers = r.producers || b.HasProducerID() || b.IsControl()
		r.pos += int64(len(b))
		r.next = b.NextOffset()
	}
	return nil
}

// noteEpoch holds the epochs against a batch. Where nothing was synced the batch is right: the file may be older, and
// may be younger.
func (r *recoveryScan) noteEpoch(b record.Batch) {
	epoch := b.LeaderEpoch()
	*r.latest = max(*r.latest, epoch)
	switch {
	case r.epochs == nil:
	case b.LastOffset() >= r.trusted:
		r.epochs = r.epochs.confirm(epoch, b.BaseOffset(), b.LastOffset())
	case epoch > r.epochs.latest():
		r.epochs = r.epochs.assign(epoch, b.BaseOffset())
	}
}

// batch reads and checks the next batch.
func (r *recoveryScan) batch(size int64) (record.Batch, error) {
	if err := r.fill(record.HeaderSize, size); err != nil {
		return nil, err
	}
	length, err := record.PeekSize(r.window[r.pos-r.at:])
	if err != nil {
		return nil, r.torn(err)
	}
	if int64(length) > size-r.pos {
		return nil, r.torn(fmt.Errorf("batch of %d bytes, %d are left", length, size-r.pos))
	}
	if err := r.fill(length, size); err != nil {
		return nil, err
	}
	b := record.Batch(r.window[r.pos-r.at:][:length])
	first, last := b.BaseOffset(), b.LastOffset()
	if _, fits := r.segment.relative(last); first < r.next || last < first || !fits {
		return nil, r.torn(fmt.Errorf("offsets %d to %d where %d is next", first, last, r.next))
	}
	if last >= r.upTo {
		return nil, fmt.Errorf("%w, at %d", errOverlap, r.upTo)
	}
	if last < r.trusted {
		return b, nil
	}
	if err := b.Check(record.StoredLimits); err != nil {
		return nil, r.torn(err)
	}
	if epoch := b.LeaderEpoch(); epoch >= 0 && epoch < *r.latest {
		return nil, r.torn(fmt.Errorf("offset %d is of leader epoch %d, and stands behind epoch %d", first, epoch, *r.latest))
	}
	return b, nil
}

// fill makes the window hold n bytes from pos on.
func (r *recoveryScan) fill(n int, size int64) error {
	if int64(n) > size-r.pos {
		return r.torn(fmt.Errorf("%d bytes are left of a batch", size-r.pos))
	}
	if r.pos >= r.at && r.pos+int64(n) <= r.at+int64(len(r.window)) {
		return nil
	}
	want := int(min(int64(max(n, recoveryWindow)), size-r.pos))
	r.window = slices.Grow(r.window[:0], want)[:want]
	r.at = r.pos
	err := readFull(r.handle, r.window, r.pos)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return r.torn(err)
	}
	return err
}

func (r *recoveryScan) torn(cause error) error {
	return fmt.Errorf("%w at position %d: %w", errTorn, r.pos, cause)
}
