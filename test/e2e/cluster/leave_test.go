package cluster

import (
	"barnabas/test/launch"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// createAlone makes a topic of one replica on each broker, and puts some records there.
func createAlone(t *testing.T, c *cluster, admin *kadm.Client) *kgo.Client {
	t.Helper()
	if _, err := admin.CreateTopic(t.Context(), int32(len(c.nodes)), 1, nil, "alone"); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, c, kgo.DefaultProduceTopic("alone"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	for i := range aloneRecords {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

const aloneRecords = 60

// checkAlone reads all records of the topic of one replica.
func checkAlone(t *testing.T, c *cluster) {
	t.Helper()
	client := newClient(t, c, kgo.ConsumeTopics("alone"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	seen := map[string]bool{}
	c.await("the records of the topic with one replica", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		client.PollRecords(ctx, 1000).EachRecord(func(r *kgo.Record) { seen[string(r.Value)] = true })
		return len(seen) == aloneRecords
	})
}

func (n *node) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + n.http + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestOnlyCopiesMoveBeforeTheBrokerGoes stops a broker that has the only copies of some records: they are copied to others
// before it goes.
func TestOnlyCopiesMoveBeforeTheBrokerGoes(t *testing.T) {
	c := startWithKeeper(t, 3)
	admin := create(t, c)
	createAlone(t, c, admin)
	n := c.nodes[1]
	if code, body := n.get(t, "/safe-to-stop"); code != http.StatusServiceUnavailable || !strings.Contains(body, "alone-") {
		t.Errorf("safe to stop: %d %s", code, body)
	}
	began := time.Now()
	c.stop(n)
	t.Logf("the broker went after %s", time.Since(began).Round(time.Millisecond))
	checkAlone(t, c)
}

// TestKeepersAreSilentWhileABrokerLeaves stops a broker that has the only copies of some records while the metadata store can't
// hear that it leaves: it waits for that, and for others to have what it has.
func TestKeepersAreSilentWhileABrokerLeaves(t *testing.T) {
	c := start(t, 3)
	admin := create(t, c)
	createAlone(t, c, admin)
	n := c.nodes[1]
	launch.Pause(t, c.nodes[0].command.Process) // the keeper is inside
	n.command.Process.Signal(syscall.SIGTERM)
	c.await("the broker to wait, or to go", func() bool {
		return n.output.Says("waiting to leave until the metadata store has heard of it") || n.ended()
	})
	c.nodes[0].command.Process.Signal(syscall.SIGCONT)
	c.await("the broker to go", n.ended)
	checkAlone(t, c)
}

// TestNobodyLeavesToOneThatDoesNotAnswer stops a broker at the moment at which the only other one with its records has stopped
// answering, and is registered still: it goes when a third one has them.
func TestNobodyLeavesToOneThatDoesNotAnswer(t *testing.T) {
	c := start(t, 3)
	admin := kadm.NewClient(newClient(t, c))
	var move kadm.AlterPartitionAssignmentsReq
	createAlone(t, c, admin)
	for partition := range int32(len(c.nodes)) {
		move.Assign("alone", partition, []int32{1, 2})
	}
	if _, err := admin.AlterPartitionAssignments(t.Context(), move); err != nil {
		t.Fatal(err)
	}
	c.await("the records to be on brokers 1 and 2", func() bool {
		topics, err := admin.ListTopics(t.Context(), "alone")
		moved := err == nil
		for _, p := range topics["alone"].Partitions {
			moved = moved && len(p.ISR) == 2 && !slices.Contains(p.Replicas, 0)
		}
		return moved
	})
	launch.Pause(t, c.nodes[2].command.Process)
	c.nodes[1].command.Process.Signal(syscall.SIGTERM)
	c.await("the broker to go", c.nodes[1].ended)
	c.nodes[2].command.Process.Kill()
	checkAlone(t, c)
}

// ended tells whether the process is gone.
func (n *node) ended() bool {
	select {
	case <-n.exited:
		return true
	default:
		return false
	}
}

// stopAll stops all brokers at the same moment.
func (c *cluster) stopAll() (took time.Duration) {
	began := time.Now()
	var stops sync.WaitGroup
	for _, n := range c.nodes {
		stops.Go(func() { c.stop(n) })
	}
	stops.Wait()
	return time.Since(began).Round(time.Millisecond)
}

// TestAllStopQuickly stops the whole cluster: nobody waits for long, for nobody comes who could receive anything; nor at all
// where the directories are known to be there afterwards, with all that they hold.
func TestAllStopQuickly(t *testing.T) {
	c := startWithKeeper(t, 3)
	admin := create(t, c)
	createAlone(t, c, admin)
	t.Logf("all went within %s", c.stopAll())
	c.settings = []string{"barnabas.data.kept=true"}
	for _, n := range c.nodes {
		c.launch(n)
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	checkAlone(t, c)
	t.Logf("all went within %s, their directories kept", c.stopAll())
	told := 0
	for _, n := range c.nodes {
		if n.output.Says("what it has will be there when it is back") {
			told++
		}
	}
	if told == 0 {
		t.Errorf("none went because its directories are kept\n%s", c.outputs())
	}
	for _, n := range c.nodes {
		c.launch(n)
	}
	checkAlone(t, c)
}

// TestScaledToZero stops the brokers one after another, as a StatefulSet is scaled to zero: the second one doesn't wait in vain
// for the one before it, where its directories are kept.
func TestScaledToZero(t *testing.T) {
	c := startWithKeeper(t, 0)
	c.settings = []string{"barnabas.data.kept=true"}
	for id := range 3 {
		c.nodes = append(c.nodes, c.add(id, startService(t)))
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	admin := create(t, c)
	createAlone(t, c, admin)
	for _, n := range []*node{c.nodes[2], c.nodes[1], c.nodes[0]} {
		began := time.Now()
		c.stop(n)
		t.Logf("broker %d went after %s", n.id, time.Since(began).Round(time.Millisecond))
		if n.output.Says("the broker goes although not everything has been taken over") {
			t.Errorf("broker %d waited for as long as it may", n.id)
		}
	}
	for _, n := range c.nodes {
		c.launch(n)
	}
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	checkAlone(t, c)
}

// keepOutputs writes what the brokers print into a folder, where one is named, to be looked into.
func (c *cluster) keepOutputs(old []*node) {
	dir := os.Getenv("BROKER_OUTPUTS")
	for i, n := range append(slices.Clone(old), c.nodes...) {
		if dir != "" {
			os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.log", i)), []byte(n.output.Tail()), 0o644)
		}
	}
}

// TestSuccessorsTakeOver gives each of three brokers a successor with an empty directory and then tells all three to stop,
// as `kubectl rollout restart` of three Deployments does: nothing is lost, of the topic with one replica neither.
func TestSuccessorsTakeOver(t *testing.T) {
	c := startWithKeeper(t, 3)
	admin := create(t, c)
	createAlone(t, c, admin)
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	l.mark()
	old := c.nodes
	defer c.keepOutputs(old)
	c.nodes = nil
	for _, n := range old {
		c.nodes = append(c.nodes, c.add(n.id, n.front))
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	t.Logf("longest pause of one partition while the successors came: %s", l.longestPause())
	c.await("more records", func() bool { return l.count() > perSecond })
	l.mark()
	began := time.Now()
	for _, n := range old {
		n.command.Process.Signal(syscall.SIGTERM)
	}
	for _, n := range old {
		select {
		case <-n.exited:
			t.Logf("broker %d went after %s", n.id, time.Since(began).Round(time.Millisecond))
		case <-time.After(patience):
			t.Fatalf("broker %d does not go\n%s\n%s", n.id, n.output.Tail(), c.outputs())
		}
	}
	before := l.count()
	c.await("records acknowledged by the successors", func() bool { return l.count() > before+perSecond/4 })
	t.Logf("longest pause of one partition: %s (%s)", l.longestPause(), l.where(began))
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	t.Logf("all in sync after %s", time.Since(began).Round(time.Millisecond))
	check(t, c, l.finish(t))
	t.Logf("read after %s", time.Since(began).Round(time.Millisecond))
	checkAlone(t, c)
}

// TestReplacedAsTheyGo tells three brokers to stop at the same moment, and starts each anew with an empty directory once it
// has gone. They go one after another, each when what it has is elsewhere.
func TestReplacedAsTheyGo(t *testing.T) {
	c := startWithKeeper(t, 3)
	admin := create(t, c)
	createAlone(t, c, admin)
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	l.mark()
	began := time.Now()
	old := c.nodes
	for _, n := range old {
		n.command.Process.Signal(syscall.SIGTERM)
	}
	defer c.keepOutputs(old)
	gone := make(chan *node, len(old))
	for _, n := range old {
		go func() {
			<-n.exited
			gone <- n
		}()
	}
	c.nodes = nil
	for range old {
		select {
		case n := <-gone:
			t.Logf("broker %d went after %s", n.id, time.Since(began).Round(time.Millisecond))
			c.nodes = append(c.nodes, c.add(n.id, n.front))
		case <-time.After(patience):
			t.Fatalf("they do not go\n%s", c.outputs())
		}
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	t.Logf("longest pause of one partition: %s (%s), all in sync after %s", l.longestPause(), l.where(began), time.Since(began).Round(time.Millisecond))
	check(t, c, l.finish(t))
	checkAlone(t, c)
}
