package group

import (
	"container/heap"
	"time"
)

// timer is one thing that happens at a time unless it is set anew. Moving it later, which every
// heartbeat does, costs an assignment: the heap learns of it when the earlier time has come.
type timer struct {
	at    time.Time // where it stands in the heap
	until time.Time // when it is to fire; not before at
	index int       // in the heap, plus one; 0 while it isn't there
	fire  func(s *step)
}

// timers is the heap of all timers of a machine.
type timers struct {
	heap timerHeap
}

// pending reports whether the timer is set.
func (ts *timers) pending(t *timer) bool { return t.index != 0 }

// set has the timer fire at a time, and no more at the one before.
func (ts *timers) set(t *timer, until time.Time) {
	t.until = until
	switch {
	case t.index == 0:
		t.at = until
		heap.Push(&ts.heap, t)
	case until.Before(t.at):
		t.at = until
		heap.Fix(&ts.heap, t.index-1)
	}
}

// cancel takes the timer out, if it is set.
func (ts *timers) cancel(t *timer) {
	if t.index != 0 {
		heap.Remove(&ts.heap, t.index-1)
	}
}

// next is when due should be called: the zero time if no timer is set.
func (ts *timers) next() time.Time {
	if len(ts.heap) == 0 {
		return time.Time{}
	}
	return ts.heap[0].at
}

// due takes out a timer whose time has come, or returns nil.
func (ts *timers) due(now time.Time) *timer {
	for len(ts.heap) > 0 && !ts.heap[0].at.After(now) {
		t := ts.heap[0]
		if t.until.After(now) {
			t.at = t.until
			heap.Fix(&ts.heap, 0)
			continue
		}
		heap.Pop(&ts.heap)
		return t
	}
	return nil
}

// timerHeap implements heap.Interface, the earliest first.
type timerHeap []*timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h) + 1
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	return t
}
