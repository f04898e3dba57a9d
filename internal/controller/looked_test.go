package controller

import (
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// TestTornIsSeenBehindOtherWrites: a copy that came back torn begins a new leader epoch also where the state was written
// between its registration and the controller's look, by a leader that raises its ceiling for one. The epoch went on, and
// offsets past the torn end were given out in it twice.
func TestTornIsSeenBehindOtherWrites(t *testing.T) {
	store, id := ident.StoreID{1}, ident.TopicID{7}
	p := metadata.Partition{
		Replicas: []ident.BrokerID{1}, ISR: []metadata.Member{{Broker: 1, Store: store}}, Leader: 1, LeaderEpoch: 3,
		Ceiling: metadata.CeilingStep,
	}
	image, revision := metadata.NewImage(), metadata.Revision(0)
	write := func(key string, value []byte) {
		t.Helper()
		revision++
		next, _, err := image.Apply(revision, []metadata.Event{{KV: metadata.KV{
			Key: key, Value: value, Created: revision, Modified: revision,
		}}})
		if err != nil {
			t.Fatal(err)
		}
		image = next
	}
	look := func() *metadata.Partition {
		e := &election{img: image, minISR: 1, now: time.Unix(1000, 0), topic: id}
		next, loss := e.elect(image.Topic("t").Partition(0))
		if loss != nil {
			t.Errorf("a loss: %+v", loss)
		}
		return next
	}
	register := func() {
		write(metadata.BrokerKey(1), metadata.EncodeBroker(&metadata.Broker{Stores: []ident.StoreID{store}, Torn: true}))
	}
	write(metadata.TopicKey(id), metadata.EncodeTopic("t", 1))
	write(metadata.PartitionKey(id, 0), metadata.EncodePartition(&p))
	for epoch := p.LeaderEpoch + 1; epoch < 6; epoch++ {
		register()
		now := *image.Topic("t").Partition(0)
		now.Ceiling, now.Epoch = now.Ceiling+metadata.CeilingStep, now.Epoch+1
		write(metadata.PartitionKey(id, 0), metadata.EncodePartition(&now))
		next := look()
		if next == nil || next.LeaderEpoch != epoch {
			t.Fatalf("the state becomes %+v, and epoch %d was to begin", next, epoch)
		}
		write(metadata.PartitionKey(id, 0), metadata.EncodePartition(next))
		if again := look(); again != nil {
			t.Fatalf("looked at already, and it becomes %+v", again)
		}
	}
}
