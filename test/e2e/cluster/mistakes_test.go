package cluster

import (
	"barnabas/test/loopback"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A broker that is started on the directory of another cluster says so and ends; the directory serves its own cluster
// afterwards, with all that it held.
func TestDirectoryOfAnotherCluster(t *testing.T) {
	home, elsewhere := startWithKeeper(t, 1), startWithKeeper(t, 1)
	client := newClient(t, home, kgo.DefaultProduceTopic("held"), kgo.AllowAutoTopicCreation())
	for i := range 10 {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	lost := home.nodes[0]
	home.stop(lost)
	elsewhere.stop(elsewhere.nodes[0])
	stray := &node{id: 0, address: loopback.Free(t), http: loopback.Free(t), dir: lost.dir}
	elsewhere.nodes = append(elsewhere.nodes, stray)
	elsewhere.launch(stray)
	select {
	case <-stray.exited:
	case <-time.After(patience):
		t.Fatalf("it does not end\n%s", stray.output.Tail())
	}
	if stray.command.ProcessState.ExitCode() == 0 || !stray.output.Says("point the broker at its own cluster") {
		t.Errorf("exit code %d\n%s", stray.command.ProcessState.ExitCode(), stray.output.Tail())
	}
	home.again(lost)
	reader := newClient(t, home, kgo.ConsumeTopics("held"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for seen := 0; seen < 10; {
		fetches := reader.PollFetches(t.Context())
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		seen += fetches.NumRecords()
	}
}

// A broker whose advertised address leads to another broker says so by name; the others copy from it by its own address, and
// nothing is lost.
func TestAdvertisedAddressOfAnotherBroker(t *testing.T) {
	c := startWithKeeper(t, 3)
	admin := create(t, c)
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	astray := c.nodes[2]
	c.stop(astray)
	front := astray.front
	astray.front = &service{address: c.nodes[1].front.address}
	c.again(astray)
	c.await("the broker to say where its address leads", func() bool {
		return astray.output.Says("it is broker 1")
	})
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	c.stop(astray)
	astray.front = front
	c.again(astray)
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	check(t, c, l.finish(t))
}
