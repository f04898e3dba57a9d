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
	// One write may happen to come with a heartbeat, and the machine may be busy during another; of writes that wait for it
	// each one but the first takes a whole one.
	quickest := idleTick
	for range 5 {
		began := time.Now()
		if _, err := store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Put("other", nil)}}); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		if quickest = min(quickest, took); took < idleTick/2 {
			break
		}
	}
	t.Logf("a write takes %s", quickest)
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
