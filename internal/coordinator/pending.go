package coordinator

import (
	"time"

	"barnabas/internal/record"
)

// waiting is replies that leave when the log is committed up to end.
type waiting struct {
	end      record.Offset
	deadline time.Time
	replies  []func(error)
}

// pending is a queue of replies by rising end and deadline.
type pending struct {
	queue []waiting
}

func (p *pending) empty() bool { return len(p.queue) == 0 }

func (p *pending) add(end record.Offset, deadline time.Time, replies []func(error)) {
	if len(replies) > 0 {
		p.queue = append(p.queue, waiting{end, deadline, replies})
	}
}

// release calls the replies that are committed with nil, and those past their deadline with ErrTimeout.
func (p *pending) release(highWatermark record.Offset, now time.Time) {
	n := 0
	for ; n < len(p.queue) && p.queue[n].end <= highWatermark; n++ {
		p.queue[n].call(nil)
	}
	for ; n < len(p.queue) && !p.queue[n].deadline.After(now); n++ {
		p.queue[n].call(ErrTimeout)
	}
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
	if rest == 0 && cap(p.queue) > spareQueue {
		p.queue = nil
	}
}

// fail calls every reply with err.
func (p *pending) fail(err error) {
	for _, w := range p.queue {
		w.call(err)
	}
	p.queue = nil
}

func (w waiting) call(err error) {
	for _, reply := range w.replies {
		reply(err)
	}
}

// rewatchAfter is the pause before the high watermark is watched again after a watch fired in
// vain: a log that can't move any more fires at once, until its shard is unloaded.
const rewatchAfter = 10 * time.Millisecond

// answer sends what is committed and watches the high watermark for the rest.
func (s *shard[M]) answer(now time.Time) {
	if s.pending.empty() {
		return
	}
	s.pending.release(s.log.HighWatermark(), now)
	if s.pending.empty() {
		s.stopWatching()
		return
	}
	end := s.pending.queue[0].end
	if s.watch != nil && s.watch.end == end {
		if s.watch.fired.Load() {
			s.watch.again = now.Add(rewatchAfter)
			s.watch.fired.Store(false)
			return
		}
		if s.watch.again.IsZero() || s.watch.again.After(now) {
			return
		}
	}
	s.stopWatching()
	s.startWatching(end)
}
