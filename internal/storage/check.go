package storage

import (
	"errors"
	"fmt"

	"barnabas/internal/record"
)

// batchSet is batches on their way into the log, checked.
type batchSet struct {
	bytes      []byte
	count      int
	records    int64
	offsets    int64 // how many offsets they take
	max        int64 // the largest timestamp
	idempotent bool  // at least one is of an idempotent producer

	// Of batches that have offsets.
	first, last           record.Offset
	firstEpoch, lastEpoch record.Epoch
}

// add takes note of the next batch, whose bytes the set has.
func (s *batchSet) add(b record.Batch) {
	if s.count == 0 {
		s.first, s.firstEpoch = b.BaseOffset(), b.LeaderEpoch()
	}
	s.last, s.lastEpoch = b.LastOffset(), b.LeaderEpoch()
	s.count++
	s.records += int64(b.Count())
	s.offsets += int64(b.LastOffsetDelta()) + 1
	s.max = max(s.max, b.MaxTimestamp())
	s.idempotent = s.idempotent || b.HasProducerID()
}

// check validates batches before they are given offsets, compresses them anew if the topic wants
// that and stamps them with the time of the append. It needs no lock.
func (l *Log) check(batches []byte, opts AppendOptions, c *LogConfig, done *Appended) (batchSet, error) {
	switch opts.Origin {
	case Follower:
		return l.checkFollower(batches)
	case Coordinator:
		return l.checkCoordinator(batches, c, done)
	default:
		return l.checkClient(batches, c, done)
	}
}

// checkFollower wants what a leader has sent to be whole and in order. A batch that is cut short at
// the end is left out.
func (l *Log) checkFollower(batches []byte) (batchSet, error) {
	set := batchSet{max: record.NoTimestamp}
	for rest := batches; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if errors.Is(err, record.ErrShort) {
			break
		}
		if err == nil {
			err = b.Check(record.StoredLimits)
		}
		if err == nil && set.count > 0 && b.BaseOffset() <= set.last {
			err = fmt.Errorf("a batch at %d follows one that ends at %d", b.BaseOffset(), set.last)
		}
		if err != nil {
			return set, fmt.Errorf("%s: %w: %w", l, ErrCorruptMessage, err)
		}
		set.add(b)
		set.bytes = batches[:len(batches)-len(after)]
		rest = after
	}
	return set, nil
}

// checkCoordinator trusts what this broker itself has built.
func (l *Log) checkCoordinator(batches []byte, c *LogConfig, done *Appended) (batchSet, error) {
	set := batchSet{max: record.NoTimestamp, bytes: batches}
	for rest := batches; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if err != nil {
			return set, fmt.Errorf("%s: %w: %w", l, ErrCorruptMessage, err)
		}
		if len(batches) == len(b) && !b.IsControl() && recompresses(b, c) {
			if b, err = l.inspect(b, c, record.Rules{Type: record.LogAppendTime}, done); err != nil {
				return set, err
			}
			set.bytes = b
		}
		if len(b) > int(c.MaxMessageBytes) {
			return set, l.tooLarge(len(b), c)
		}
		if c.TimestampType == record.LogAppendTime {
			done.LogAppendTime = l.store.nowMs()
			b.SetLogAppendTime(done.LogAppendTime)
		}
		set.add(b)
		rest = after
	}
	return set, nil
}

// checkClient wants one batch that keeps all the rules of a producer.
func (l *Log) checkClient(batches []byte, c *LogConfig, done *Appended) (batchSet, error) {
	b, err := l.onlyBatch(batches, done)
	if err != nil {
		return batchSet{}, err
	}
	if len(b) > int(c.MaxMessageBytes) {
		return batchSet{}, l.tooLarge(len(b), c)
	}
	if err := b.Check(record.Limits{}); err != nil {
		return batchSet{}, l.refused(err, done)
	}
	if b.BaseOffset() != 0 {
		return batchSet{}, l.refused(fmt.Errorf("the batch's base offset is %d, should be 0: %w",
			b.BaseOffset(), record.ErrInvalid), done)
	}
	nowMs := l.store.nowMs()
	if needsInspection(b, c, nowMs) {
		if b, err = l.inspect(b, c, c.rules(nowMs), done); err != nil {
			return batchSet{}, err
		}
		if len(b) > int(c.MaxMessageBytes) {
			return batchSet{}, l.tooLarge(len(b), c)
		}
	}
	if c.TimestampType == record.LogAppendTime {
		done.LogAppendTime = nowMs
		b.SetLogAppendTime(nowMs)
	}
	set := batchSet{bytes: b, max: record.NoTimestamp}
	set.add(b)
	if len(b) > int(c.SegmentBytes) {
		return set, fmt.Errorf("%s: batch of %d bytes, segment.bytes is %d: %w",
			l, len(b), c.SegmentBytes, ErrRecordListTooLarge)
	}
	return set, nil
}

// onlyBatch returns the one batch that a producer may send. Bytes behind it that are no batch are
// left out.
func (l *Log) onlyBatch(batches []byte, done *Appended) (record.Batch, error) {
	if len(batches) == 0 {
		return nil, l.refused(fmt.Errorf("no record batch: %w", record.ErrInvalid), done)
	}
	b, rest, err := record.Next(batches)
	if err != nil {
		return nil, l.refused(err, done)
	}
	if len(rest) > 0 {
		if _, _, err := record.Next(rest); !errors.Is(err, record.ErrShort) {
			return nil, l.refused(fmt.Errorf("more than one record batch: %w", record.ErrInvalid), done)
		}
	}
	return b, nil
}

// refused says in this room's words why record refuses a producer's batch.
func (l *Log) refused(err error, done *Appended) error {
	kind := ErrCorruptMessage
	switch {
	case errors.Is(err, record.ErrInvalid), errors.Is(err, record.ErrUnsupportedMagic),
		errors.Is(err, record.ErrExpands):
		kind = ErrInvalidRecord
		done.Message = err.Error()
	case errors.Is(err, record.ErrUnsupportedCodec):
		kind = ErrUnsupportedCompression
	}
	return fmt.Errorf("%s: %w: %w", l, kind, err)
}

func (l *Log) tooLarge(size int, c *LogConfig) error {
	return fmt.Errorf("%s: batch of %d bytes, max.message.bytes is %d: %w", l, size, c.MaxMessageBytes, ErrMessageTooLarge)
}
