package replication

import (
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// TestPendingOutlivesOtherNews: a newcomer that has been proposed counts for the high watermark until the in-sync set
// changes, whatever else the metadata say meanwhile: its joining may come about at any moment (KIP-497).
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

	state.Ceiling, state.Epoch = state.Ceiling+metadata.CeilingStep, state.Epoch+1
	b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&state)))
	b.now = b.now.Add(time.Minute) // too long ago to count as about to join
	b.append(p, 1)
	if got := p.State().HighWatermark; got != 0 {
		t.Errorf("high watermark %d, and the newcomer has nothing", got)
	}
	p.Refused(b.proposals[0])
	b.append(p, 1)
	if got := p.State().HighWatermark; got != 2 {
		t.Errorf("high watermark %d after the refusal", got)
	}
}
