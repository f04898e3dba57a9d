package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// Homecomings (ADR 14): brokers that leave safely have their only copies taken in by others, and get them back. In homely runs most
// topics have one replica, brokers are restarted more often, and some homecomings are disturbed by the death of the one who comes home,
// or of the host. In half of them an administrator moves replicas by hand, which forgets where they belong; in all other runs an only
// replica has to be where it was made once all is well.

// homely tells whether a run is one of these: one in four.
func (r *clusterRun) homely() bool { return r.Seed%4 == 1 }

// byHand tells whether replicas are moved by hand in it.
func (r *clusterRun) byHand() bool { return r.Seed%8 == 5 }

// homes are what the truth knows of replicas that leave and come back.
type homes struct {
	first     map[numbered]ident.BrokerID // where the only replica of a partition was made
	begun     int
	calledOff int
	// coming, if given, is told of each partition that is on its way home, and of how many that is in a row.
	coming chan metadata.Refuge
}

// numbered is a partition of a topic.
type numbered struct {
	topic  ident.TopicID
	number int32
}

// follow notes homecomings that begin, and such that are called off. The truth's mutex is held.
func (h *homes) follow(c metadata.PartitionChange) {
	if c.Old == nil {
		if len(c.New.Replicas) == 1 {
			h.first[numbered{c.TopicID, c.Number}] = c.New.Replicas[0]
		}
		return
	}
	switch {
	case !c.Old.ComingHome() && c.New.ComingHome():
		h.begun++
		for _, r := range c.New.Refuges() {
			select {
			case h.coming <- r:
			default:
			}
		}
	case c.Old.ComingHome() && !c.New.ComingHome() && len(c.New.Refuges()) > 0:
		h.calledOff++
	}
}

// disturb takes down now and then who comes home, or who has taken it in, in the middle of that.
func (r *clusterRun) disturb(until <-chan struct{}) {
	rng := rand.New(rand.NewPCG(r.Seed, 0x40e))
	for {
		select {
		case <-until:
			return
		case coming := <-r.truth.homes.coming:
			who := coming.From
			if rng.IntN(4) == 0 {
				who = coming.At
			}
			if rng.IntN(3) > 0 {
				r.dieOnTheWay(rng, r.nodes[who-1])
			}
		}
	}
}

// dieOnTheWay kills a broker soon, unless something happens to it already, or enough does to others.
func (r *clusterRun) dieOnTheWay(rng *rand.Rand, n *node) {
	if !take(n.turn) {
		return
	}
	defer func() { <-n.turn }()
	if !take(r.busy) {
		return
	}
	defer func() { <-r.busy }()
	time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
	if n.Running() {
		r.die(n, "kill -9 on the way home", false, left{})
		r.up(n)
	}
}

// take takes a place, if one is free.
func take(places chan<- struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

// away names replicas that are not at home, though all brokers are there.
func (t *truth) away(strictly bool) (bad []string) {
	for topic := range t.now().Topics() {
		for n, p := range topic.Partitions() {
			t.mu.Lock()
			first, known := t.homes.first[numbered{topic.ID, n}]
			t.mu.Unlock()
			switch {
			case len(p.Refuges()) > 0 || p.Reassigning():
				bad = append(bad, fmt.Sprintf("%s-%d: replicas %v, adding %v, removing %v, refuges %v", topic.Name, n, p.Replicas, p.Adding, p.Removing, p.Refuges()))
			case strictly && known && len(p.Replicas) == 1 && p.Replicas[0] != first:
				bad = append(bad, fmt.Sprintf("%s-%d is on broker %d, and was made on %d", topic.Name, n, p.Replicas[0], first))
			}
		}
	}
	return bad
}

// comeHome waits until every replica is where it belongs.
func (r *clusterRun) comeHome() {
	var bad []string
	for end := time.Now().Add(recoversWithin); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if bad = r.truth.away(!r.byHand()); len(bad) == 0 {
			return
		}
	}
	r.violation("home: %v after all is well again: %v", recoversWithin, bad)
}
