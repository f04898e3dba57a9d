package cluster

import (
	"barnabas/test/launch"
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ledAsSeenBy counts the partitions that a broker leads, as the one that a client knows tells it; -1 if it can't.
func ledAsSeenBy(t *testing.T, client *kgo.Client, id int) int {
	request := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, asked)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	answer, err := client.SeedBrokers()[0].Request(ctx, request)
	if err != nil {
		return -1
	}
	count := 0
	for _, topic := range answer.(*kmsg.MetadataResponse).Topics {
		for _, p := range topic.Partitions {
			if p.Leader == int32(id) {
				count++
			}
		}
	}
	return count
}

// TestVanishedBroker stops a broker's process in its tracks, so that its connections stay open and nobody answers on them,
// as when its machine is gone. Others lead long before its lease ends. When it wakes up it finds itself shut out, comes
// back by itself, and nothing that was acknowledged is lost.
func TestVanishedBroker(t *testing.T) {
	c := start(t, 3)
	admin := create(t, c)
	witness, err := kgo.NewClient(kgo.SeedBrokers(c.nodes[2].address))
	if err != nil {
		t.Fatal(err)
	}
	defer witness.Close()
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	n := c.nodes[1]
	began := time.Now()
	launch.Pause(t, n.command.Process)
	c.await("others to lead", func() bool { return ledAsSeenBy(t, witness, n.id) == 0 })
	t.Logf("others lead %s after the broker vanished", time.Since(began).Round(time.Millisecond))
	before := l.count()
	c.await("records without the broker", func() bool { return l.count() > before+perSecond/4 })
	n.command.Process.Signal(syscall.SIGCONT)
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	c.await("the broker to lead again", func() bool { return led(t, admin, n.id) == partitions/3 })
	check(t, c, l.finish(t))
}
