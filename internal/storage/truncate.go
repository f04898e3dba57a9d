package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"barnabas/internal/record"
)

// A truncation and a crash of the machine.
//
// What is appended after a cut goes into a segment of its own, so that bytes which a crash brings back can't stand among
// others: recovery ends a segment where the next one begins. That takes the new segment's name. A cut of nothing but the
// end of the last segment, which is what followers cut when a leader goes, does not wait until that name is on the disk;
// the flusher sees to it within a second. Until then two things hold, and by them a crash leaves a log that there was:
//
//   - No other name of the log's files is missing, and none is wanted: the segment that was cut has its name before
//     (nameSegments), another one is begun only once the new one's is there, and no file has been renamed or removed.
//     So a crash leaves the new segment, before which recovery cuts off what has come back; or it leaves none, and then
//     the log is what it was before the cut, or the beginning of that. It would be cut again, as its epochs tell.
//   - No checkpoint file speaks of anything at or behind the cut (certain): what has come back would be believed,
//     or shown, for what stood in its place. Where one does it is written before the first byte goes, and the cut waits
//     for that. ExpectCuts has one such write serve for many logs.
//
// A cut that takes away whole segments, or snapshots of producers, waits until the disk has it all.

// Cut is a log, and from where on it is to be cut off.
type Cut struct {
	Log *Log
	To  record.Offset
}

// ExpectCuts prepares logs for being cut, at once for all: a checkpoint file that says too much of some of them is written
// once. It changes no log, and what fails will fail again when the log is cut.
func ExpectCuts(cuts []Cut) {
	byDirectory := map[*Directory][]*Log{}
	for _, c := range cuts {
		if c.Log.mayBeCut(c.To) {
			byDirectory[c.Log.dir] = append(byDirectory[c.Log.dir], c.Log)
		}
	}
	for d, logs := range byDirectory {
		_ = d.distrust(logs...)
	}
}

// mayBeCut has no checkpoint file say more of the log than is there below an offset, until it is synced again.
func (l *Log) mayBeCut(to record.Offset) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.usable() != nil || to >= l.EndOffset() {
		return false
	}
	end := to
	if to >= l.list()[0].base {
		at, err := l.cutPlace(to)
		if err != nil {
			return false
		}
		end = at.end
	}
	l.doubt(end)
	return true
}

// doubt keeps the checkpoint files from saying more of the log than an offset, until the flusher has synced its names. The
// caller holds mu.
func (l *Log) doubt(from record.Offset) {
	l.certain.Store(min(l.certain.Load(), int64(from)))
	l.unsynced = true
	l.store.flusher.add(l)
}

// TruncateTo cuts off what is at or after an offset: whole batches, so the end may come to lie lower. A crash of the
// machine may undo it or a part of it, but never so that what is appended afterwards stands behind, or among, what was
// cut off. Errors: ErrStorage, ErrDeleted.
func (l *Log) TruncateTo(o record.Offset) error {
	due, err := l.expectCut(func() (synced, end record.Offset, err error) {
		if o >= l.EndOffset() {
			return 0, 0, errNothingToCut
		}
		if o < l.list()[0].base {
			return o, o, nil
		}
		at, err := l.cutPlace(o)
		// The segment that is cut has to be synced again, to its end.
		return max(l.list()[at.segment].base, at.end-1), at.end, err
	})
	if !due || err != nil {
		return err
	}
	return l.finishCut(l.cutAt(o))
}

// errNothingToCut says that a log ends before the offset at which it was to be cut.
var errNothingToCut = errors.New("nothing to cut")

// expectCut has the disk know that from one offset on nothing is synced, and that from an end on nothing is certain, before
// the first byte goes: recovery would trust what a crash has brought back. Where it returns true without an error,
// finishCut has to follow.
func (l *Log) expectCut(where func() (synced, end record.Offset, err error)) (due bool, err error) {
	l.mu.Lock()
	err = l.usable()
	if err == nil {
		var synced, end record.Offset
		synced, end, err = where()
		if err == nil {
			l.cuts++
			l.recoveryPoint.Store(min(l.recoveryPoint.Load(), int64(synced)))
			l.synced.Store(min(l.synced.Load(), int64(synced)))
			l.highWatermark.Store(min(l.highWatermark.Load(), max(int64(end), l.start.Load())))
			l.doubt(end)
		}
	}
	l.mu.Unlock()
	switch {
	case errors.Is(err, errNothingToCut):
		return false, nil
	case err != nil:
		return false, l.failed("truncate", err)
	}
	if err := l.dir.distrust(l); err != nil {
		return false, l.finishCut(false, err)
	}
	return true, nil
}

