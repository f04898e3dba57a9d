package keeper

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"barnabas/internal/metadata"
)

// A member that rests still takes writes, keeps leases and ends them.
func TestRest(t *testing.T) {
	k, err := Start(Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), memberPatience)
	defer cancel()
	if err := k.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := rest(k.server); err != nil {
		t.Fatalf("a new release of etcd? %v", err)
	}
	store := k.Store("")
	// If writes waited for the heartbeat, each one but the first would take a whole one. On a busy machine one may take as
	// long; not all of them.
	quickest := time.Hour
	for n := 0; n < 20 && quickest > idleTick/2; n++ {
		began := time.Now()
		if _, err := store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Put("other", nil)}}); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			quickest = min(quickest, time.Since(began))
		}
	}
	if quickest > idleTick/2 {
		t.Errorf("a write takes %s: it waits for the heartbeat", quickest)
	}
	lease, err := store.Lease(ctx, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	result, err := store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.PutLeased("k", nil, lease.ID())}})
	if err != nil || !result.OK {
		t.Fatalf("%+v, %v", result, err)
	}
	changes := store.Watch(ctx, "", result.Revision+1)
	if err := store.Close(); err != nil { // which ends the watch too
		t.Fatal(err)
	}
	for range changes {
	}
	for c := range k.Store("").Watch(ctx, "", result.Revision+1) {
		if c.Err != nil {
			t.Fatal(c.Err)
		}
		if len(c.Events) > 0 && c.Events[0].Deleted {
			return
		}
	}
}
