package cluster

import (
	"testing"
	"time"
)

// TestStopIsHardlyNoticed stops brokers under load. The pause that a producer sees is logged; what must hold on any
// machine is that nothing is lost, and that the broker goes long before its grace period ends.
func TestStopIsHardlyNoticed(t *testing.T) {
	c := start(t, 3)
	admin := create(t, c)
	l := startLoad(t, c)
	c.await("the first records", func() bool { return l.count() > perSecond/2 })
	for _, n := range []*node{c.nodes[1], c.nodes[2], c.nodes[1]} {
		l.mark()
		began := time.Now()
		c.stop(n)
		took := time.Since(began)
		before := l.count()
		c.await("records without the broker", func() bool { return l.count() > before+perSecond/2 })
		t.Logf("broker %d went after %s, longest pause of one partition %s (%s)", n.id, took.Round(time.Millisecond), l.longestPause(), l.where(began))
		c.again(n)
		c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
		c.await("the broker to lead again", func() bool { return led(t, admin, n.id) == partitions/3 })
	}
	check(t, c, l.finish(t))
}
