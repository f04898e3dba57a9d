package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/launch"
)

// tool runs one of the program's tools to its end; args are those of a command line.
func (c *cluster) tool(args ...string) (said string, ok bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if ctx.Err() != nil {
		c.t.Fatalf("%s does not end:\n%s", args[0], out)
	}
	return string(out), err == nil
}

// says runs a tool until it ends well, or badly, and says what a pattern describes.
func (c *cluster) says(well bool, pattern string, args ...string) string {
	c.t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	var said string
	last := func() string { return said + "\n" + c.outputs() }
	launch.Await(c.t, patience, strings.Join(args, " ")+" to say "+pattern, last, func() bool {
		var ok bool
		said, ok = c.tool(args...)
		return ok == well && wanted.MatchString(said)
	})
	return said
}

// replicasOf are the replicas of each partition of a topic.
func replicasOf(t *testing.T, admin *kadm.Client, topic string) [][]int32 {
	topics, err := admin.ListTopics(t.Context(), topic)
	if err != nil {
		return nil
	}
	var all [][]int32
	for _, p := range topics[topic].Partitions.Sorted() {
		all = append(all, p.Replicas)
	}
	return all
}

// TestToolsOfAnOperator goes through what an operator does to a cluster of several brokers, with the tools alone: looks at it, moves
// replicas, throttled and called off, elects leaders, empties a broker, stops it and has it forgotten.
func TestToolsOfAnOperator(t *testing.T) {
	c := startWithKeeper(t, 0)
	in := func(rack string) []string {
		return []string{"broker.rack=" + rack, "auto.leader.rebalance.enable=false"}
	}
	for id, rack := range []string{"east", "east", "west"} {
		c.settings = in(rack)
		c.nodes = append(c.nodes, c.add(id, startService(t)))
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	servers := strings.Join(c.addresses(), ",")
	client := newClient(t, c)
	admin := kadm.NewClient(client)
	at := func(args ...string) []string { return append(args, "--bootstrap-server", servers) }
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, replicas := range map[string]string{"one": "1", "two": "0:1"} {
		c.says(true, "Created topic "+name, at("kafka-topics.sh", "--create", "--topic", name, "--replica-assignment", replicas)...)
	}
	for i := range 30 { // more than one answer to a follower, so that a throttled copy takes long
		for _, name := range []string{"one", "two"} {
			record := &kgo.Record{Topic: name, Value: []byte(fmt.Sprint(i, strings.Repeat(".", 100<<10)))}
			if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}

	c.says(true, `(?s)LeaderId: +[012]\n.*CurrentVoters: `, at("kafka-metadata-quorum.sh", "describe", "--status")...)
	c.says(true, `^[012]\s.*Leader`, at("kafka-metadata-quorum.sh", "describe", "--replication")...)
	c.says(true, `(?s)under-replicated +0\n.*^1 +up +\S+ +east +1 +1 +2 `, "cluster", "status", "--http", c.nodes[0].http)
	c.says(true, `^Nothing was lost`, "cluster", "losses", "--http", c.nodes[0].http)
	c.says(false, `^one\s+0\s+no other broker holds all its records`, at("cluster", "safe-to-stop", "1")...)
	c.says(true, `^Broker 2 can be stopped`, at("cluster", "safe-to-stop", "2")...)

	plan := file("plan.json", `{"version":1,"partitions":[{"topic":"two","partition":0,"replicas":[0,2]}]}`)
	c.says(true, `Successfully started partition reassignment for two-0`,
		at("kafka-reassign-partitions.sh", "--execute", "--reassignment-json-file", plan, "--throttle", "1000")...)
	c.says(true, `two-0: .*adding: 2`, at("kafka-reassign-partitions.sh", "--list")...)
	c.says(true, `"partition":"two-0","size":[1-9]\d{0,6},`, at("kafka-log-dirs.sh", "--describe", "--topic-list", "two", "--broker-list", "2")...) // something of it
	c.says(true, `two-0: .*adding: 2`, at("kafka-reassign-partitions.sh", "--list")...)
	c.says(true, `Successfully cancelled partition reassignment for: two-0`,
		at("kafka-reassign-partitions.sh", "--cancel", "--reassignment-json-file", plan)...)
	if got := replicasOf(t, admin, "two"); !slices.Equal(got[0], []int32{0, 1}) {
		t.Errorf("called off, and the replicas are %v", got)
	}
	c.says(true, `Successfully started partition reassignment for two-0`,
		at("kafka-reassign-partitions.sh", "--execute", "--reassignment-json-file", plan)...)
	c.says(true, `Reassignment of partition two-0 is completed`,
		at("kafka-reassign-partitions.sh", "--verify", "--reassignment-json-file", plan)...)
	if got := replicasOf(t, admin, "two"); !slices.Equal(got[0], []int32{0, 2}) {
		t.Errorf("moved, and the replicas are %v", got)
	}

	more := file("more.json", `{"version":1,"partitions":[{"topic":"two","partition":0,"replicas":[0,2,1]}]}`)
	c.says(false, `replication factor`, at("kafka-reassign-partitions.sh", "--execute", "--reassignment-json-file", more, "--disallow-replication-factor-change")...)
	for _, size := range []string{more, plan} {
		c.says(true, `Successfully started partition reassignment for two-0`,
			at("kafka-reassign-partitions.sh", "--execute", "--reassignment-json-file", size)...)
		c.says(true, `Reassignment of partition two-0 is completed`,
			at("kafka-reassign-partitions.sh", "--verify", "--reassignment-json-file", size)...)
		if size == more {
			c.says(true, `two\s+Partition: 0\s+Leader: 0\s+Replicas: 0,2,1\s+Isr: [012],[012],[012]`, at("kafka-topics.sh", "--describe", "--topic", "two")...)
		}
	}

	c.says(true, "Created topic plain", at("kafka-topics.sh", "--create", "--topic", "plain")...) // and nobody says anything of safety
	c.says(true, `Topic: plain\s.*ReplicationFactor: 3\s`, at("kafka-topics.sh", "--describe", "--topic", "plain")...)
	c.says(true, `min.insync.replicas=2 `, at("kafka-configs.sh", "--describe", "--all", "--entity-type", "topics", "--entity-name", "plain")...)
	c.says(true, "", at("kafka-topics.sh", "--delete", "--topic", "plain")...)

	c.says(true, "Created topic racks", at("kafka-topics.sh", "--create", "--topic", "racks", "--partitions", "4", "--replication-factor", "2")...)
	var placed [][]int32
	c.await("the topic's replicas", func() bool { placed = replicasOf(t, admin, "racks"); return len(placed) == 4 })
	for n, replicas := range placed {
		if !slices.Contains(replicas, 2) {
			t.Errorf("both replicas of racks-%d are in one rack: %v", n, replicas)
		}
	}
	c.says(true, "", at("kafka-topics.sh", "--delete", "--topic", "racks")...)

	c.stop(c.nodes[0])
	c.settings = in("east")
	c.again(c.nodes[0])
	c.says(true, `two\s+Partition: 0\s+Leader: 2\s+Replicas: 0,2\s+Isr: (0,2|2,0)`, at("kafka-topics.sh", "--describe", "--topic", "two")...)
	c.says(true, `Successfully completed leader election \(PREFERRED\) for partitions two-0`,
		at("kafka-leader-election.sh", "--election-type", "preferred", "--topic", "two", "--partition", "0")...)

	c.says(true, `^Moved 1 partitions away from broker 1`, at("cluster", "drain", "1")...)
	c.stop(c.nodes[1])
	c.says(true, `^1\s.*\sfenced`, at("kafka-cluster.sh", "list-endpoints", "--include-fenced-brokers")...)
	c.says(true, `Broker 1 is no longer registered`, at("kafka-cluster.sh", "unregister", "--id", "1")...)
	left := c.says(true, `^0\s`, at("kafka-cluster.sh", "list-endpoints", "--include-fenced-brokers")...)
	if regexp.MustCompile(`(?m)^1\s`).MatchString(left) {
		t.Errorf("broker 1 is there still:\n%s", left)
	}
	c.says(true, `^one:0:30$`, at("kafka-get-offsets.sh", "--topic", "one")...)
	c.says(true, `^two:0:30$`, at("kafka-get-offsets.sh", "--topic", "two")...)
}
