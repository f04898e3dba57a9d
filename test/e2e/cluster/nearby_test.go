package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// origins counts who sent the batches that a client has read of partitions that somebody else leads.
type origins struct {
	led map[int32]int32 // leader by partition

	mu   sync.Mutex
	from map[int32]int // batches, by broker; guarded by mu
}

func (o *origins) OnFetchBatchRead(broker kgo.BrokerMetadata, _ string, partition int32, _ kgo.FetchBatchMetrics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.led[partition] != broker.NodeID {
		o.from[broker.NodeID]++
	}
}

func (o *origins) count(id int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.from[int32(id)]
}

// TestConsumersReadNearby has a consumer that names its rack read from the replica there, though others lead (KIP-392), and from
// the leaders again when that one has died. It misses nothing.
func TestConsumersReadNearby(t *testing.T) {
	c := startWithKeeper(t, 0)
	for id := range 3 {
		c.settings = []string{
			fmt.Sprint("broker.rack=rack-", id), "auto.leader.rebalance.enable=false",
			"replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector",
		}
		c.nodes = append(c.nodes, c.add(id, startService(t)))
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	admin := create(t, c)
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	o := &origins{led: map[int32]int32{}, from: map[int32]int{}}
	for _, p := range details(t, admin) {
		o.led[p.Partition] = p.Leader
	}
	l := startLoad(t, c)
	const near = 2
	reader := newClient(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Rack(fmt.Sprint("rack-", near)), kgo.WithHooks(o),
		kgo.RecheckPreferredReplicaInterval(time.Second)) // until then this client asks one that has died, and nobody else
	seen := map[uint64]bool{}
	reads := func(what string, enough func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for !enough() {
			fetches := reader.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("waited in vain for %s; %d were read, of partitions that others lead from %v\n%s", what, len(seen), o.from, c.outputs())
			}
			fetches.EachRecord(func(r *kgo.Record) { seen[binary.BigEndian.Uint64(r.Value)] = true })
		}
	}
	reads("records from the replica nearby", func() bool { return o.count(near) > 20 && len(seen) > perSecond/2 })
	c.kill(c.nodes[near])
	before := len(seen)
	reads("records without that replica", func() bool { return len(seen) > before+perSecond/2 })
	acked := l.finish(t)
	reads("everything", func() bool { return len(seen) >= len(acked) })
	for n := range acked {
		if !seen[n] {
			t.Errorf("record %d was not read", n)
		}
	}
	for id := range 2 {
		t.Logf("batches that broker %d sent of what it did not lead at first: %d", id, o.count(id))
	}
	c.again(c.nodes[near])
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	check(t, c, acked)
}
