package metadata_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func startFeed(t *testing.T, s metadata.Store) *metadata.Feed {
	t.Helper()
	feed, err := metadata.StartFeed(bounded(t), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(feed.Stop)
	return feed
}

func setFeature(t *testing.T, s metadata.Store, level int16) metadata.Revision {
	t.Helper()
	op := metadata.Put(metadata.FeatureKey("f"), metadata.EncodeFeature(level))
	result, err := s.Txn(bounded(t), metadata.Txn{Then: []metadata.Op{op}})
	if err != nil {
		t.Fatal(err)
	}
	return result.Revision
}

func TestSubscriberSeesEveryChangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New().Open(memstore.Faults{})
		setFeature(t, s, 1)
		feed := startFeed(t, s)
		var seen []string
		unsubscribe := feed.Subscribe(func(old, img *metadata.Image, d *metadata.Delta) {
			if d.From != old.Revision() || d.To != img.Revision() {
				t.Errorf("delta from %d to %d of images %d and %d", d.From, d.To, old.Revision(), img.Revision())
			}
			seen = append(seen, fmt.Sprint(old.Feature("f"), "->", img.Feature("f")))
		})
		for level := range int16(3) {
			rev := setFeature(t, s, level+2)
			if err := feed.Await(bounded(t), rev); err != nil {
				t.Fatal(err)
			}
			if len(seen) != int(level)+2 {
				t.Errorf("Await returns before the subscriber has seen: %v", seen)
			}
		}
		unsubscribe()
		if err := feed.Await(bounded(t), setFeature(t, s, 9)); err != nil {
			t.Fatal(err)
		}
		if want := "[0->1 1->2 2->3 3->4]"; fmt.Sprint(seen) != want {
			t.Errorf("seen %v, want %s", seen, want)
		}
	})
}

// Who precedes is told of every Image while the one before is current still, and before any subscriber hears of it: of one that
// is read as a whole without events.
func TestPreceded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.NewMortal()
		s := memory.Open(memstore.Faults{})
		setFeature(t, s, 1)
		feed := startFeed(t, s)
		var told []string
		heard := metadata.Revision(0)
		feed.Precede(func(img *metadata.Image, events []metadata.Event) {
			if now := feed.Current(); len(told) > 0 && now.Revision() >= img.Revision() || heard >= img.Revision() {
				t.Errorf("told of revision %d when %d is current and %d was heard of", img.Revision(), now.Revision(), heard)
			}
			told = append(told, fmt.Sprint(img.Feature("f"), " by ", len(events)))
		})
		defer feed.Subscribe(func(_, img *metadata.Image, _ *metadata.Delta) { heard = img.Revision() })()
		for level := range int16(2) {
			if err := feed.Await(bounded(t), setFeature(t, s, level+2)); err != nil {
				t.Fatal(err)
			}
		}
		memory.Rebirth(memory.Revision())
		if err := feed.Await(bounded(t), memory.Revision()); err != nil {
			t.Fatal(err)
		}
		if want := "[1 by 0 2 by 1 3 by 1 3 by 0]"; fmt.Sprint(told) != want {
			t.Errorf("told of %v, want %s", told, want)
		}
	})
}

func TestFeedOutlastsTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		link, other := memory.Open(memstore.Faults{}), memory.Open(memstore.Faults{})
		feed := startFeed(t, link)
		link.Cut()
		rev := setFeature(t, other, 5)
		ctx, cancel := context.WithTimeout(bounded(t), time.Second)
		defer cancel()
		if err := feed.Await(ctx, rev); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v while cut off", err)
		}
		link.Mend()
		if err := feed.Await(bounded(t), rev); err != nil || feed.Current().Feature("f") != 5 {
			t.Errorf("level %d, error %v", feed.Current().Feature("f"), err)
		}
	})
}

func TestFeedReadsAnewAfterCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		link, other := memory.Open(memstore.Faults{}), memory.Open(memstore.Faults{})
		feed := startFeed(t, link)
		var changes atomic.Int32
		feed.Subscribe(func(old, img *metadata.Image, d *metadata.Delta) {
			if d.Features {
				changes.Add(1)
			}
		})
		link.Cut()
		synctest.Wait()
		var rev metadata.Revision
		for level := range int16(10) {
			rev = setFeature(t, other, level+1)
		}
		memory.Compact(rev)
		link.Mend()
		if err := feed.Await(bounded(t), rev); err != nil || feed.Current().Feature("f") != 10 {
			t.Errorf("level %d, error %v", feed.Current().Feature("f"), err)
		}
		if n := changes.Load(); n != 1 {
			t.Errorf("told of %d changes, want one", n)
		}
	})
}

func TestLateChangesComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := memstore.New()
		slow := memory.Open(memstore.Faults{WatchDelay: func(metadata.Change) time.Duration { return time.Second }})
		feed := startFeed(t, slow)
		s := memory.Open(memstore.Faults{})
		setFeature(t, s, 1)
		began := time.Now()
		if err := feed.Await(bounded(t), setFeature(t, s, 2)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 2*time.Second || feed.Current().Feature("f") != 2 {
			t.Errorf("level %d after %s", feed.Current().Feature("f"), took)
		}
	})
}

func TestFeedStopsAtWhatItCantRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New().Open(memstore.Faults{})
		feed := startFeed(t, s)
		op := metadata.Put(metadata.FormatKey(), []byte("99"))
		if _, err := s.Txn(bounded(t), metadata.Txn{Then: []metadata.Op{op}}); err != nil {
			t.Fatal(err)
		}
		<-feed.Done()
		if err := feed.Err(); !errors.Is(err, metadata.ErrNewerFormat) {
			t.Errorf("error %v", err)
		}
		if err := feed.Await(bounded(t), 99); !errors.Is(err, metadata.ErrNewerFormat) {
			t.Errorf("Await: %v", err)
		}
		if _, err := metadata.StartFeed(bounded(t), s, slog.New(slog.DiscardHandler)); !errors.Is(err, metadata.ErrNewerFormat) {
			t.Errorf("StartFeed: %v", err)
		}
		if _, err := metadata.Found(bounded(t), s, metadata.Cluster{}); !errors.Is(err, metadata.ErrNewerFormat) {
			t.Errorf("Found: %v", err)
		}
	})
}
