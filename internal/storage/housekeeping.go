package storage

import (
	"time"

	"barnabas/internal/unison"
)

const (
	// houseTick is how often the housekeeping goroutine looks at the clock.
	houseTick = time.Second
	// writtenCheckpointInterval is how often the ends of the logs are noted, which bounds what is
	// scanned after a process was killed.
	writtenCheckpointInterval = 5 * time.Second
)

// chore is something that the store does from time to time.
type chore struct {
	every time.Duration
	do    func()
	first time.Duration // until it is due for the first time; every where it is 0
	due   time.Time
}

// keepHouse does the store's chores until it is closed. Errors have taken a directory offline and
// were logged there.
func (s *Store) keepHouse(stop <-chan struct{}) {
	tick := unison.NewTicker(min(houseTick, s.settings.ProbeInterval))
	defer tick.Stop()
	chores := s.chores()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			tick.Next()
		}
		now := time.Now() // not the wall clock, which may be set
		for i := range chores {
			if c := &chores[i]; !now.Before(c.due) {
				c.do()
				c.due = now.Add(c.every)
			}
		}
	}
}

func (s *Store) chores() []chore {
	now, soon := time.Now(), s.settings.InitialTaskDelay
	all := []chore{
		{every: s.settings.ProbeInterval, do: s.probeOffline},
		{every: houseTick, do: func() { s.deletions.run(s) }},
		{every: houseTick, do: s.checkpointMovedStarts},
		{every: houseTick, do: s.keepBudgets},
		{every: writtenCheckpointInterval, do: func() { s.checkpoint(writtenOffsets) }},
		{every: s.settings.HighWatermarkCheckpointInterval, do: func() { s.checkpoint(highWatermarks) }},
		{every: s.settings.RecoveryCheckpointInterval, do: func() { s.checkpoint(recoveryPoints) }},
		{every: s.settings.StartOffsetCheckpointInterval, do: func() { s.checkpoint(startOffsets) }},
		{every: s.settings.RetentionCheckInterval, do: func() { s.retain(s.Logs()) }, first: soon},
		{every: s.settings.FlushCheckInterval, do: s.flushOld, first: soon},
		{every: s.settings.ProducerIDExpirationCheckInterval, do: s.expireProducers},
	}
	for i := range all {
		first := all[i].every
		if all[i].first > 0 {
			first = min(first, all[i].first)
		}
		all[i].due = now.Add(first)
	}
	return all
}

// checkpoint writes a kind of checkpoint in all directories.
func (s *Store) checkpoint(kind checkpointKind) {
	for _, d := range s.dirs {
		_ = d.checkpoint(kind)
	}
}

// checkpointMovedStarts writes the start offsets soon after one has moved: deleted records should
// not come back.
func (s *Store) checkpointMovedStarts() {
	for _, d := range s.dirs {
		if d.startsChanged.Swap(false) {
			_ = d.checkpoint(startOffsets)
		}
	}
}

// flushOld syncs the logs whose flush.ms has passed.
func (s *Store) flushOld() {
	now := s.nowMs()
	for _, l := range s.Logs() {
		if l.needsFlush(now) {
			_ = l.Flush()
		}
	}
}

func (s *Store) expireProducers() {
	now, expiration := s.nowMs(), s.producerIDExpirationMs.Load()
	for _, l := range s.Logs() {
		l.mu.Lock()
		l.producers.expirationMs = expiration
		l.producers.expire(now)
		l.mu.Unlock()
	}
}
