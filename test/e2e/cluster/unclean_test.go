package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestUncleanElectionByHand has an operator give up records: the only copy in sync is away, and another one, which lacks some, is made
// the leader by kafka-leader-election. What may be lost is named in the ledger, new records are not given the lost ones' offsets, and
// the copy that comes back follows.
func TestUncleanElectionByHand(t *testing.T) {
	c := startWithKeeper(t, 3)
	servers := c.addresses()[0]
	client := newClient(t, c, kgo.DefaultProduceTopic("risky"))
	c.says(true, "Created topic risky", "kafka-topics.sh", "--create", "--topic", "risky", "--replica-assignment", "1:2",
		"--config", "min.insync.replicas=1", "--bootstrap-server", servers)
	write := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := client.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr()
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	isr := func(leader, isr string) {
		t.Helper()
		c.says(true, `risky\s+Partition: 0\s+Leader: `+leader+`\s+Replicas: 1,2\s+Isr: `+isr, "kafka-topics.sh", "--describe", "--topic", "risky",
			"--bootstrap-server", servers)
	}
	write(0, 10)
	isr("1", `(1,2|2,1)\s`)
	c.stop(c.nodes[2])
	isr("1", `1\s`)
	write(10, 20)
	c.kill(c.nodes[1])
	c.launch(c.nodes[2])
	isr("none", `1\s`)
	c.says(true, `^2 +up `, "cluster", "status", "--http", c.nodes[0].http)
	c.says(true, `Successfully completed leader election \(UNCLEAN\) for partitions risky-0`,
		"kafka-leader-election.sh", "--election-type", "unclean", "--topic", "risky", "--partition", "0", "--bootstrap-server", servers)
	// A follower that was stopped may not have heard of the high watermark's last step.
	c.says(true, `risky-0\s+\[(\d|10), \d+\)\s+unclean\s`, "cluster", "losses", "--http", c.nodes[0].http)
	write(20, 30)
	c.again(c.nodes[1])
	isr("[12]", `(1,2|2,1)\s`)

	reader := newClient(t, c, kgo.ConsumeTopics("risky"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var read []string
	var offsets []int64
	c.await("the records that are left, and the new ones", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			read, offsets = append(read, string(r.Value)), append(offsets, r.Offset)
		})
		return slices.Contains(read, "29")
	})
	var want []string
	for _, n := range []int{0, 20} {
		for i := range 10 {
			want = append(want, fmt.Sprint(n+i))
		}
	}
	if !slices.Equal(read, want) {
		t.Fatalf("read %q, want %q", read, want)
	}
	if offsets[9] != 9 || offsets[10] < 20 {
		t.Errorf("the records have the offsets %v: those of lost ones were given out again", offsets)
	}
}
