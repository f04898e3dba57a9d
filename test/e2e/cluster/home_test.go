package cluster

import (
	"maps"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// leadersOf are who leads the partitions of a topic; nil while any has another replica than one, or none that leads.
func leadersOf(t *testing.T, admin *kadm.Client, topic string) map[int32]int32 {
	topics, err := admin.ListTopics(t.Context(), topic)
	if err != nil || len(topics[topic].Partitions) == 0 {
		return nil
	}
	all := map[int32]int32{}
	for _, p := range topics[topic].Partitions {
		if len(p.Replicas) != 1 || p.Leader != p.Replicas[0] {
			return nil
		}
		all[p.Partition] = p.Leader
	}
	return all
}

// TestOnlyCopiesComeHome restarts three brokers one after another under load, each with an empty directory, as an upgrade of pods
// without volumes does: the only copies that each one leaves to others go back to it, so that in the end each leads what it led.
// Nothing is lost, and nothing is there twice.
func TestOnlyCopiesComeHome(t *testing.T) {
	c := startWithKeeper(t, 3)
	admin := kadm.NewClient(newClient(t, c))
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	createAlone(t, c, admin)
	var before, alone map[int32]int32
	c.await("a description", func() bool {
		before, alone = leadersOf(t, admin, topic), leadersOf(t, admin, "alone")
		return len(before) == partitions && len(alone) == len(c.nodes)
	})
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	for _, n := range c.nodes {
		c.stop(n)
		if now := leadersOf(t, admin, topic); now != nil && maps.Equal(now, before) {
			t.Errorf("broker %d has stopped, and leads: %v", n.id, now)
		}
		if err := os.RemoveAll(n.dir); err != nil {
			t.Fatal(err)
		}
		c.again(n)
	}
	c.await("all to lead what they led", func() bool {
		return maps.Equal(leadersOf(t, admin, topic), before) && maps.Equal(leadersOf(t, admin, "alone"), alone)
	})
	now := l.count()
	c.await("records from all at home", func() bool { return l.count() > now+perSecond/2 })
	check(t, c, l.finish(t))
	checkAlone(t, c)
}
