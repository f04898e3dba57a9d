package replication

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// Where brokers have several directories the in-sync set of a new partition names no stores. Once the leader knows into
// which one a follower fetches, what it supposed of it before doesn't count any more: it held up the high
// watermark for replica.lag.time.max.ms, and deletions of records for ever.
func TestAFollowerWhoseStoreBecomesKnown(t *testing.T) {
	b := newBench(t)
	follower := metadata.Member{Broker: 2, Store: ident.StoreID{2}}
	registration := metadata.Broker{ID: 2, Stores: []ident.StoreID{{1}, follower.Store}}
	b.change(put(metadata.BrokerKey(2), metadata.EncodeBroker(&registration)))
	other := metadata.Member{Broker: 3, Store: ident.StoreID{3}}
	state := b.led(0, metadata.Member{Broker: 2}, other)
	p := b.topic(state)
	fetch := func(offset record.Offset, who ...metadata.Member) {
		t.Helper()
		for _, m := range append(who, follower) {
			_, err := p.Read(ReadRequest{
				Offset: offset, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: 0, LastFetchedEpoch: record.NoEpoch,
				Follower: &FollowerFetch{Member: m},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	fetch(0)
	state.Epoch++ // something else changes first
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	fetch(0)
	if last := b.proposals[len(b.proposals)-1]; len(last.ISR) != 3 || last.ISR[1] != follower {
		t.Errorf("proposed: %+v, and the follower was second", last.ISR)
	}
	state.Epoch++
	state.ISR = []metadata.Member{state.ISR[0], follower, other}
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	fetch(0)
	at := b.append(p, 3)
	fetch(3, other)
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
		t.Errorf("Committed = %v, %v although all replicas have it", done, err)
	}
	if low, err := p.LowWatermark(); low != 0 || err != nil {
		t.Errorf("the low watermark is %d, %v", low, err)
	}
	if len(p.followers) != 2 {
		t.Errorf("followers: %+v", p.followers)
	}
}
