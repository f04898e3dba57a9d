package keepers

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"barnabas/internal/metadata"
)

// writer writes numbered keys one after another, and knows which were acknowledged.
type writer struct {
	e       *ensemble
	acked   atomic.Int64
	stalled atomic.Int64 // the longest pause between two acknowledgements, in nanoseconds
	cancel  context.CancelFunc
	done    chan struct{}
}

func (e *ensemble) write() *writer {
	ctx, cancel := context.WithCancel(e.t.Context())
	w := &writer{e: e, cancel: cancel, done: make(chan struct{})}
	s := e.store()
	go func() {
		defer close(w.done)
		last := time.Now()
		for ctx.Err() == nil {
			n := w.acked.Load()
			within, cancel := context.WithTimeout(ctx, time.Second)
			_, err := s.Txn(within, metadata.Txn{Then: []metadata.Op{metadata.Put(fmt.Sprintf("n%06d", n), []byte("v"))}})
			cancel()
			if err == nil {
				w.acked.Add(1)
				if pause := time.Since(last).Nanoseconds(); pause > w.stalled.Load() {
					w.stalled.Store(pause)
				}
				last = time.Now()
			}
		}
	}()
	e.t.Cleanup(w.finish)
	return w
}

func (w *writer) finish() {
	w.cancel()
	<-w.done
}

// goesOn waits until more writes are acknowledged.
func (w *writer) goesOn() {
	w.e.t.Helper()
	before := w.acked.Load()
	w.e.await("writes to go on", func() bool { return w.acked.Load() > before+20 })
}

// check reads all that was acknowledged.
func (w *writer) check() {
	w.e.t.Helper()
	w.finish()
	s := w.e.store()
	var have map[string]bool
	w.e.await("a read of everything", func() bool {
		have = map[string]bool{}
		req := metadata.RangeRequest{Prefix: "n", Limit: 1000}
		for {
			ctx, cancel := context.WithTimeout(w.e.t.Context(), time.Second)
			page, err := s.Range(ctx, req)
			cancel()
			if err != nil {
				return false
			}
			for _, kv := range page.KVs {
				have[kv.Key] = true
			}
			if !page.More {
				return true
			}
			req.After = page.KVs[len(page.KVs)-1].Key
		}
	})
	for n := range w.acked.Load() {
		if key := fmt.Sprintf("n%06d", n); !have[key] {
			w.e.t.Errorf("%s was acknowledged, and is lost", key)
		}
	}
	w.e.t.Logf("%d keys acknowledged, longest stall %s", w.acked.Load(), time.Duration(w.stalled.Load()).Round(time.Millisecond))
}

// One after another is killed, wiped and started empty, while a writer goes on.
func TestWipedOneAfterAnother(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	w := e.write()
	w.goesOn()
	began := time.Now()
	for _, k := range e.keepers {
		e.wipe(k)
		w.goesOn()
		e.launch(k)
		e.ready(k)
	}
	t.Logf("three were replaced in %s", time.Since(began).Round(time.Millisecond))
	w.goesOn()
	w.check()
}

// Two are wiped at once: the ensemble is what the third one holds.
func TestTwoWipedAtOnce(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	w := e.write()
	w.goesOn()
	s := e.store()
	before := e.revision(s)
	e.wipe(e.keepers[0])
	e.wipe(e.keepers[1])
	e.launch(e.keepers[0])
	e.await("keeper 3 to say for whom it waits", func() bool { return e.keepers[2].readiness() != "ok" })
	began := time.Now()
	e.launch(e.keepers[1])
	e.allReady()
	t.Logf("recovered in %s", time.Since(began).Round(time.Millisecond))
	w.goesOn()
	w.check()
	if after := e.revision(s); after <= before {
		t.Errorf("revision %d after %d", after, before)
	}
	if _, err := s.Range(t.Context(), metadata.RangeRequest{Prefix: "n", Limit: 1, At: before}); err == nil {
		t.Error("a revision of the ensemble before can still be read: whoever watches from it is not told to read anew")
	}
}

// revision is the ensemble's now, once it answers.
func (e *ensemble) revision(s metadata.Store) metadata.Revision {
	e.t.Helper()
	var page metadata.Page
	e.await("a read", func() bool {
		var err error
		page, err = s.Range(e.t.Context(), metadata.RangeRequest{Prefix: "n", Limit: 1})
		return err == nil
	})
	return page.Revision
}

// All are stopped, and start again with what they have.
func TestAllStartedAgain(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	s := e.store()
	e.put(s, "k", "v")
	for _, k := range e.keepers {
		k.kill()
	}
	began := time.Now()
	e.launchAll()
	e.allReady()
	t.Logf("all are ready again after %s", time.Since(began).Round(time.Millisecond))
	if got := e.get(e.store(), "k"); got != "v" {
		t.Errorf("read %q", got)
	}
}
