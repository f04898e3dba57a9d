package replication

import (
	"barnabas/internal/record"
)

// Mark is a position in a partition that moves forward and can be waited for.
type Mark uint8

const (
	// AtHighWatermark bounds what consumers read, and is what a producer with acks=all waits for.
	AtHighWatermark Mark = iota
	// AtLastStable bounds what a read_committed consumer reads.
	AtLastStable
	// AtLogEnd bounds what a follower reads.
	AtLogEnd
	// AtSynced is how far this replica may say that it has records: the log end, or what of it is on the disk with
	// fsync.on.ack. It is what a producer with acks=1 waits for then.
	AtSynced
)

// Waiter waits for the progress of many partitions through one channel: no goroutine stands behind it.
// It is woken once or more, and says not why: whoever waits looks again at what it waits for, and
// leaves the waiter anew with [Partition.Watch] where that has not come yet. A Waiter belongs to one
// goroutine at a time; after Unwatch from every partition and [Waiter.Rest] it may be used again.
type Waiter struct {
	woken  chan struct{} // one place: waking twice is waking once
	notify func()        // called instead, where a state machine waits and no goroutine does
}

// NewWaiter makes a waiter.
func NewWaiter() *Waiter { return &Waiter{woken: make(chan struct{}, 1)} }

// NewCallback is a waiter that calls notify, on the goroutine that made the progress and with no lock held.
// It must not block.
func NewCallback(notify func()) *Waiter { return &Waiter{notify: notify} }

// Woken receives when a watched partition has moved, or will never move (leadership lost, log gone).
func (w *Waiter) Woken() <-chan struct{} { return w.woken }

// Wake wakes the waiter. It never blocks.
func (w *Waiter) Wake() {
	if w.notify != nil {
		w.notify()
		return
	}
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// Rest makes the waiter ready to wait for something else. No partition may hold it any more.
func (w *Waiter) Rest() {
	select {
	case <-w.woken:
	default:
	}
}

// watch is a waiter left with a partition: wake it when the mark has passed the offset.
type watch struct {
	waiter *Waiter
	mark   Mark
	after  record.Offset
}

// watches of one partition, guarded by the partition's mutex. Each is taken out when it fires.
type watches []watch

// marks are a partition's positions at one moment.
type marks struct{ highWatermark, lastStable, logEnd, synced record.Offset }

func (m marks) at(mark Mark) record.Offset {
	switch mark {
	case AtLogEnd:
		return m.logEnd
	case AtLastStable:
		return m.lastStable
	case AtSynced:
		return m.synced
	default:
		return m.highWatermark
	}
}

// passed takes out those whose mark stands beyond their offset, and wakes them.
func (ws *watches) passed(m marks) calls {
	return ws.fire(func(w watch) bool { return m.at(w.mark) > w.after })
}

// all takes out every watch and wakes it: the partition's role has changed.
func (ws *watches) all() calls {
	return ws.fire(func(watch) bool { return true })
}

// drop takes out every watch of one waiter, and does not wake it.
func (ws *watches) drop(waiter *Waiter) {
	kept := (*ws)[:0]
	for _, w := range *ws {
		if w.waiter != waiter {
			kept = append(kept, w)
		}
	}
	ws.keep(kept)
}

func (ws *watches) fire(due func(watch) bool) calls {
	var later calls
	kept := (*ws)[:0]
	for _, w := range *ws {
		switch {
		case !due(w):
			kept = append(kept, w)
		case w.waiter.notify != nil:
			later = append(later, w.waiter)
		default:
			w.waiter.Wake()
		}
	}
	ws.keep(kept)
	return later
}

// keep makes kept, a prefix of the same array, what is left. An idle partition keeps no array.
func (ws *watches) keep(kept watches) {
	if len(kept) == 0 && cap(kept) > idleWatches {
		*ws = nil
		return
	}
	clear((*ws)[len(kept):])
	*ws = kept
}

// idleWatches is the capacity that an idle partition may keep for its next waiters.
const idleWatches = 4

// calls are waiters to be notified once the partition's mutex is released.
type calls []*Waiter

func (c calls) make() {
	for _, w := range c {
		w.Wake()
	}
}
