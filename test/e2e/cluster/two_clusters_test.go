package cluster

import (
	"fmt"
	"testing"
)

// The words of a process whose broker id another one has: the one came later, the other at the same moment.
const (
	standsBy = "the broker id is registered by another process, on another store"
	isLate   = "the broker id is registered on another store"
)

// Two clusters are started at once on one keeper and one prefix, with the same broker ids and nothing in their directories: of
// each id one process serves, the other says why it does not, and they are one cluster that loses nothing, also when those
// that don't serve are gone.
func TestTwoClustersOnOnePrefix(t *testing.T) {
	c := startWithKeeper(t, 0)
	var pairs [3][2]*node
	for set := range 2 {
		for id := range pairs {
			n := c.add(id, startService(t))
			pairs[id][set] = n
			c.nodes = append(c.nodes, n) // so that it ends with the test
		}
	}
	started := func(n *node) bool {
		return n.output.Says(`"msg":"broker started"`) || n.output.Says(`msg="broker started"`)
	}
	waits := func(n *node) bool { return n.output.Says(standsBy) || n.output.Says(isLate) }
	var winners, losers []*node
	for id, pair := range pairs {
		c.await(fmt.Sprintf("one process to serve as broker %d, and the other to say why it does not", id), func() bool {
			return started(pair[0]) && waits(pair[1]) || started(pair[1]) && waits(pair[0])
		})
		if waits(pair[0]) {
			pair[0], pair[1] = pair[1], pair[0]
		}
		winners, losers = append(winners, pair[0]), append(losers, pair[1])
	}
	all := c.nodes
	c.nodes = winners
	defer func() { c.nodes = all }()
	for _, n := range winners {
		c.ready(n)
	}
	admin := create(t, c)
	l := startLoad(t, c)
	c.await("records with all processes there", func() bool { return l.count() > perSecond/2 })
	for _, n := range losers {
		if started(n) {
			t.Errorf("both processes of broker %d have started", n.id)
		}
		c.kill(n)
	}
	before := l.count()
	c.await("records without those that did not serve", func() bool { return l.count() > before+perSecond/2 })
	c.await("all replicas to be in sync", func() bool { return inSync(t, admin) })
	check(t, c, l.finish(t))
}
