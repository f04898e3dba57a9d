package replication

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// heir is on a store of a process with this broker's own number.
var heir = metadata.Member{Broker: self, Store: ident.StoreID{9}}

// registerAll enters this broker, as leaving or not, the other one, and a successor with the heir's store.
func (b *bench) registerAll(leaving bool) {
	b.t.Helper()
	own := metadata.Broker{Stores: []ident.StoreID{b.store.Dirs()[0].ID()}, Leaving: leaving}
	other := metadata.Broker{Stores: []ident.StoreID{otherBroker.Store}}
	b.change(
		put(metadata.BrokerKey(self), metadata.EncodeBroker(&own)),
		put(metadata.BrokerKey(otherBroker.Broker), metadata.EncodeBroker(&other)),
		put(metadata.SuccessorKey(self), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{heir.Store}})),
	)
}

// fetch is one fetch of a follower that has everything below an offset.
func fetch(t *testing.T, p *Partition, who metadata.Member, from record.Offset) {
	t.Helper()
	read, err := p.Read(ReadRequest{
		Offset: from, MaxBytes: 1 << 20, UpTo: AtLogEnd, CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch,
		Follower: &FollowerFetch{Member: who},
	})
	if err != nil {
		t.Fatal(err)
	}
	read.Span.Release()
}

// TestLeaderHandsOverToItsSuccessor: a partition of one replica goes to the store of the process that takes its
// broker's place, and no record is acknowledged that the successor does not have.
func TestLeaderHandsOverToItsSuccessor(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.registerAll(true)
	b.append(p, 5)
	if got := p.Succession(); got != Behind {
		t.Fatalf("before it has fetched: %d", got)
	}
	fetch(t, p, heir, 0)
	if got := p.Succession(); got != Behind {
		t.Fatalf("before it has anything: %d", got)
	}
	p.HandOver()
	if len(b.proposals) > 0 {
		t.Fatalf("handed over too early: %+v", b.proposals)
	}
	fetch(t, p, heir, 5)
	if got := p.Succession(); got != Level {
		t.Fatalf("when it has everything: %d", got)
	}
	p.HandOver()
	last := b.proposals[len(b.proposals)-1]
	if !last.HandOver || len(last.ISR) != 1 || last.ISR[0] != heir {
		t.Fatalf("proposed %+v", last)
	}
	at := b.append(p, 1)
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); done || err != nil {
		t.Fatalf("acknowledged without the successor: %t %v", done, err)
	}
	fetch(t, p, heir, 6)
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
		t.Fatalf("not acknowledged though the successor has it: %t %v", done, err)
	}
	state := b.led(1)
	state.ISR, state.Epoch = []metadata.Member{heir}, 1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if _, leads := p.IsLeader(); leads {
		t.Error("leads although its successor does")
	}
	if _, follows := p.Upstream(); follows {
		t.Error("copies from its successor, though it goes")
	}
}

// TestSuccessorOfAFollower: it has a row of its own beside the one whose place it is to take, joins in its place, and
// what is left of the other holds up nobody.
func TestSuccessorOfAFollower(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0, otherBroker))
	newStore := metadata.Member{Broker: otherBroker.Broker, Store: ident.StoreID{9}}
	b.registerAll(false)
	b.change(
		put(metadata.SuccessorKey(otherBroker.Broker), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{newStore.Store}})),
	)
	b.append(p, 5)
	fetch(t, p, otherBroker, 5)
	fetch(t, p, newStore, 0)
	if len(p.followers) != 2 {
		t.Fatalf("followers %+v", p.followers)
	}
	fetch(t, p, newStore, 5)
	last := b.proposals[len(b.proposals)-1]
	if len(last.ISR) != 2 || last.ISR[1] != newStore || last.HandOver {
		t.Fatalf("proposed %+v", last)
	}
	state := b.led(0, newStore)
	state.Epoch = 1
	b.change(
		put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)),
		put(metadata.BrokerKey(otherBroker.Broker), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{newStore.Store}})),
		gone(metadata.SuccessorKey(otherBroker.Broker)),
	)
	at := b.append(p, 1)
	fetch(t, p, newStore, 6)
	if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
		t.Errorf("waits for a store that nobody has any more: %t %v, followers %+v", done, err, p.followers)
	}
}

// TestSuccessorCopiesFromItsOwnNumber: what is led under its own number, by another store, is copied from there.
func TestSuccessorCopiesFromItsOwnNumber(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.ISR = []metadata.Member{heir} // another's store leads, under this broker's number
	p := b.topic(state)
	if _, follows := p.Upstream(); follows {
		t.Error("a broker copies from itself")
	}
	b.manager.Succeed(true)
	if up, follows := p.Upstream(); !follows || up.Leader != self || up.Store != heir.Store {
		t.Errorf("copies from %+v, %t", up, follows)
	}
}
