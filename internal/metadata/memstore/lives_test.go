package memstore_test

import (
	"errors"
	"testing"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// TestRebirth has an ensemble lose what came last, and then everything.
func TestRebirth(t *testing.T) {
	ctx := t.Context()
	memory := memstore.NewMortal()
	s := memory.Open(memstore.Faults{})
	defer s.Close()
	put := func(key string, lease metadata.LeaseID) metadata.Revision {
		op := metadata.Put(key, []byte("x"))
		op.Lease = lease
		result, err := s.Txn(ctx, metadata.Txn{Then: []metadata.Op{op}})
		if err != nil || !result.OK {
			t.Fatal(result, err)
		}
		return result.Revision
	}
	has := func(key string) bool {
		_, found, err := s.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	lease, err := s.Lease(ctx, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Birth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	kept := put("a", lease.ID())
	last := put("b", lease.ID())
	memory.Rebirth(kept)
	second, err := s.Birth(ctx)
	if err != nil || second.Kept != kept || second.Since <= last || len(second.Ancestors) != 1 || second.Ancestors[0] != first.Ensemble {
		t.Fatalf("the second life is %+v, error %v", second, err)
	}
	if !has("a") || has("b") {
		t.Errorf("kept a: %v, b: %v", has("a"), has("b"))
	}
	if change := <-s.Watch(ctx, "", last+1); !errors.Is(change.Err, metadata.ErrCompacted) {
		t.Errorf("a watch of the life before hears %+v", change)
	}
	if now := put("c", lease.ID()); now <= second.Since {
		t.Errorf("revision %d, since %d", now, second.Since)
	}
	memory.Rebirth(0)
	third, err := s.Birth(ctx)
	if err != nil || third.Kept != 0 || len(third.Ancestors) != 0 || third.Since <= second.Since {
		t.Fatalf("the third life is %+v, error %v", third, err)
	}
	if has("a") || has("c") {
		t.Errorf("left: a %v, c %v", has("a"), has("c"))
	}
	<-lease.Lost()
}
