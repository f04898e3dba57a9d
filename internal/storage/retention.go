package storage

import (
	"fmt"

	"barnabas/internal/record"
)

// retain removes the segments that the topics' settings no longer keep: too old, too much, or before
// the start of the log. Nothing above a high watermark goes. The logs' starts move first, and are on
// disk before the segments go: a crash then may leave any of the files, and readers see none of
// them.
func (s *Store) retain(logs []*Log) {
	// What fails has taken a directory offline and said so.
	for _, l := range logs {
		_ = l.expire()
	}
	for _, d := range s.dirs {
		if d.startsChanged.Swap(false) {
			_ = d.checkpoint(startOffsets)
		}
	}
	for _, l := range logs {
		_ = l.dropBelow(l.dir.savedStart(l))
	}
}

// expire moves the start of the log behind the segments that may go.
func (l *Log) expire() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	n, reason, err := l.expired()
	if err != nil || n == 0 {
		return l.failed("retention", err)
	}
	if n == len(l.list()) {
		if err := l.roll(l.EndOffset()); err != nil {
			return l.failed("retention", err)
		}
	}
	first := l.list()[n].base
	if first <= l.StartOffset() {
		return nil
	}
	l.store.logger.Info("retention moves the start of a log", "partition", l.tp.String(), "reason", reason,
		"segments", n, "from", int64(l.StartOffset()), "to", int64(first))
	return l.failed("retention", l.moveStart(first))
}

// expired counts the first segments that may go, and says why the last of them does.
func (l *Log) expired() (n int, reason string, err error) {
	c, list := l.config.Load(), l.list()
	excess := l.Size() - c.RetentionBytes
	highWatermark := l.HighWatermark()
	for i, s := range list {
		end, last := l.EndOffset(), i == len(list)-1
		if !last {
			end = list[i+1].base
		}
		if highWatermark < end || last && s.size.Load() == 0 {
			break
		}
		why, err := l.expires(s, end, excess, c)
		if err != nil || why == "" {
			return n, reason, err
		}
		excess -= s.size.Load()
		n, reason = n+1, why
	}
	return n, reason, nil
}

// expires says why a segment, the first that is left, may go; it's empty if it may not.
func (l *Log) expires(s *segment, end record.Offset, excess int64, c *LogConfig) (string, error) {
	if end <= l.StartOffset() {
		return "before the log start offset", nil
	}
	if !c.Delete {
		return "", nil
	}
	if c.RetentionBytes >= 0 && excess >= s.size.Load() {
		return "retention.bytes", nil
	}
	if c.RetentionMs < 0 {
		return "", nil
	}
	largest, err := s.largestTimestamp()
	if err == nil && l.store.nowMs()-largest > c.RetentionMs {
		return "retention.ms", nil
	}
	return "", err
}

// dropBelow removes the segments that end at or before an offset.
func (l *Log) dropBelow(o record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	list, n, bytes := l.list(), 0, int64(0)
	for n+1 < len(list) && list[n+1].base <= min(o, l.StartOffset()) {
		bytes += list[n].size.Load()
		n++
	}
	if n == 0 {
		return nil
	}
	l.setList(list[n:len(list):len(list)])
	for _, s := range list[:n] {
		if err := l.discard(s); err != nil {
			return l.failed("retention", err)
		}
	}
	l.store.logger.Info("removed segments before the start of a log", "partition", l.tp.String(),
		"segments", n, "bytes", bytes, "logStartOffset", int64(l.StartOffset()))
	err := l.producers.deleteSnapshotsBefore(l.store.fs, l.path(), list[n].base)
	return l.failed("retention", err)
}

// AdvanceStart makes offsets before o unreadable (DeleteRecords). A smaller o than the start
// changes nothing; one past the high watermark is ErrOffsetOutOfRange. Also ErrStorage, ErrDeleted.
func (l *Log) AdvanceStart(o record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if highWatermark := l.HighWatermark(); o > highWatermark {
		return fmt.Errorf("%s: start offset %d, high watermark %d: %w", l, o, highWatermark, ErrOffsetOutOfRange)
	}
	if o <= l.StartOffset() {
		return nil
	}
	return l.failed("advance start", l.moveStart(o))
}

// moveStart moves the start of the log up. The caller holds mu.
func (l *Log) moveStart(o record.Offset) error {
	l.start.Store(int64(o))
	if l.HighWatermark() < o {
		l.highWatermark.Store(int64(o))
	}
	l.dir.startsChanged.Store(true)
	l.producers.onStart(o)
	l.publishUnstable()
	return l.setEpochs(l.epochs.Load().truncateStart(o))
}

// discard marks a segment's files as deleted. They are removed after file.delete.delay.ms; whoever
// reads them goes on.
func (l *Log) discard(s *segment) error {
	if err := s.rename(deletedMark); err != nil {
		return err
	}
	l.unsynced = true
	delay := l.config.Load().FileDeleteDelayMs
	if l.dir.pressed.Load() {
		delay = 0
	}
	l.store.deletions.add(deletion{segment: s, dueMs: l.store.nowMs() + delay})
	return nil
}

// discarded tells whether the segment's files bear deletedMark. Who has opened them and sees after that that they don't
// has the right ones: no other segment gets their names before.
func (s *segment) discarded() bool {
	mark := s.mark.Load()
	return mark != nil && *mark == deletedMark
}
