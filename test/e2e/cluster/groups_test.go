package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestGroupOutlivesItsCoordinator has a group consume and commit while its coordinator is killed, and the next one
// stopped: no record is missed, and what was committed is known to the coordinator that comes after.
func TestGroupOutlivesItsCoordinator(t *testing.T) {
	c := start(t, 3)
	admin := create(t, c)
	l := startLoad(t, c)
	name := groupOf(t, c, admin)
	g := consume(t, c, name)
	c.await("the group to consume", func() bool { return g.count() > perSecond/2 })
	for _, end := range []func(*node){c.kill, c.stop} {
		n := c.coordinator(admin, name)
		end(n)
		before := g.count()
		c.await("the group to go on", func() bool { return g.count() > before+perSecond/2 })
		c.await("all to name another coordinator", func() bool { return c.coordinator(admin, name) != n })
		c.again(n)
		c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	}
	acked := l.finish(t)
	c.await("the group to have everything", func() bool { return g.count() >= len(acked) })
	g.finish(t, c, admin, name)
}

// groupOf is the name of a group that the keeper's home coordinates last: that one is not to be ended.
func groupOf(t *testing.T, c *cluster, admin *kadm.Client) string {
	t.Helper()
	c.coordinator(admin, "any") // brings the topic about
	var all kadm.PartitionDetails
	c.await("the topic of the groups", func() bool { // a broker hears of it a moment later than the one that has made it
		topics, err := admin.ListTopicsWithInternal(t.Context(), "__consumer_offsets")
		all = topics["__consumer_offsets"].Partitions
		return err == nil && len(all) > 0
	})
	for i := range 1000 {
		name := fmt.Sprintf("counters-%d", i)
		replicas := all[partitionOf(name, len(all))].Replicas
		if len(replicas) == 3 && replicas[2] == 0 {
			return name
		}
	}
	t.Fatalf("no group is coordinated by broker 0 last: %v", all)
	return ""
}

// partitionOf is where a group's offsets are: Java's hash of its name.
func partitionOf(group string, partitions int) int32 {
	hash := int32(0)
	for _, char := range group {
		hash = 31*hash + char
	}
	return max(hash, -hash) % int32(partitions)
}

// coordinator is the broker that coordinates the group.
func (c *cluster) coordinator(admin *kadm.Client, group string) *node {
	c.t.Helper()
	var found *node
	c.await("a coordinator", func() bool {
		for _, answer := range admin.FindGroupCoordinators(c.t.Context(), group) {
			if answer.Err == nil {
				found = c.nodes[answer.NodeID]
			}
		}
		return found != nil
	})
	return found
}

// consumer counts what one member of the group reads.
type consumer struct {
	client *kgo.Client
	stop   context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	seen map[uint64]bool
}

func consume(t *testing.T, c *cluster, group string) *consumer {
	ctx, stop := context.WithCancel(t.Context())
	g := &consumer{stop: stop, ended: make(chan struct{}), seen: map[uint64]bool{}, client: newClient(t, c,
		kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))}
	go g.run(ctx)
	return g
}

func (g *consumer) run(ctx context.Context) {
	defer close(g.ended)
	for ctx.Err() == nil {
		fetches := g.client.PollFetches(ctx)
		g.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) { g.seen[binary.BigEndian.Uint64(r.Value)] = true })
		g.mu.Unlock()
		g.client.CommitUncommittedOffsets(ctx) // a refusal is made good by the next
	}
}

func (g *consumer) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.seen)
}

// finish ends the member and checks that the group's offsets are where the partitions end.
// A connection to a broker that has been ended since may break at the first question, which is asked again then.
func (g *consumer) finish(t *testing.T, c *cluster, admin *kadm.Client, group string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	g.stop()
	<-g.ended
	var ends kadm.ListedOffsets
	var committed kadm.OffsetResponses
	c.await("the group's last commit", func() bool { return g.client.CommitUncommittedOffsets(ctx) == nil })
	c.await("the ends of the partitions", func() (ok bool) {
		var err error
		ends, err = admin.ListEndOffsets(ctx, topic)
		return err == nil && ends.Error() == nil
	})
	c.await("the group's offsets", func() bool {
		var err error
		committed, err = admin.FetchOffsets(ctx, group)
		return err == nil
	})
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := committed.Lookup(topic, end.Partition)
		if !ok || at.At != end.Offset {
			t.Errorf("partition %d ends at %d, committed %d", end.Partition, end.Offset, at.At)
		}
	})
}