// finishCut ends a cut. One that is not light waits until the names of the log's files survive a crash of the machine, with
// mu held, lest the directory is renamed meanwhile: nobody appends to a log that is being cut.
func (l *Log) finishCut(light bool, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cuts--
	if err != nil || light {
		return err
	}
	if err := l.store.fs.SyncDir(l.path()); err != nil {
		return l.failed("truncate", err)
	}
	l.unnamed = false
	l.certain.Store(math.MaxInt64)
	return nil
}

// cutAt cuts, and tells whether that was light: nothing but the end of the last segment went.
func (l *Log) cutAt(o record.Offset) (light bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	if o >= l.EndOffset() {
		return false, nil
	}
	defer l.truncations.Add(1)
	if o < l.list()[0].base {
		return false, l.restartAt(o)
	}
	end, light, err := l.truncateTo(o)
	if err != nil {
		return false, l.failed("truncate", err)
	}
	return light, l.failed("truncate", l.truncated(end))
}

// cutPlace is where a log is cut: a segment of the list, its size after that, and the log's end.
type cutPlace struct {
	segment int
	size    int64
	end     record.Offset
}

// cutPlace finds the batch that holds an offset. The caller holds mu.
func (l *Log) cutPlace(o record.Offset) (cutPlace, error) {
	list := l.list()
	i := segmentAt(list, o)
	s := list[i]
	h, err := s.records.pin()
	if err != nil {
		return cutPlace{}, err
	}
	defer h.unpin()
	at, found, err := s.find(o, h)
	if err != nil {
		return cutPlace{}, err
	}
	if found {
		return cutPlace{i, at.pos, min(at.base, o)}, nil
	}
	return cutPlace{i, s.size.Load(), o}, nil
}

// truncateTo removes the segments after an offset, cuts the one that holds it, and begins another one there.
func (l *Log) truncateTo(o record.Offset) (end record.Offset, light bool, err error) {
	at, err := l.cutPlace(o)
	if err != nil {
		return 0, false, err
	}
	list := l.list()
	s, kept, base := list[at.segment], list[:at.segment+1:at.segment+1], at.end
	if at.size > 0 && s == l.active() {
		light = !l.producers.snapshotAfter(at.end)
		if err := l.nameSegments(); err != nil {
			return 0, false, err
		}
	}
	// Readers see the end move down before the bytes go.
	l.boundaries.clear()
	l.noteCut(at.end)
	l.end.Store(int64(at.end))
	l.setList(kept)
	for _, dropped := range list[at.segment+1:] {
		if err := l.discard(dropped); err != nil {
			return 0, false, err
		}
	}
	if at.size > 0 {
		err = s.cutTo(at.size)
	} else {
		kept, base = list[:at.segment:at.segment], s.base
		err = l.discard(s)
	}
	if err != nil {
		return 0, false, err
	}
	fresh, err := createSegment(l, base)
	if err != nil {
		return 0, false, err
	}
	l.unsynced = true
	l.setList(append(kept, fresh))
	l.store.flusher.add(l)
	return at.end, light, nil
}

// ForgetFuture drops the leader epochs that begin at the log's end: those of a leader, this broker perhaps, that
// wrote nothing, so that its successors may never hear of them. Errors: ErrStorage, ErrDeleted.
func (l *Log) ForgetFuture() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	return l.failed("write leader epochs", l.setEpochs(l.epochs.Load().truncateEnd(l.EndOffset())))
}

// TruncateFullyTo drops all records and lets the log begin anew at an offset. Errors: ErrStorage,
// ErrDeleted.
func (l *Log) TruncateFullyTo(o record.Offset) error {
	due, err := l.expectCut(func() (synced, end record.Offset, err error) {
		return min(o, l.list()[0].base), o, nil
	})
	if !due || err != nil {
		return err
	}
	return l.finishCut(false, l.clearTo(o))
}

