package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"barnabas/internal/metadata"
)

// next is the next Change with events, or the one with an error.
func next(t *testing.T, changes <-chan metadata.Change) metadata.Change {
	t.Helper()
	for {
		select {
		case c, ok := <-changes:
			if !ok {
				t.Fatal("the watch ended without an error")
			}
			if c.Err != nil || len(c.Events) > 0 {
				return c
			}
		case <-time.After(patience):
			t.Fatal("the watch says nothing")
		}
	}
}

// events takes Changes until there are that many events.
func events(t *testing.T, changes <-chan metadata.Change, n int) (got []metadata.Event) {
	t.Helper()
	for len(got) < n {
		c := next(t, changes)
		if c.Err != nil {
			t.Fatalf("the watch ended: %v", c.Err)
		}
		got = append(got, c.Events...)
	}
	return got
}

func watchFromThePast(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s, "before", "")
	rev := put(t, s, "k", "1")
	changes := b.Open(t).Watch(bounded(t), "", rev)
	put(t, s, "k", "2")
	last := do(t, s, metadata.Txn{Then: []metadata.Op{metadata.Delete("k")}})
	got := events(t, changes, 3)
	if got[0].Key != "k" || string(got[0].Value) != "1" || got[0].Modified != rev || got[0].Created != rev {
		t.Errorf("first event %+v", got[0])
	}
	if string(got[1].Value) != "2" || got[1].Created != rev {
		t.Errorf("second event %+v", got[1])
	}
	if !got[2].Deleted || got[2].Key != "k" || got[2].Modified != last {
		t.Errorf("third event %+v", got[2])
	}
}

func watchDoesNotTearRevisions(t *testing.T, b Backend) {
	s := b.Open(t)
	changes := s.Watch(bounded(t), "", put(t, s, "start", ""))
	const rounds = 40
	for i := range rounds {
		var ops []metadata.Op
		for j := range 100 {
			ops = append(ops, metadata.Put(fmt.Sprintf("k/%d", j), fmt.Append(nil, i)))
		}
		do(t, s, metadata.Txn{Then: ops})
	}
	var last metadata.Revision
	for seen := 0; seen < rounds*100+1; {
		c := next(t, changes)
		if c.Err != nil {
			t.Fatal(c.Err)
		}
		if first := c.Events[0].Modified; first <= last {
			t.Fatalf("revision %d comes in two changes", first)
		}
		last = c.Revision
		if e := c.Events[len(c.Events)-1]; e.Modified != last {
			t.Fatalf("the change says revision %d, its last event %d", last, e.Modified)
		}
		seen += len(c.Events)
	}
}

func watchOfAPrefix(t *testing.T, b Backend) {
	s := b.Open(t)
	changes := s.Watch(bounded(t), "a/", put(t, s, "start", "")+1)
	put(t, s, "b/1", "")
	put(t, s, "a", "")
	put(t, s, "a/1", "")
	if got := events(t, changes, 1); got[0].Key != "a/1" {
		t.Errorf("got %+v", got)
	}
}

func watchAfterCompaction(t *testing.T, b Backend) {
	s := b.Open(t)
	first := put(t, s, "k", "1")
	put(t, s, "k", "2")
	last := put(t, s, "k", "3")
	b.Compact(t, last)
	if c := next(t, s.Watch(bounded(t), "", first)); !errors.Is(c.Err, metadata.ErrCompacted) {
		t.Errorf("got %+v, want ErrCompacted", c)
	}
}

func watchEndsWithContext(t *testing.T, b Backend) {
	ctx, cancel := context.WithCancel(bounded(t))
	changes := b.Open(t).Watch(ctx, "", 1)
	cancel()
	for range changes {
	}
}

func closeEndsWatches(t *testing.T, b Backend) {
	s := b.Open(t)
	changes := s.Watch(bounded(t), "", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range changes {
	}
	for range 100 { // an answer from this process takes no longer than to cancel a call
		if _, _, err := s.Get(bounded(t), "k"); !errors.Is(err, metadata.ErrClosed) {
			t.Fatalf("get after close: %v", err)
		}
	}
}

func leaseHoldsKeys(t *testing.T, b Backend) {
	s := b.Open(t)
	lease, err := s.Lease(bounded(t), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	do(t, s, metadata.Txn{Then: []metadata.Op{metadata.PutLeased("k", nil, lease.ID()), metadata.Put("stays", nil)}})
	kv, found := get(t, s, "k")
	if !found || kv.Lease != lease.ID() {
		t.Fatalf("got %+v, want lease %d", kv, lease.ID())
	}
	changes := s.Watch(bounded(t), "", kv.Modified+1)
	if err := lease.Revoke(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if got := events(t, changes, 1); !got[0].Deleted || got[0].Key != "k" {
		t.Errorf("got %+v", got)
	}
	ended(t, lease)
	if _, found := get(t, s, "stays"); !found {
		t.Error("a key without a lease went too")
	}
}

// leaseRunsOut is about a process that dies: it closes nothing in order.
func leaseRunsOut(t *testing.T, b Backend) {
	dying, other := b.Open(t), b.Open(t)
	lease, rev := shortLease(t, dying)
	changes := other.Watch(bounded(t), "", rev+1)
	if err := dying.Close(); err != nil {
		t.Fatal(err)
	}
	if got := events(t, changes, 1); !got[0].Deleted || got[0].Key != "k" {
		t.Errorf("got %+v", got)
	}
	ended(t, lease)
}

// shortLease holds the key k. On a machine that stood still a lease may be over before the key hangs on it: the next one
// is longer.
func shortLease(t *testing.T, s metadata.Store) (metadata.Lease, metadata.Revision) {
	t.Helper()
	for ttl := time.Second; ; ttl *= 2 {
		lease, err := s.Lease(bounded(t), ttl)
		if err != nil {
			t.Fatal(err)
		}
		result, err := s.Txn(bounded(t), metadata.Txn{Then: []metadata.Op{metadata.PutLeased("k", nil, lease.ID())}})
		if err == nil && result.OK {
			return lease, result.Revision
		}
		if !errors.Is(err, metadata.ErrLeaseLost) || ttl > patience/4 {
			t.Fatalf("transaction: ok %v, error %v", result.OK, err)
		}
	}
}

func ended(t *testing.T, lease metadata.Lease) {
	t.Helper()
	select {
	case <-lease.Lost():
	case <-time.After(patience):
		t.Error("the lease does not say that it is over")
	}
}

func putOnDeadLease(t *testing.T, b Backend) {
	s := b.Open(t)
	lease, err := s.Lease(bounded(t), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Revoke(bounded(t)); err != nil {
		t.Fatal(err)
	}
	txn := metadata.Txn{Then: []metadata.Op{metadata.PutLeased("k", nil, lease.ID())}}
	if _, err := s.Txn(bounded(t), txn); !errors.Is(err, metadata.ErrLeaseLost) {
		t.Errorf("error %v, want ErrLeaseLost", err)
	}
}
