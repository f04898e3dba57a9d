package storage

import (
	"errors"
	"fmt"
	"io"

	"barnabas/internal/record"
)

// TruncateTo cuts off what is at or after an offset: whole batches, so the end may come to lie lower.
// Errors: ErrStorage, ErrDeleted.
func (l *Log) TruncateTo(o record.Offset) error {
	if err := l.cutAt(o); err != nil {
		return err
	}
	return l.dir.distrust(l)
}

func (l *Log) cutAt(o record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if o >= l.EndOffset() {
		return nil
	}
	defer l.truncations.Add(1)
	if o < l.list()[0].base {
		return l.restartAt(o)
	}
	end, err := l.truncateTo(o)
	if err != nil {
		return l.failed("truncate", err)
	}
	return l.failed("truncate", l.truncated(end))
}

// truncateTo removes the segments after an offset and cuts the one that holds it.
func (l *Log) truncateTo(o record.Offset) (end record.Offset, err error) {
	list := l.list()
	i := segmentAt(list, o)
	s := list[i]
	h, err := s.records.pin()
	if err != nil {
		return 0, err
	}
	at, found, err := s.find(o, h)
	h.unpin()
	if err != nil {
		return 0, err
	}
	size, end := s.size.Load(), o
	if found {
		size, end = at.pos, min(at.base, o)
	}
	// Readers see the end move down before the bytes go.
	l.boundaries.clear()
	l.noteCut(end)
	l.end.Store(int64(end))
	l.setList(list[: i+1 : i+1])
	for _, dropped := range list[i+1:] {
		if err := l.discard(dropped); err != nil {
			return 0, err
		}
	}
	return end, s.cutTo(size)
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
	if err := l.clearTo(o); err != nil {
		return err
	}
	return l.dir.distrust(l)
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
	l.unsynced = true
	if err := l.producers.truncateFully(l.store.fs, l.path(), o); err != nil {
		return l.failed("truncate", err)
	}
	l.publishUnstable()
	return l.failed("truncate", l.setEpochs(leaderEpochs{}))
}

// truncated brings everything else in line with an end that has moved down.
func (l *Log) truncated(end record.Offset) error {
	// That the file was cut isn't synced: until it is, all of it counts as not synced.
	l.recoveryPoint.Store(min(l.recoveryPoint.Load(), int64(l.active().base)))
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
	_, err = s.replay(h, from, size)
	return err
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
// bytes that belong to something else. It waits for a truncation under way.
func (l *Log) cutSince(truncations int64, err error) bool {
	if !errors.Is(err, io.ErrUnexpectedEOF) && !isBadBatch(err) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.truncations.Load() != truncations
}
