package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
)

// A store that is full of history mends itself: an alarm, and not a stop.
func TestFullOfHistory(t *testing.T) {
	k := start(t, keeper.Options{Dir: t.TempDir(), Quota: 8 << 20})
	s := k.Store("")
	value := bytes.Repeat([]byte("x"), 256<<10)
	put := func() error {
		ctx, cancel := context.WithTimeout(bounded(t), 5*time.Second)
		defer cancel()
		_, err := s.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Put("k", value)}})
		return err
	}
	refused := false
	for range 200 {
		if err := put(); errors.Is(err, metadata.ErrFull) {
			refused = true
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !refused {
		t.Fatal("50 MiB of history fit into a quota of 8 MiB")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx := bounded(t); put() != nil; {
		select {
		case <-ctx.Done():
			t.Fatal("it did not mend itself")
		case <-tick.C:
		}
	}
}
