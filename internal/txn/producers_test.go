package txn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/record"
)

// blocks hands out blocks of ten as a controller would, each after a while.
type blocks struct {
	mu    sync.Mutex
	next  record.ProducerID
	asked int
	fail  error
}

func (b *blocks) allocate(ctx context.Context) (Block, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return Block{}, ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.fail != nil {
		return Block{}, b.fail
	}
	block := Block{First: b.next, Count: 10}
	b.next += 10
	return block, nil
}

// producers with their answers.
type tester struct {
	*Producers
	mu     sync.Mutex
	ids    []record.ProducerID
	failed int
}

func newTester(b *blocks) *tester {
	return &tester{Producers: NewProducers(b.allocate, slog.New(slog.DiscardHandler))}
}

func (t *tester) ask(n int) {
	for range n {
		t.Next(func(id record.ProducerID, err error) {
			t.mu.Lock()
			defer t.mu.Unlock()
			if err != nil {
				t.failed++
				return
			}
			t.ids = append(t.ids, id)
		})
	}
}

func TestIDsAreUniqueAcrossBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocks{next: 100}
		p := newTester(b)
		defer p.Close()
		p.ask(25)
		time.Sleep(10 * time.Second) // the bubble's time
		p.ask(10)
		time.Sleep(10 * time.Second) // the bubble's time
		synctest.Wait()
		seen := map[record.ProducerID]bool{}
		for _, id := range p.ids {
			if seen[id] || id < 100 {
				t.Fatalf("id %d", id)
			}
			seen[id] = true
		}
		if len(p.ids) != 35 || p.failed != 0 {
			t.Fatalf("%d ids and %d failures, want 35 and none", len(p.ids), p.failed)
		}
	})
}

func TestNextBlockIsFetchedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocks{}
		p := newTester(b)
		defer p.Close()
		p.ask(1)
		time.Sleep(time.Second) // the bubble's time
		synctest.Wait()
		p.ask(7)
		time.Sleep(time.Minute) // the bubble's time
		synctest.Wait()
		if b.asked != 1 {
			t.Fatalf("%d blocks after 8 of 10 ids, want 1", b.asked)
		}
		p.ask(1)
		time.Sleep(time.Second) // the bubble's time
		synctest.Wait()
		if b.asked != 2 {
			t.Fatalf("%d blocks after 9 of 10 ids, want 2", b.asked)
		}
		p.ask(11) // at once, from two blocks
		if len(p.ids) != 20 {
			t.Fatalf("%d ids, want 20", len(p.ids))
		}
	})
}

func TestFailureIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocks{fail: errors.New("no controller")}
		p := newTester(b)
		defer p.Close()
		p.ask(3)
		time.Sleep(time.Second) // the bubble's time
		synctest.Wait()
		if p.failed != 3 || b.asked != 1 {
			t.Fatalf("%d failures after %d attempts, want 3 after 1", p.failed, b.asked)
		}
		b.mu.Lock()
		b.fail = nil
		b.mu.Unlock()
		p.ask(1)
		time.Sleep(time.Second) // the bubble's time
		synctest.Wait()
		if len(p.ids) != 1 {
			t.Fatal("no id once there is a controller")
		}
	})
}

func TestWaitingIsBoundedAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTester(&blocks{})
		p.ask(maxWaiting + 1)
		if p.failed != 1 {
			t.Fatalf("%d failures, want the one above the bound", p.failed)
		}
		p.Close()
		if p.failed != maxWaiting+1 {
			t.Fatalf("%d failures, want all", p.failed)
		}
		p.ask(1)
		if p.failed != maxWaiting+2 {
			t.Fatal("an id was given out after Close")
		}
	})
}
