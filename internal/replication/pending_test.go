package replication

import (
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

// TestPendingOutlivesOtherNews: a newcomer that has been proposed counts for the high watermark until the partition's state
// is written again, whatever else the metadata say meanwhile: its joining may come about at any moment (KIP-497).
func TestPendingOutlivesOtherNews(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.Replicas = []ident.BrokerID{self, otherBroker.Broker}
	p := b.topic(state)
	other := metadata.Broker{Stores: []ident.StoreID{otherBroker.Store}}
	b.change(put(metadata.BrokerKey(otherBroker.Broker), metadata.EncodeBroker(&other)))
	fetch(t, p, otherBroker, 0)
	if n := len(b.proposals); n != 1 || len(b.proposals[0].ISR) != 2 {
		t.Fatalf("proposed %+v", b.proposals)
	}
	appended := record.Offset(0)
	show := func(news string, want record.Offset) {
		t.Helper()
		b.now = b.now.Add(time.Minute) // too long ago to count as about to join
		b.append(p, 1)
		appended++
		if got := p.State().HighWatermark; got != want {
			t.Errorf("%s: high watermark %d of %d, want %d", news, got, appended, want)
		}
	}
	b.change(gone(metadata.BrokerKey(otherBroker.Broker)))
	show("the newcomer has nothing, and is gone", 0)
	earlier := b.proposals[0]
	earlier.Modified--
	p.Refused(earlier)
	show("another proposal is refused", 0)

	state.Ceiling, state.Epoch = state.Ceiling+metadata.CeilingStep, state.Epoch+1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	show("the state was written again, and the proposal is void with that", 3)
}

func TestRefusedNewcomerCountsNoMore(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.Replicas = []ident.BrokerID{self, otherBroker.Broker}
	p := b.topic(state)
	b.change(put(metadata.BrokerKey(otherBroker.Broker), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{otherBroker.Store}})))
	fetch(t, p, otherBroker, 0)
	p.Refused(b.proposals[0])
	b.now = b.now.Add(time.Minute)
	b.append(p, 1)
	if got := p.State().HighWatermark; got != 1 {
		t.Errorf("high watermark %d after the refusal", got)
	}
}

// TestHighWatermarksWaitForTheRegistration: until the broker serves under its registration a proposal of its life before may
// come about, and its newcomer be elected.
func TestHighWatermarksWaitForTheRegistration(t *testing.T) {
	b := newBench(t)
	b.manager.local.held.Store(true)
	p := b.topic(b.led(0))
	at := b.append(p, 2)
	w := NewWaiter()
	p.Watch(w, AtHighWatermark, at.LastOffset)
	if got := p.State().HighWatermark; got != 0 {
		t.Errorf("high watermark %d before the broker serves", got)
	}
	b.manager.Release()
	<-w.Woken()
	if got := p.State().HighWatermark; got != 2 {
		t.Errorf("high watermark %d when it serves", got)
	}
}

// TestEligibleAreForgottenBeforeTheMarkMoves: when min.insync.replicas is lowered to what the in-sync set has, those who were
// eligible beside it lack what it shows from then on. They would be elected all the same: no high watermark moves before the
// state says that nobody is eligible any more (KIP-966).
func TestEligibleAreForgottenBeforeTheMarkMoves(t *testing.T) {
	b := newBench(t)
	minISR := 2
	b.settings.MinISR = func(int) int { return minISR }
	state := b.led(0)
	state.Replicas, state.ELR = []ident.BrokerID{self, otherBroker.Broker}, []metadata.Member{otherBroker}
	p := b.topic(state)
	if _, err := p.Append(batch(t, 3), AppendRequest{Acks: 1, Epoch: record.NoEpoch}); err != nil {
		t.Fatal(err)
	}
	if len(b.proposals) > 0 {
		t.Fatalf("proposed below the minimum: %+v", b.proposals)
	}
	minISR = 1
	p.settle(b.settings)
	if got := p.State().HighWatermark; got != 0 {
		t.Errorf("high watermark %d while somebody is eligible who lacks that", got)
	}
	if n := len(b.proposals); n != 1 || len(b.proposals[0].ISR) != 1 || b.proposals[0].MinISR != 1 {
		t.Fatalf("proposed %+v", b.proposals)
	}
	p.Refused(b.proposals[0])
	b.manager.CheckInSync()
	if n := len(b.proposals); n != 2 {
		t.Fatalf("refused once, it is proposed %d times", n)
	}
	state.ELR, state.Epoch = nil, state.Epoch+1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	if got := p.State().HighWatermark; got != 3 {
		t.Errorf("high watermark %d when nobody is eligible any more", got)
	}
}

// TestEligibleAreForgottenByANewLeader: the minimum may have been lowered before it was elected.
func TestEligibleAreForgottenByANewLeader(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	state.Replicas, state.ELR = []ident.BrokerID{self, otherBroker.Broker}, []metadata.Member{otherBroker}
	p := b.topic(state)
	b.append(p, 3)
	if got := p.State().HighWatermark; got != 0 {
		t.Errorf("high watermark %d while somebody is eligible who lacks that", got)
	}
	if n := len(b.proposals); n != 1 || len(b.proposals[0].ISR) != 1 {
		t.Errorf("proposed %+v", b.proposals)
	}
}
