package keeper_test

import (
	"bytes"
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
		_, err := s.Txn(bounded(t), metadata.Txn{Then: []metadata.Op{metadata.Put("k", value)}})
		return err
	}
	// The file grows when what was written is put there, now and then.
	for ctx := bounded(t); ; {
		err := put()
		if errors.Is(err, metadata.ErrFull) {
			break
		}
		if err != nil && !errors.Is(err, metadata.ErrUnavailable) || ctx.Err() != nil { // a slow disk has it time out
			t.Fatalf("history does not fill the store: %v", err)
		}
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

// How full the store is is told in the process, over the network, and by an etcd of somebody else's to a user who may do little.
func TestUsage(t *testing.T) {
	k := start(t, keeper.Options{Dir: t.TempDir(), Listener: "127.0.0.1:0", Quota: 64 << 20})
	for name, s := range map[string]metadata.Store{"in the process": k.Store("/some"), "over the network": dial(t, k)} {
		usage, err := metadata.UsageOf(bounded(t), s)
		if err != nil || usage.Quota != 64<<20 || usage.Bytes <= 0 || usage.NearlyFull() {
			t.Errorf("%s: %+v, %v", name, usage, err)
		}
	}
	usage, err := metadata.UsageOf(bounded(t), startOutside(t).dial(t, outsidePassword))
	if err != nil || usage.Quota <= 0 || usage.Bytes <= 0 {
		t.Errorf("outside: %+v, %v", usage, err)
	}
}
