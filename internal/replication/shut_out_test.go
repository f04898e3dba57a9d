package replication

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// A follower that was shut out of the in-sync set, and whose broker has registered anew, is not waited for before it has
// fetched again: what its life before had counted as about to join, and held up the high watermark for replica.lag.time.max.ms.
func TestWhoWasShutOutIsNotWaitedFor(t *testing.T) {
	b := newBench(t)
	state := b.led(0, otherBroker)
	registration := metadata.Broker{Stores: []ident.StoreID{otherBroker.Store}}
	register := func() metadata.Revision {
		b.change(put(metadata.BrokerKey(otherBroker.Broker), metadata.EncodeBroker(&registration)))
		return b.image.Broker(otherBroker.Broker).Epoch
	}
	registered := register()
	p := b.topic(state)
	copies := func(offset record.Offset) {
		t.Helper()
		_, err := p.Read(ReadRequest{
			Offset: offset, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: 0, LastFetchedEpoch: record.NoEpoch,
			Follower: &FollowerFetch{Member: otherBroker, Registered: registered},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	shown := func(want record.Offset, when string) {
		t.Helper()
		if got := p.State().HighWatermark; got != want {
			t.Errorf("high watermark %d, want %d, %s", got, want, when)
		}
	}
	copies(0)
	b.append(p, 1)
	copies(1)
	shown(1, "with both in sync")
	b.append(p, 1)
	shown(1, "while the follower is not heard of")
	b.change(gone(metadata.BrokerKey(otherBroker.Broker)))
	state.Epoch, state.ISR = state.Epoch+1, state.ISR[:1]
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	shown(2, "without the follower")
	registered = register()
	b.append(p, 1)
	shown(3, "when the follower has registered and is not heard of")
	copies(2)
	b.append(p, 1)
	shown(4, "when it copies what it has missed: how far it was in its life before does not count")
	copies(3)
	b.append(p, 1)
	shown(4, "when it has caught up: it may be about to join")
}
