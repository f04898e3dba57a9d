package api

import (
	"slices"
	"sync"
	"time"

	"barnabas/internal/replication"

	"github.com/twmb/franz-go/pkg/kerr"
)

// commitWait is a Produce with acks=all, or one that waits for the disk, between its append and its answer. No goroutine stands
// behind it: it is called by whoever moves a high watermark or has synced a log, and by its timer.
type commitWait struct {
	produce *produceCall
	waiter  *replication.Waiter

	began time.Time

	mu       sync.Mutex // guards produce's waits and parts from here on
	timer    *time.Timer
	answered bool
}

func (w *commitWait) start(timeout time.Duration) {
	w.began = time.Now()
	w.mu.Lock()
	waits := slices.Clone(w.produce.waits)
	w.timer = time.AfterFunc(max(timeout, 0), w.expire)
	w.mu.Unlock()
	for _, one := range waits {
		one.partition.Watch(w.waiter, one.mark, one.required-1)
	}
}

// look answers if all partitions are settled. A partition that woke for another reason is watched anew.
func (w *commitWait) look() {
	w.mu.Lock()
	if w.answered {
		w.mu.Unlock()
		return
	}
	p := w.produce
	p.waits = slices.DeleteFunc(p.waits, p.settle)
	w.answered = len(p.waits) == 0
	answered, left := w.answered, slices.Clone(p.waits)
	if answered {
		w.timer.Stop()
	}
	w.mu.Unlock()
	if answered {
		w.reply()
		return
	}
	w.rewatch(left)
}

// rewatch leaves the waiter again: a watch fires once, and whose it was isn't known.
func (w *commitWait) rewatch(left []produceWait) {
	for _, one := range left {
		one.partition.Unwatch(w.waiter)
	}
	for _, one := range left {
		one.partition.Watch(w.waiter, one.mark, one.required-1)
	}
}

// expire answers REQUEST_TIMED_OUT for what is not settled. The records stay where they are.
func (w *commitWait) expire() {
	w.mu.Lock()
	if w.answered {
		w.mu.Unlock()
		return
	}
	w.answered = true
	p := w.produce
	left := slices.DeleteFunc(p.waits, p.settle)
	for _, one := range left {
		p.refuse(&p.parts[one.part], one.partition.Name(),
			kerr.RequestTimedOut.Code, kerr.RequestTimedOut)
	}
	w.mu.Unlock()
	for _, one := range left {
		one.partition.Unwatch(w.waiter)
	}
	w.reply()
}

func (w *commitWait) reply() {
	w.produce.call.waited = time.Since(w.began)
	w.produce.answer()
}
