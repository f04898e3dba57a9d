package step

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// scheduler has one thing happen after another, in virtual time: that of the synctest bubble that it runs in, so that
// storage's own clocks follow it. Times of events are multiples of moment, which storage's timers never are: nothing
// happens beside an event.
type scheduler struct {
	rng    *rand.Rand
	now    time.Duration
	queue  events
	issued int
	steps  int
	trace  hash.Hash64
	buf    []byte
	say    func(format string, args ...any) // nil unless the trace is to be shown
	done   func()                           // called after each event
}

// moment divides the times of events. It divides none of the periods of storage's goroutines, that begin beside it.
const moment = 7 * time.Nanosecond

// event is something that will happen; two at the same time happen in the order in which they were planned.
type event struct {
	at     time.Duration
	number int
	what   string
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(a, b int) bool {
	return q[a].at < q[b].at || q[a].at == q[b].at && q[a].number < q[b].number
}
func (q events) Swap(a, b int) { q[a], q[b] = q[b], q[a] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = event{}
	*q = (*q)[:len(*q)-1]
	return last
}

func newScheduler(seed uint64, say func(string, ...any)) *scheduler {
	return &scheduler{rng: rand.New(rand.NewPCG(seed, 0x7e1)), trace: fnv.New64a(), say: say}
}

// after plans an event.
func (s *scheduler) after(d time.Duration, what string, do func()) {
	s.issued++
	at := (s.now + max(d, moment)) / moment * moment
	heap.Push(&s.queue, event{at, s.issued, what, do})
}

// between is a time from least to most.
func (s *scheduler) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rng.Int64N(int64(most-least)+1))
}

// oneIn is true once in n times.
func (s *scheduler) oneIn(n int) bool { return s.rng.IntN(n) == 0 }

// run has things happen until a time.
func (s *scheduler) run(until time.Duration) {
	for len(s.queue) > 0 && s.queue[0].at <= until {
		e := heap.Pop(&s.queue).(event)
		time.Sleep(e.at - s.now)
		s.now = e.at
		s.steps++
		s.note("event", e.at, e.what)
		e.do()
		s.done()
	}
}

// note puts something into the trace: all that comes of an event, so that two runs that differ are seen to differ.
func (s *scheduler) note(what string, args ...any) {
	buf := append(s.buf[:0], what...)
	for _, arg := range args {
		switch arg := arg.(type) {
		case string:
			buf = append(buf, arg...)
		case time.Duration:
			buf = binary.LittleEndian.AppendUint64(buf, uint64(arg))
		default:
			buf = fmt.Append(buf, arg)
		}
		buf = append(buf, 0)
	}
	s.buf = buf
	s.trace.Write(buf)
	if s.say != nil {
		s.say("%12v  %s %v", s.now, what, args)
	}
}
