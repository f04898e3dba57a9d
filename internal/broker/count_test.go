package broker

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
)

func TestCountChanges(t *testing.T) {
	topic := ident.TopicID{1}
	image := metadata.NewImage()
	var revision metadata.Revision
	var replication metrics.Replication
	change := func(events ...metadata.KV) {
		t.Helper()
		revision++
		list := make([]metadata.Event, len(events))
		for i, kv := range events {
			kv.Modified = revision
			list[i].KV = kv
		}
		next, delta, err := image.Apply(revision, list)
		if err != nil {
			t.Fatal(err)
		}
		countChanges(&replication, 1, image, next, delta)
		image = next
	}
	partition := func(leader ident.BrokerID, isr ...ident.BrokerID) metadata.KV {
		p := metadata.Partition{Replicas: []ident.BrokerID{1, 2, 3}, Leader: leader}
		for _, id := range isr {
			p.ISR = append(p.ISR, metadata.Member{Broker: id})
		}
		return metadata.KV{Key: metadata.PartitionKey(topic, 0), Value: metadata.EncodePartition(&p)}
	}
	change(metadata.KV{Key: metadata.TopicKey(topic), Value: metadata.EncodeTopic("t", 1)}, partition(1, 1, 2, 3),
		metadata.KV{Key: metadata.ControllerKey(), Value: metadata.EncodeElection(1)})
	change(partition(1, 1, 2)) // a shrink
	change(partition(1, 1))    // and another
	change(partition(1, 1, 3)) // an expansion
	change(partition(ident.NoBroker, 1, 3))
	change(partition(3, 3)) // an election
	change(partition(2, 2)) // an unclean one
	change(metadata.KV{
		Key: metadata.LossKey(topic, 0, 7), Value: metadata.EncodeLoss(&metadata.Loss{Start: 5, End: 15}),
	})
	for name, c := range map[string]struct {
		counter *metrics.Counter
		want    int64
	}{
		"shrinks": {&replication.ISRShrinks, 2}, "expands": {&replication.ISRExpands, 1},
		"elections": {&replication.Elections, 2}, "unclean elections": {&replication.UncleanElections, 1},
		"lost offsets": {&replication.LostOffsets, 10},
	} {
		if got := c.counter.Load(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
