package storage

import (
	"fmt"

	"barnabas/internal/record"
)

// retain removes the segments that the topic's settings no longer keep: too old, too much, or before the start of the log.
// Nothing above the high watermark goes.
func (l *Log) retain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return nil
	}
	n, reason, err := l.expired()
	if err != nil || n == 0 {
		return l.failed("retention", err)
	}
	return l.failed("retention", l.dropFirst(n, reason))
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

// dropFirst removes the first n segments. The caller holds mu.
func (l *Log) dropFirst(n int, reason string) error {
	if n == len(l.list()) {
		if err := l.roll(l.EndOffset()); err != nil {
			return err
		}
	}
	list := l.list()
	l.setList(list[n:len(list):len(list)])
	if first := list[n].base; first > l.StartOffset() {
		if err := l.moveStart(first); err != nil {
			return err
		}
	}
	var bytes int64
	for _, s := range list[:n] {
		bytes += s.size.Load()
		if err := l.discard(s); err != nil {
			return err
		}
	}
	l.store.logger.Info("removed old segments", "partition", l.tp.String(), "reason", reason,
		"segments", n, "bytes", bytes, "logStartOffset", l.StartOffset())
	return l.producers.deleteSnapshotsBefore(l.store.fs, l.path(), list[n].base)
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

// discard marks a segment's files as deleted. They are removed after file.delete.delay.ms; whoever reads them goes on.
func (l *Log) discard(s *segment) error {
	if err := s.rename(deletedMark); err != nil {
		return err
	}
	l.unsynced = true
	l.store.deletions.add(deletion{segment: s, dueMs: l.store.nowMs() + l.config.Load().FileDeleteDelayMs})
	return nil
}
