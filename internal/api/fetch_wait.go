package api

import (
	"time"

	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/unison"
)

// longestWait bounds what a client may ask for, so that the goroutine of a client that went away is not kept for weeks.
const longestWait = 5 * time.Minute

// fetchWait is what a fetch waits with. They are reused, by one API: most fetches of an idle consumer wait.
type fetchWait struct {
	timer  *time.Timer
	waiter *replication.Waiter
}

func newFetchWait() any {
	w := &fetchWait{timer: time.NewTimer(time.Hour), waiter: replication.NewWaiter()}
	w.timer.Stop()
	return w
}

// wait leaves one waiter with all partitions, and reads again whenever it is woken, until there is enough or time
// is up. Nothing is pinned meanwhile: what was read is let go.
func (f *fetchCall) wait() {
	began := time.Now()
	wait := f.api.waits.Get().(*fetchWait)
	timer, waiter := wait.timer, wait.waiter
	timer.Reset(f.patience(began))
	for waiting := true; waiting && !f.enough(); {
		f.watch(waiter)
		f.letGo()
		select {
		case <-waiter.Woken():
		case <-timer.C:
			waiting = false
		case <-f.call.Done():
			waiting = false
		}
		f.unwatch(waiter)
		f.image = f.api.Metadata.Current()
		f.readAll()
	}
	timer.Stop()
	waiter.Rest()
	f.api.waits.Put(wait)
	f.call.waited = time.Since(began)
}

// unisonFrom is from what time on the waits of followers end together. Shorter ones are there for a purpose.
const unisonFrom = 100 * time.Millisecond

// patience is how long there is nothing to say. Followers that have nothing to copy are answered all at once, and by all
// leaders at the same moments: it is for each of them that an idle broker wakes up. They ask again at once, so that all but
// the first wait take as long as they were asked for.
func (f *fetchCall) patience(now time.Time) time.Duration {
	most := f.waits()
	if f.replica < 0 || most < unisonFrom {
		return most
	}
	return unison.Wait(now, most)
}

// watch waits for each partition's mark to pass what was readable at the last look.
func (f *fetchCall) watch(w *replication.Waiter) {
	for i := range f.parts {
		r := &f.parts[i]
		if r.partition != nil {
			r.partition.Watch(w, f.mark, max(record.Offset(r.at.offset), f.markOf(&r.result)))
		}
	}
}

func (f *fetchCall) markOf(r *replication.ReadResult) record.Offset {
	switch f.mark {
	case replication.AtLogEnd:
		return r.LogEnd
	case replication.AtLastStable:
		return r.LastStable
	}
	return r.HighWatermark
}

func (f *fetchCall) unwatch(w *replication.Waiter) {
	for i := range f.parts {
		if p := f.parts[i].partition; p != nil {
			p.Unwatch(w)
		}
	}
}
