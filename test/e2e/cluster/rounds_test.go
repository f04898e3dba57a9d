package cluster

import (
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// create makes the topic with three replicas of each partition.
func create(t *testing.T, c *cluster) *kadm.Client {
	t.Helper()
	admin := kadm.NewClient(newClient(t, c))
	_, err := admin.CreateTopic(t.Context(), partitions, 3, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // an answer that was lost is asked for again
		t.Fatal(err)
	}
	c.await("the topic to be known", func() bool { return details(t, admin) != nil })
	return admin
}

// details are the topic's partitions as the cluster tells them, nil when it can't.
func details(t *testing.T, admin *kadm.Client) []kadm.PartitionDetail {
	topics, err := admin.ListTopics(t.Context(), topic)
	if err != nil || len(topics[topic].Partitions) != partitions {
		return nil
	}
	return topics[topic].Partitions.Sorted()
}

func inSync(t *testing.T, admin *kadm.Client) bool {
	all := details(t, admin)
	return all != nil && !slices.ContainsFunc(all, func(p kadm.PartitionDetail) bool { return len(p.ISR) != 3 })
}

// led counts the partitions that a broker leads.
func led(t *testing.T, admin *kadm.Client, id int) int {
	count := 0
	for _, p := range details(t, admin) {
		if p.Leader == int32(id) {
			count++
		}
	}
	return count
}

func TestLeadersAreEven(t *testing.T) {
	c := start(t, 3)
	admin := create(t, c)
	c.await("a description", func() bool { return led(t, admin, 0) > 0 })
	counts := map[int32]int{}
	for _, p := range details(t, admin) {
		counts[p.Leader]++
	}
	for _, n := range c.nodes {
		if got := counts[int32(n.id)]; got != partitions/3 {
			t.Errorf("broker %d leads %d of %d", n.id, got, partitions)
		}
	}
}

// TestNothingAcknowledgedIsLost kills brokers and stops brokers under load, and waits each time until all are in sync
// again and lead what they did.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	c := start(t, 3)
	admin := create(t, c)
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	for round, how := range []string{"kill -9", "SIGTERM", "kill -9", "SIGTERM"} {
		n := c.nodes[1+round/2]
		l.mark()
		if how == "SIGTERM" {
			c.stop(n)
		} else {
			c.kill(n)
		}
		before := l.count()
		c.await("records without the broker", func() bool { return l.count() > before+perSecond/2 })
		c.await("others to lead", func() bool { return led(t, admin, n.id) == 0 })
		t.Logf("%s of broker %d: longest pause of one partition %s", how, n.id, l.longestPause())
		c.again(n)
		c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
		c.await("the broker to lead again", func() bool { return led(t, admin, n.id) == partitions/3 })
	}
	check(t, c, l.finish(t))
}
