package replication

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// A consumer is sent to followers in sync that have got as far as it, and by nobody but the leader.
func TestReaders(t *testing.T) {
	b := newBench(t)
	inSync, lagging := metadata.Member{Broker: 2, Store: ident.StoreID{2}}, metadata.Member{Broker: 3, Store: ident.StoreID{3}}
	state := b.led(0, inSync)
	state.Replicas = append(state.Replicas, lagging.Broker)
	p := b.topic(state)
	b.append(p, 5)
	for follower, offset := range map[metadata.Member]record.Offset{inSync: 3, lagging: 4} {
		if _, err := p.Read(ReadRequest{
			Offset: offset, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: 0, LastFetchedEpoch: record.NoEpoch,
			Follower: &FollowerFetch{Member: follower, LogStart: 1},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for at, want := range map[record.Offset]int{0: 0, 1: 1, 3: 1, 4: 0} {
		got := p.Readers(at, nil)
		if len(got) != want || want > 0 && (got[0].Broker != inSync.Broker || got[0].LogEnd != 3 || got[0].CaughtUp.IsZero()) {
			t.Errorf("at offset %d: %+v", at, got)
		}
	}
	follows := b.led(1, inSync)
	follows.Leader = inSync.Broker
	p = b.topic(follows)
	if got := p.Readers(3, nil); len(got) != 0 {
		t.Errorf("a follower names %+v", got)
	}
}
