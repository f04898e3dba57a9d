package broker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
		store: store, ttl: time.Minute, logger: slog.New(slog.DiscardHandler), evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1),
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

// A registration that others have ended is made anew, also where this broker has never seen that it went: it was made and ended
// while the metadata were read anew. A word that is of an earlier registration changes nothing.
func TestAnEndThatWasNotSeen(t *testing.T) {
	store := memstore.New().Open(memstore.Faults{})
	defer store.Close()
	s := &session{
		store: store, ttl: time.Minute, logger: slog.New(slog.DiscardHandler), evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		current: func() metadata.Broker {
			return metadata.Broker{ID: 1, Stores: []ident.StoreID{ident.NewStoreID()}}
		},
	}
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kept := make(chan struct{})
	go func() {
		s.keep(ctx)
		close(kept)
	}()
	first := s.epoch()
	empty := func(revision metadata.Revision) *metadata.Image {
		image, err := metadata.ImageOf(revision, func(func(string, []byte) bool) {})
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	s.heard(empty(first - 1)) // of before it was made
	s.heard(empty(first))     // it is there all the same
	ended, err := store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Delete(metadata.BrokerKey(1))}})
	if err != nil {
		t.Fatal(err)
	}
	for s.epoch() == first && ctx.Err() == nil {
		s.heard(empty(ended.Revision))
		pause(ctx, time.Millisecond)
	}
	again := s.epoch()
	if _, found, err := store.Get(ctx, metadata.BrokerKey(1)); err != nil || !found || again <= ended.Revision {
		t.Errorf("registered %v at %d, error %v, want a registration after %d", found, again, err, ended.Revision)
	}
	cancel()
	<-kept
}

// What a broker says last is what the cluster has, also where its registration is made anew, or another change is told, just then:
// whoever began first may be written last.
func TestTheLastWordHolds(t *testing.T) {
	t.Run("registered anew", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			testTheLastWordHolds(t, func(s *session) error {
				_, err := s.store.Txn(t.Context(), metadata.Txn{Then: []metadata.Op{metadata.Delete(metadata.BrokerKey(1))}})
				return err
			}, (*session).open)
		})
	})
	t.Run("changed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			testTheLastWordHolds(t, func(*session) error { return nil }, (*session).tryUpdate)
		})
	})
}

// testTheLastWordHolds has the store take its time with what write says, of a broker that is torn, and the broker say meanwhile that it
// is not.
func testTheLastWordHolds(t *testing.T, before func(*session) error, write func(*session, context.Context) error) {
	var hold, torn atomic.Bool
	held := make(chan struct{})
	store := memstore.New().Open(memstore.Faults{Before: func(c memstore.Call) error {
		if c == memstore.CallTxn && hold.CompareAndSwap(true, false) {
			<-held
		}
		return nil
	}})
	defer store.Close()
	stores := []ident.StoreID{ident.NewStoreID()}
	s := &session{
		store: store, ttl: time.Minute, logger: slog.New(slog.DiscardHandler), evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		current: func() metadata.Broker { return metadata.Broker{ID: 1, Stores: stores, Torn: torn.Load()} },
	}
	torn.Store(true)
	if err := errors.Join(s.open(t.Context()), before(s)); err != nil {
		t.Fatal(err)
	}
	hold.Store(true)
	var done sync.WaitGroup
	done.Go(func() {
		if err := write(s, t.Context()); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait() // until it is on its way to the store
	torn.Store(false)
	done.Go(func() { s.update(t.Context()) })
	synctest.Wait()
	close(held)
	done.Wait()
	kv, _, err := store.Get(t.Context(), metadata.BrokerKey(1))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := metadata.DecodeBroker(kv); err != nil || b.Torn {
		t.Errorf("the cluster has %+v, error %v: it is torn no more", b, err)
	}
	if b, _ := s.said(); b.Torn {
		t.Error("and the broker takes that for what it has said")
	}
}

// The keepers are away for ten minutes. The broker says so, each minute again, and what does not change meanwhile; then it registers.
func TestTenMinutesWithoutKeepers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New().Open(memstore.Faults{})
		defer store.Close()
		var said bytes.Buffer
		var gone atomic.Pointer[absence]
		s := &session{
			store: store, ttl: 9 * time.Second, logger: slog.New(slog.NewTextHandler(&said, nil)), evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1),
			current: func() metadata.Broker {
				return metadata.Broker{ID: 1, Stores: []ident.StoreID{ident.NewStoreID()}}
			},
			gone: gone.Store,
		}
		if err := s.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		kept := make(chan struct{})
		go func() {
			s.keep(ctx)
			close(kept)
		}()
		first := s.epoch()
		store.Cut()
		time.Sleep(10 * time.Minute)
		if a := gone.Load(); a == nil || !strings.Contains(a.String(), "the keepers have not answered for 9m5") {
			t.Errorf("after ten minutes it says %v", a)
		}
		store.Mend()
		time.Sleep(10 * time.Second)
		if a := gone.Load(); a != nil || s.epoch() == first {
			t.Errorf("with the keepers back it says %v; its epoch is %d, it was %d", a, s.epoch(), first)
		}
		cancel()
		<-kept
		if n := strings.Count(said.String(), "do not change until most keepers answer"); n < 8 || n > 10 {
			t.Errorf("it was said %d times:\n%s", n, said.String())
		}
	})
}
