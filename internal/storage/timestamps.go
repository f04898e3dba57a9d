package storage

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"barnabas/internal/record"
)

// TimestampOffset is a record found by time.
type TimestampOffset struct {
	Timestamp   int64
	Offset      record.Offset
	LeaderEpoch record.Epoch
}

// OffsetForTimestamp finds the first record whose timestamp is ts (milliseconds) or later. found is
// false if there is none. Errors: ErrCorruptMessage, ErrStorage, ErrDeleted.
func (l *Log) OffsetForTimestamp(ts int64) (at TimestampOffset, found bool, err error) {
	truncations := l.truncations.Load()
	candidates, err := l.segmentsByTime(func(largest int64) bool { return largest >= ts })
	if err != nil {
		return at, false, err
	}
	for _, s := range candidates {
		at, found, err = l.searchTime(s, ts)
		if s.discarded() || l.cutSince(truncations, err) {
			return l.OffsetForTimestamp(ts) // another may have taken its place
		}
		if errors.Is(err, fs.ErrNotExist) && !slices.Contains(l.list(), s) {
			continue // removed since
		}
		if err != nil || found {
			return at, found, l.failed("search by timestamp", err)
		}
	}
	return at, false, nil
}

// MaxTimestamp finds the first record that bears the largest timestamp (KIP-734). found is false in
// an empty log. Errors: ErrCorruptMessage, ErrStorage, ErrDeleted.
func (l *Log) MaxTimestamp() (at TimestampOffset, found bool, err error) {
	largest := record.NoTimestamp
	_, err = l.segmentsByTime(func(ts int64) bool {
		largest = max(largest, ts)
		return false
	})
	if err != nil || largest < 0 {
		return at, false, err
	}
	return l.OffsetForTimestamp(largest)
}

// segmentsByTime returns the segments, in order, whose largest timestamp is wanted, their time
// indexes written.
func (l *Log) segmentsByTime(wanted func(largest int64) bool) ([]*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	var found []*segment
	for _, s := range l.list() {
		if err := s.loadMax(); err != nil {
			return nil, l.failed("read time index", err)
		}
		if s.size.Load() == 0 || s.max.timestamp < 0 || !wanted(s.max.timestamp) {
			continue
		}
		if err := s.flushIndexes(); err != nil {
			return nil, l.failed("write time index", err)
		}
		found = append(found, s)
	}
	return found, nil
}

// searchTime finds the first record of a segment, not before the start of the log, whose timestamp
// is ts or later.
func (l *Log) searchTime(s *segment, ts int64) (at TimestampOffset, found bool, err error) {
	// Before the batch of the last entry that is earlier than ts, every timestamp is earlier too.
	entry, err := s.times.lookup(ts - 1)
	if err != nil {
		return at, false, err
	}
	h, err := s.records.pin()
	if err != nil {
		return at, false, err
	}
	defer h.unpin()
	start := l.StartOffset()
	first, found, err := s.find(max(start, s.base+record.Offset(entry.relative)), h)
	if err != nil || !found {
		return at, false, err
	}
	walk := walkHeaders(h, first.pos, s.size.Load())
	defer walk.close()
	for {
		b, pos, err := walk.next()
		if errors.Is(err, io.EOF) {
			return at, false, nil
		}
		if err != nil {
			return at, false, err
		}
		if b.MaxTimestamp() < ts || b.LastOffset() < start {
			continue
		}
		if at, found, err = l.searchBatch(h, pos, b.Size(), ts, start); err != nil || found {
			return at, found, err
		}
	}
}

// searchBatch finds the first record of the batch at a position.
func (l *Log) searchBatch(h *handle, pos int64, size int, ts int64, start record.Offset) (TimestampOffset, bool, error) {
	batch := make(record.Batch, size)
	if err := readFull(h, batch, pos); err != nil {
		return TimestampOffset{}, false, err
	}
	if err := batch.Check(record.StoredLimits); err != nil {
		return TimestampOffset{}, false, err
	}
	x := l.expand(l.config.Load())
	defer x.end()
	var r record.Reader
	r.Reset(batch, x.decompressor)
	defer r.Close()
	for r.Next() {
		if rec := r.Record(); rec.Timestamp >= ts && rec.Offset >= start {
			return TimestampOffset{rec.Timestamp, rec.Offset, batch.LeaderEpoch()}, true, nil
		}
	}
	return TimestampOffset{}, false, r.Err()
}
