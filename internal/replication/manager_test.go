package replication

import (
	"fmt"
	"runtime"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
)

const many = 10_000

// TestIdlePartitionIsSmall holds this room to its part of the 6 KiB that an idle partition may take in all.
func TestIdlePartitionIsSmall(t *testing.T) {
	const bound = 1 << 10
	m := NewManager(Options{Broker: self})
	state := &metadata.Partition{Replicas: []ident.BrokerID{self}, ISR: []metadata.Member{{Broker: self}}, Leader: self}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range many {
		p := newPartition(ident.TopicPartition{Topic: "topic", Partition: int32(i)}, m.local)
		settings := TopicSettings{MinISR: func(int) int { return 1 }}
		if _, err := p.assume(assignment{topic: topicID, state: state, settings: settings}, nil); err != nil {
			t.Fatal(err)
		}
		m.put(topicID, p)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := int64(after.HeapAlloc-before.HeapAlloc) / many; each > bound {
		t.Errorf("%d bytes for each idle partition, want at most %d", each, bound)
	} else {
		t.Logf("%d bytes for each idle partition", each)
	}
	runtime.KeepAlive(m)
}

// BenchmarkApplyImage takes over 10,000 partitions whose logs are there already, as a start does.
func BenchmarkApplyImage(b *testing.B) {
	bench := newBench(b)
	events := manyTopics(bench)
	bench.change(events...)
	bench.store.Close(true)
	for b.Loop() {
		b.StopTimer()
		bench.open()
		image, delta, err := metadata.NewImage().Apply(1, events)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		bench.manager.Apply(nil, image, delta)
		b.StopTimer()
		if n := bench.manager.Len(); n != many {
			b.Fatalf("%d partitions", n)
		}
		bench.store.Close(true)
		b.StartTimer()
	}
	bench.open()
}

// manyTopics are 10,000 partitions in 100 topics.
func manyTopics(b *bench) []metadata.Event {
	var events []metadata.Event
	state := b.led(0)
	for n := range int32(100) {
		id := ident.TopicID{1, byte(n)}
		events = append(events, put(metadata.TopicKey(id), metadata.EncodeTopic(fmt.Sprintf("topic%d", n), many/100)))
		for i := range int32(many / 100) {
			events = append(events, put(metadata.PartitionKey(id, i), metadata.EncodePartition(&state)))
		}
	}
	for i := range events {
		events[i].Modified, events[i].Created = 1, 1
	}
	return events
}

// BenchmarkAppend is one record with acks=all to a partition of one replica, and the answer that it is committed.
func BenchmarkAppend(b *testing.B) {
	bench := newBench(b)
	p := bench.topic(bench.led(0))
	one := batch(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		record.Batch(one).SetBaseOffset(0) // as a client sends it: the last append has patched it
		at := bench.append(p, 0, one...)
		if done, err := p.Committed(at.Epoch, at.LastOffset+1); !done || err != nil {
			b.Fatal(err)
		}
	}
}
