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

// TestRegistrationSaysWhatWasPutBack: a broker that goes on while the keepers lose everything is registered before it has put back what it
// knows, and says so only then. Started again in that life it says it still, but not in the next one.
func TestRegistrationSaysWhatWasPutBack(t *testing.T) {
	memory := memstore.NewMortal()
	store := memory.Open(memstore.Faults{})
	defer store.Close()
	feed, err := metadata.StartFeed(t.Context(), store, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Stop()
	b := &Broker{id: 1, meta: &metadataAccess{store: store}, feed: feed, logger: slog.New(slog.DiscardHandler)}
	b.session = &session{
		store: store, ttl: time.Minute, logger: b.logger, evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		current: func() metadata.Broker {
			r := metadata.Broker{ID: 1, Stores: []ident.StoreID{{1}}}
			r.Told, r.ToldAll = b.hasTold()
			return r
		},
	}
	register := func(want string, all bool) {
		t.Helper()
		if err := b.session.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if said, _ := b.session.said(); said.Told != want || said.ToldAll != all {
			t.Errorf("registered with told %q, all %t, want %q, %t", said.Told, said.ToldAll, want, all)
		}
		if err := feed.Await(t.Context(), b.session.revision()); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := store.Birth(t.Context())
	b.told.Store(&told{life: before.Ensemble})
	register(before.Ensemble, false)
	known := feed.Current()

	memory.Rebirth(known.Revision())
	now, _ := store.Birth(t.Context())
	if said, _ := b.session.said(); said.Told == now.Ensemble {
		t.Error("it has told what it knew before it could")
	}
	if err := b.reborn(t.Context(), known, before, now); err != nil {
		t.Fatal(err)
	}
	if said, _ := b.session.said(); said.Told != now.Ensemble || !said.ToldAll {
		t.Errorf("having put back what it knew it says %q, all %t", said.Told, said.ToldAll)
	}
	if err := feed.Await(t.Context(), b.session.revision()); err != nil {
		t.Fatal(err)
	}
	b.told.Store(&told{life: now.Ensemble}) // as one that has nothing to put back
	register(now.Ensemble, true)
	b.told.Store(&told{life: "the next"})
	register("the next", false)
}
