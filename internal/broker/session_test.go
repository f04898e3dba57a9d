package broker

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// A broker does not register with keepers that are behind what it knows: it would never hear of what is written there.
func TestNotWithKeepersOfThePast(t *testing.T) {
	store := memstore.New().Open(memstore.Faults{})
	defer store.Close()
	known := metadata.Revision(1000)
	s := &session{
		store: store, ttl: time.Minute, logger: slog.New(slog.DiscardHandler), evicted: make(chan struct{}, 1),
		current: func() metadata.Broker {
			return metadata.Broker{ID: 1, Stores: []ident.StoreID{ident.NewStoreID()}}
		},
		known: func() metadata.Revision { return known },
	}
	if err := s.open(t.Context()); !errors.Is(err, errPast) {
		t.Errorf("error %v, want that the keepers are behind", err)
	}
	if _, found, _ := store.Get(t.Context(), metadata.BrokerKey(1)); found {
		t.Error("it has registered all the same")
	}
	known = 1
	if err := s.open(t.Context()); err != nil {
		t.Error(err)
	}
}
