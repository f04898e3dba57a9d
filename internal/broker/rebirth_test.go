package broker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// TestRegistrationIsSaidAgainAfterALoss: keepers that live again with an older registration of a broker, made when its log
// directory could not be read, are told what it says now. Otherwise it leads nothing until it says something else.
func TestRegistrationIsSaidAgainAfterALoss(t *testing.T) {
	memory := memstore.NewMortal()
	store := memory.Open(memstore.Faults{})
	defer store.Close()
	id, now := ident.NewStoreID(), metadata.Broker{ID: 1, Failed: 1}
	s := &session{
		store: store, ttl: time.Minute, logger: slog.New(slog.DiscardHandler), evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		current: func() metadata.Broker { return now }, known: func() metadata.Revision { return 0 },
	}
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := s.revision()
	now.Stores, now.Failed = []ident.StoreID{id}, 0
	if !s.update(t.Context()) {
		t.Fatal("the registration was not changed")
	}
	memory.Rebirth(kept)
	b := &Broker{id: 1, meta: &metadataAccess{store: store}, session: s, logger: s.logger}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.registerAgain(ctx); err != nil {
		t.Fatal(err)
	}
	kv, found, err := store.Get(ctx, metadata.BrokerKey(1))
	if err != nil || !found {
		t.Fatalf("registered: %v, error %v", found, err)
	}
	said, err := metadata.DecodeBroker(kv)
	if err != nil || !said.HasStore(id) || said.Failed != 0 {
		t.Errorf("the keepers know %+v, error %v", said, err)
	}
}