func (l *Log) clearTo(o record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.truncations.Add(1)
	if err := l.usable(); err != nil {
		return err
	}
	return l.restartAt(o)
}

// restartAt is TruncateFullyTo under mu.
func (l *Log) restartAt(o record.Offset) error {
	if err := l.makeFiles(); err != nil {
		return l.failed("truncate", err)
	}
	old := l.list()
	l.boundaries.clear()
	l.noteCut(o)
	for _, s := range old {
		if err := l.discard(s); err != nil {
			return l.failed("truncate", err)
		}
	}
	fresh, err := createSegment(l, o)
	if err != nil {
		return l.failed("truncate", err)
	}
	l.setList([]*segment{fresh})
	// The start may not be above the end at any moment, nor the end below the start.
	if o < l.StartOffset() {
		l.start.Store(int64(o))
		l.end.Store(int64(o))
	} else {
		l.end.Store(int64(o))
		l.start.Store(int64(o))
	}
	l.dir.startsChanged.Store(true)
	l.highWatermark.Store(int64(o))
	l.recoveryPoint.Store(min(l.recoveryPoint.Load(), int64(o)))
	l.synced.Store(min(l.synced.Load(), int64(o)))
	l.unsynced = true
	if err := l.producers.truncateFully(l.store.fs, l.path(), o); err != nil {
		return l.failed("truncate", err)
	}
	l.publishUnstable()
	return l.failed("truncate", l.setEpochs(leaderEpochs{}))
}

// truncated brings everything else in line with an end that has moved down.
func (l *Log) truncated(end record.Offset) error {
	l.highWatermark.Store(min(l.highWatermark.Load(), int64(end)))
	if end < l.StartOffset() {
		l.start.Store(int64(end))
		l.dir.startsChanged.Store(true)
	}
	if err := l.setEpochs(l.epochs.Load().truncateEnd(end)); err != nil {
		return err
	}
	return l.reloadProducers(l.StartOffset())
}

// cutTo shortens the segment to size bytes, which end with a batch, and its indexes with it.
func (s *segment) cutTo(size int64) error {
	s.size.Store(size)
	h, err := s.records.pin()
	if err != nil {
		return err
	}
	defer h.unpin()
	if err := s.cutIndexes(func(e offsetEntry) bool { return int64(e.position) < size }); err != nil {
		return err
	}
	if err := h.Truncate(size); err != nil {
		return fmt.Errorf("cut segment %d to %d: %w", s.base, size, err)
	}
	// What lies behind the last index entry counts for the next one, and may bear the largest
	// timestamp.
	from := int64(s.offsets.last.position)
	s.sinceIndex, s.max, s.maxLoaded = 0, s.times.last, true
	if size == 0 {
		s.firstTimestamp = unknownTimestamp
	}
	if _, err = s.replay(h, from, size); err != nil {
		return err
	}
	return s.flushIndexes() // nothing is appended to it any more
}

// replay takes the batches between two positions into indexes and timestamps again, and returns the
// offset after the last.
func (s *segment) replay(h *handle, from, to int64) (next record.Offset, err error) {
	next = s.base
	interval := s.log.config.Load().IndexIntervalBytes
	walk := walkHeaders(h, from, to)
	defer walk.close()
	for walk.pos < to {
		b, pos, err := walk.next()
		if err != nil {
			return next, err
		}
		next = b.NextOffset()
		if s.note(b, pos, interval) {
			if err := s.flushIndexes(); err != nil {
				return next, err
			}
		}
	}
	return next, nil
}

// noteCut tells syncs and the cleaner that the end moves down. The caller holds mu.
func (l *Log) noteCut(end record.Offset) {
	l.truncations.Add(1)
	l.cutTo.Store(min(l.cutTo.Load(), int64(end)))
}

// cutSince reports whether an error is what a reader meets when the log is cut beside it: a file that ends too early, or
// is gone, or bytes that belong to something else. It waits for a truncation under way.
func (l *Log) cutSince(truncations int64, err error) bool {
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, fs.ErrNotExist) && !isBadBatch(err) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.truncations.Load() != truncations
}
