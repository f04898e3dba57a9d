package histories

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// patience bounds what a Store may take on a machine with much else to do.
const patience = time.Minute

// newClient is a client of a store, whose choices follow from its number and the seed.
func newClient(h *history, number int, store metadata.Store, seed uint64) *client {
	return &client{
		number: number, store: store, history: h, random: rand.New(rand.NewPCG(seed, uint64(number))),
		within: patience, seen: map[string]metadata.Revision{},
	}
}

// The Store in memory is a register for each key, whatever is lost on the way to a client and back.
func TestMemory(t *testing.T) {
	t.Parallel()
	memory := memstore.New()
	h := newHistory()
	var clients sync.WaitGroup
	for n := range 6 {
		faults := rand.New(rand.NewPCG(1, uint64(n)))
		lost := func(memstore.Call) error {
			if faults.IntN(15) == 0 {
				return errors.New("lost")
			}
			return nil
		}
		store := memory.Open(memstore.Faults{Before: lost, After: lost})
		defer store.Close()
		c := newClient(h, n, store, 1)
		clients.Go(func() {
			for range 1500 {
				c.ask(t.Context())
			}
		})
	}
	clients.Wait()
	if !h.holds(t) {
		t.Error("the Store in memory is not linearizable")
	}
}
