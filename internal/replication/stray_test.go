package replication

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// A broker that was down while its replica was moved removes the log when it is back, but not while nobody leads.
func TestReplicaMovedWhileAway(t *testing.T) {
	b := newBench(t)
	state := b.led(0)
	name := b.topic(state).Name()
	b.append(b.topic(state), 5)
	away := func(leader ident.BrokerID) {
		b.store.Close(true)
		b.open()
		b.image, b.revision = metadata.NewImage(), 0
		moved := metadata.Partition{
			Replicas: []ident.BrokerID{2}, Leader: leader, LeaderEpoch: 1, Epoch: 1, ISR: []metadata.Member{otherBroker},
			Ceiling: metadata.CeilingStep,
		}
		b.change(put(metadata.PartitionKey(topicID, 0), metadata.EncodePartition(&moved)),
			put(metadata.TopicKey(topicID), metadata.EncodeTopic(name.Topic, 1)))
	}
	away(ident.NoBroker)
	if b.store.Log(name) == nil {
		t.Error("the log is gone although nobody leads the partition")
	}
	away(otherBroker.Broker)
	if b.store.Log(name) != nil {
		t.Error("the log is there still")
	}
}
