package storage

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"barnabas/internal/record"
)

// Origin says who appends, which decides what is checked and who numbers the records.
type Origin uint8

const (
	// Client is a producer: one batch, checked in full, numbered by the log.
	Client Origin = iota
	// Coordinator is a coordinator of this broker: numbered by the log, and trusted to write control
	// batches.
	Coordinator
	// Follower is a copy of what the leader has numbered and stamped; sizes and records are not
	// judged again.
	Follower
)

// AppendOptions accompany an append.
type AppendOptions struct {
	// LeaderEpoch is stamped on the batches, unless the origin is Follower.
	LeaderEpoch record.Epoch
	Origin      Origin
}

// Appended tells what an append did. Offsets are -1 when nothing was appended.
type Appended struct {
	// BaseOffset and LastOffset are the first and last offset given. For a duplicate they
	// are those of the batch that is in the log already.
	BaseOffset, LastOffset record.Offset
	// LogAppendTime is the timestamp in milliseconds that the log put on the records, -1 if the
	// producer's stand.
	LogAppendTime int64
	// LogStartOffset is the log's start after the append.
	LogStartOffset record.Offset
	// Duplicate says that an idempotent producer sent this batch before, and nothing was written
	// (KIP-98).
	Duplicate bool
	// AwaitSync says that nothing may be acknowledged before Synced has passed LastOffset (fsync.on.ack).
	AwaitSync bool
	// Records and Bytes are how much was written.
	Records, Bytes int64
	// RecordErrors and Message accompany ErrInvalidRecord and ErrInvalidTimestamp (KIP-467).
	RecordErrors []RecordError
	Message      string
}

// RecordError says what is wrong with one record of a refused batch.
type RecordError = record.RecordError

// Append adds batches to the log.
//
// From a Client or Coordinator they get the next offsets and the leader epoch of opts; the slice is
// patched in place. A Follower's keep their offsets and epochs; a batch cut short at the end is left
// out. Nothing is visible to readers unless all of it was written.
//
// Errors: ErrCorruptMessage, ErrInvalidRecord, ErrInvalidTimestamp, ErrMessageTooLarge,
// ErrRecordListTooLarge, ErrUnsupportedCompression, ErrOutOfOrderSequence, ErrInvalidProducerEpoch,
// ErrInvalidTxnState, ErrTransactionCoordinatorFenced, ErrUnexpectedOffset, ErrCeiling, ErrStorage,
// ErrDeleted.
func (l *Log) Append(batches []byte, opts AppendOptions) (Appended, error) {
	done := Appended{BaseOffset: -1, LastOffset: -1, LogAppendTime: record.NoTimestamp, LogStartOffset: l.StartOffset()}
	if err := l.usable(); err != nil {
		return done, err
	}
	if err := l.withinBudget(len(batches), opts.Origin, &done); err != nil {
		return done, err
	}
	c := l.config.Load()
	done.AwaitSync = c.SyncOnAck
	set, err := l.check(batches, opts, c, &done)
	if err != nil || set.count == 0 {
		return done, err
	}
	if err := l.appendChecked(set, opts, c, &done); err != nil || done.Duplicate {
		return done, err
	}
	if done.LastOffset+1-record.Offset(l.recoveryPoint.Load()) >= record.Offset(c.FlushMessages) {
		return done, l.Flush()
	}
	return done, nil
}

// appendChecked does what must be done under the log's mutex.
func (l *Log) appendChecked(set batchSet, opts AppendOptions, c *LogConfig, done *Appended) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if sent, ok := l.duplicate(set, opts.Origin); ok {
		done.Duplicate = true
		done.BaseOffset, done.LastOffset = sent.firstOffset(), sent.lastOffset
		return nil
	}
	end, err := l.number(&set, opts)
	if err != nil {
		return err
	}
	producers, err := l.judge(set, opts.Origin)
	if err != nil {
		return err
	}
	if err := l.write(set, c); err != nil {
		return err
	}
	l.producers.commit(producers)
	l.producers.setEnd(end)
	l.publishUnstable()
	active := l.active()
	l.boundaries.add(boundary{active, end, active.size.Load()})
	l.end.Store(int64(end))
	done.BaseOffset, done.LastOffset = set.first, end-1
	done.Records, done.Bytes = set.records, int64(len(set.bytes))
	done.LogStartOffset = l.StartOffset()
	return nil
}

