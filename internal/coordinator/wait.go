package coordinator

import (
	"sync/atomic"
	"time"

	"barnabas/internal/record"
)

// watch is a shard's wait for the high watermark to reach end.
type watch struct {
	end   record.Offset
	stop  func()
	fired atomic.Bool
	again time.Time // when to watch anew after it fired in vain; zero while it hasn't
}

func (s *shard[M]) startWatching(end record.Offset) {
	w := &watch{end: end}
	s.watch = w
	w.stop = s.log.Watch(end, func() {
		w.fired.Store(true)
		s.wake()
	})
}

func (s *shard[M]) stopWatching() {
	if s.watch != nil {
		s.watch.stop()
		s.watch = nil
	}
}

// setTimer has the shard woken for the machine's deadline, a reply's or the next watch's, whichever
// comes first.
func (s *shard[M]) setTimer() {
	at := s.machine.Deadline()
	if !s.pending.empty() {
		at = earlier(at, s.pending.queue[0].deadline)
		if s.watch != nil {
			at = earlier(at, s.watch.again)
		}
	}
	s.wakeAt(at)
}

// wakeAt sets the shard's one timer; the zero time stops it.
func (s *shard[M]) wakeAt(at time.Time) {
	now := s.runtime.now()
	if at.Equal(s.timerAt) {
		if at.IsZero() || at.After(now) {
			return
		}
	}
	s.timerAt = at
	switch {
	case at.IsZero():
		s.timer.Stop()
	case s.timer == nil:
		s.timer = s.runtime.options.Stage.AfterFunc(at.Sub(now), s.wake)
	default:
		s.timer.Reset(at.Sub(now))
	}
}

// earlier returns the earlier of two times, of which zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
