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

// The logs of a topic that was deleted while the broker was down go when the metadata say that it was, and not when they merely do
// not know it.
func TestLogsOfTopicsKnownToBeDeleted(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.append(p, 5)
	name := p.Name()
	for _, known := range []bool{false, true} {
		b.store.Close(true)
		b.open()
		b.image, b.revision = metadata.NewImage(), 0
		events := []metadata.Event{put(metadata.TopicKey(ident.TopicID{9}), metadata.EncodeTopic("other", 1))}
		if known {
			events = append(events, put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1})))
		}
		b.change(events...)
		b.manager.ClearDeleted(b.image)
		if gone := b.store.Log(name) == nil; gone != known {
			t.Errorf("the deletion is known: %v, the log is gone: %v", known, gone)
		}
	}
}

// A topic that was put back with older metadata is there, whatever is remembered of its deletion.
func TestTopicDeletedAndPutBack(t *testing.T) {
	b := newBench(t)
	p := b.topic(b.led(0))
	b.append(p, 5)
	b.change(put(metadata.DeletionKey(topicID), metadata.EncodeDeletion(&metadata.Deletion{Name: "t", AtMs: 1})))
	b.manager.ClearDeleted(b.image)
	if b.store.Log(p.Name()) == nil {
		t.Error("the log is gone")
	}
}