// duplicate recognises a batch that its producer sends again.
func (l *Log) duplicate(set batchSet, origin Origin) (sentBatch, bool) {
	if origin != Client || !set.idempotent {
		return sentBatch{}, false
	}
	b, _, _ := record.Next(set.bytes)
	return l.producers.duplicate(b)
}

// number gives the batches their offsets, or checks those they have, and returns the log's end after
// them.
func (l *Log) number(set *batchSet, opts AppendOptions) (end record.Offset, err error) {
	next := l.EndOffset()
	if opts.Origin == Follower {
		if set.first < next {
			return 0, fmt.Errorf("%s: batch at %d, log ends at %d: %w", l, set.first, next, ErrUnexpectedOffset)
		}
		return set.last + 1, nil
	}
	end = next + record.Offset(set.offsets)
	if end > l.Ceiling() {
		return 0, fmt.Errorf("%s: %d offsets from %d, ceiling %d: %w", l, set.offsets, next, l.Ceiling(), ErrCeiling)
	}
	set.first, set.last = next, end-1
	set.firstEpoch, set.lastEpoch = opts.LeaderEpoch, opts.LeaderEpoch
	for rest := set.bytes; len(rest) > 0; {
		var b record.Batch
		b, rest, _ = record.Next(rest)
		b.SetBaseOffset(next)
		b.SetLeaderEpoch(opts.LeaderEpoch)
		next = b.NextOffset()
	}
	return end, nil
}

// judge asks the producer state about every batch of an idempotent producer; nil where there is none.
func (l *Log) judge(set batchSet, origin Origin) (*producerAppend, error) {
	if !set.idempotent {
		return nil, nil
	}
	producers := l.producers.begin(origin)
	for rest := set.bytes; len(rest) > 0; {
		var b record.Batch
		b, rest, _ = record.Next(rest)
		if !b.HasProducerID() {
			continue
		}
		if err := producers.add(b); err != nil {
			if errors.Is(err, record.ErrCorrupt) {
				err = fmt.Errorf("%w: %w", ErrCorruptMessage, err)
			}
			return nil, fmt.Errorf("%s: %w", l, err)
		}
	}
	return producers, nil
}

// write puts numbered batches into the active segment, or several where a follower's don't fit one.
// If that fails halfway, what was written is cut off again.
func (l *Log) write(set batchSet, c *LogConfig) error {
	if err := l.makeFiles(); err != nil {
		return l.failed("make the files", err)
	}
	if err := l.noteEpochs(set); err != nil {
		return l.failed("write leader epochs", err)
	}
	before, size := len(l.list()), l.active().size.Load()
	next := l.EndOffset()
	for rest := set.bytes; len(rest) > 0; {
		var piece batchSet
		piece, rest = l.cut(set, rest, c)
		err := l.maybeRoll(piece, next, c)
		if err == nil {
			err = l.active().write(piece.bytes, c.IndexIntervalBytes)
		}
		if err != nil {
			return l.failed("append", errors.Join(err, l.undo(before, size)))
		}
		next = piece.last + 1
	}
	return nil
}

// cut takes as many batches as may go into one segment.
func (l *Log) cut(set batchSet, bytes []byte, c *LogConfig) (piece batchSet, rest []byte) {
	if len(bytes) == len(set.bytes) && len(bytes) <= int(c.SegmentBytes) && set.last-set.first <= math.MaxInt32 {
		return set, nil
	}
	piece = batchSet{max: record.NoTimestamp}
	for rest = bytes; len(rest) > 0; {
		b, after, _ := record.Next(rest)
		size := len(piece.bytes) + len(b)
		if piece.count > 0 && (size > int(c.SegmentBytes) || b.LastOffset()-piece.first > math.MaxInt32) {
			break
		}
		piece.bytes = bytes[:size]
		piece.add(b)
		rest = after
	}
	return piece, rest
}

// undo cuts off what a failed append has written into the segments after the first before, and
// beyond size in that one.
func (l *Log) undo(before int, size int64) error {
	list := l.list()
	for _, s := range list[before:] {
		if err := s.remove(); err != nil {
			return err
		}
	}
	if len(list) > before {
		l.setList(list[:before:before])
	}
	active := l.active()
	if active.size.Load() == size {
		return nil
	}
	return active.cutTo(size)
}

// noteEpochs takes the epochs of numbered batches into account, before they are written: an epoch
// without records does no harm.
func (l *Log) noteEpochs(set batchSet) error {
	es := *l.epochs.Load()
	if set.firstEpoch == set.lastEpoch && es.latest() == set.firstEpoch {
		if l.unwritten {
			return l.writeEpochs()
		}
		return nil
	}
	for rest := set.bytes; len(rest) > 0; {
		var b record.Batch
		b, rest, _ = record.Next(rest)
		if b.LeaderEpoch() > es.latest() {
			es = es.assign(b.LeaderEpoch(), b.BaseOffset())
		}
	}
	return l.setEpochs(es)
}

// maybeRoll starts a new segment if the batches should not go into the active one, which ends at next.
func (l *Log) maybeRoll(set batchSet, next record.Offset, c *LogConfig) error {
	s := l.active()
	size := s.size.Load()
	if _, fits := s.relative(set.last); !fits {
		return l.roll(set.baseAfter(next))
	}
	if size == 0 {
		return nil
	}
	full := size > l.sealedAt(c)-int64(len(set.bytes)) ||
		(s.offsets.count()+1)*offsetEntrySize > int(c.SegmentIndexBytes) ||
		(s.times.count()+2)*timeEntrySize > int(c.SegmentIndexBytes)
	if full {
		return l.roll(set.baseAfter(next))
	}
	old, err := l.oldEnoughToRoll(s, set.max, c)
	if err != nil || !old {
		return err
	}
	return l.roll(set.baseAfter(next))
}

// oldEnoughToRoll tells whether segment.ms has passed since the segment's first record: by the
// records' own clock if they have one, by ours since the segment was made if not. max is the
// timestamp to come, or NoTimestamp.
func (l *Log) oldEnoughToRoll(s *segment, max int64, c *LogConfig) (bool, error) {
	first, err := s.loadFirstTimestamp()
	if err != nil {
		return false, err
	}
	age := max - first
	if first < 0 || max < 0 {
		age = l.store.nowMs() - s.created
	}
	return age > c.SegmentMs-l.jitterMs, nil
}

// baseAfter is where a new segment for the batches begins: where the last one ends, so that recovery
// sees when bytes between two segments are gone, unless a follower's batches are too far above that.
func (s *batchSet) baseAfter(next record.Offset) record.Offset {
	if s.last-next <= math.MaxInt32 {
		return next
	}
	return s.first
}

// roll seals the active segment and begins a new one at an offset. The caller holds mu.
func (l *Log) roll(base record.Offset) error {
	old, list := l.active(), l.list()
	if old.size.Load() == 0 {
		if old.base == base {
			return nil
		}
		// It is empty, and too far below what comes.
		if err := l.discard(old); err != nil {
			return err
		}
		list = list[:len(list)-1]
	} else {
		if base <= old.base {
			panic(fmt.Sprintf("storage: %s: a segment at %d after the one at %d", l, base, old.base))
		}
		if err := old.flushIndexes(); err != nil {
			return err
		}
		if err := l.producers.takeSnapshot(l.store.fs, l.path(), false); err != nil {
			return err
		}
	}
	// After a crash of the machine nobody could tell a log whose first segments have lost their names from one that begins
	// later. The flusher has been here before, unless segments are rolled faster than it comes.
	if err := l.nameSegments(); err != nil {
		return err
	}
	fresh, err := createSegment(l, base)
	if err != nil {
		return err
	}
	l.unsynced = true
	l.setList(append(list[:len(list):len(list)], fresh))
	l.jitterMs = jitter(l.config.Load().SegmentJitterMs)
	l.store.flusher.add(l)
	return nil
}

// nameSegments has the name of the segment that is appended to survive a crash of the machine, if it may not. The caller
// holds mu.
func (l *Log) nameSegments() error {
	if !l.unnamed {
		return nil
	}
	if err := l.store.fs.SyncDir(l.path()); err != nil {
		return err
	}
	l.unnamed = false
	return nil
}

// jitter spreads the rolls by time of many logs.
func jitter(limitMs int64) int64 {
	if limitMs <= 0 {
		return 0
	}
	return rand.Int64N(limitMs)
}
