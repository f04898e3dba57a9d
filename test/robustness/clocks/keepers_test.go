package clocks

import (
	"fmt"
	"os"
	"testing"
	"time"

	"barnabas/test/trials/nodes"
)

// Clocks of keepers are set forward and back: of one alone, and of all. Leases and leaderships are not counted by them.
func TestKeepers(t *testing.T) {
	w := newWorld(t)
	keepers := []*nodes.Process{w.cluster.Nodes[0].Keeper, w.cluster.Nodes[1].Keeper, w.cluster.Nodes[2].Keeper}
	n := 0
	for _, these := range [][]*nodes.Process{keepers[:1], keepers} {
		for _, ahead := range []time.Duration{forward, -forward, 0} {
			what := fmt.Sprintf("clocks of %d keepers at %s", len(these), ahead)
			w.steady(what, func() {
				for _, p := range these {
					w.set(p, ahead)
				}
				w.flows(what)
				n++
				w.create(fmt.Sprint("made-meanwhile-", n), nil)
			})
		}
	}
	w.verify()
}

// All keepers lose all that they had, and begin anew at that time.
func (w *world) loseKeepers(ahead time.Duration) {
	w.t.Helper()
	for _, n := range w.cluster.Nodes {
		n.Keeper.Kill()
		if err := n.Keeper.Wipe(); err != nil {
			w.t.Fatal(err)
		}
		w.set(n.Keeper, ahead)
	}
	w.flows("without keepers")
	for _, n := range w.cluster.Nodes {
		if err := n.Keeper.Start(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// goesOn looks whether the cluster does all that it did: topics are there and made, a broker that dies is missed and comes back.
func (w *world) goesOn() {
	w.t.Helper()
	w.create("made-afterwards", nil)
	w.mends()
	w.flows("after the rebirth")
	victim := w.cluster.Nodes[1]
	victim.Broker.Kill()
	w.flows("without a broker")
	if err := victim.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.mends()
	topics, err := w.admin.ListTopics(w.t.Context(), "from-before", "made-afterwards")
	if err != nil || topics.Error() != nil {
		w.t.Errorf("topics after the rebirth: %v, %v", err, topics.Error())
	}
}

// Keepers whose clocks are an hour behind lose everything, and live again at a time that is yet to come for them.
func TestRebornBehind(t *testing.T) {
	w := newWorldAt(t, -forward)
	w.create("from-before", nil)
	w.loseKeepers(back)
	w.goesOn()
	w.verify()
}

// Keepers lose everything, and live again at a time before they were born: brokers say so and go on as if there were no keepers, and
// the cluster is whole again once the keepers have begun anew at the right time.
func TestRebornInThePast(t *testing.T) {
	w := newWorld(t)
	w.create("from-before", nil)
	w.loseKeepers(-forward)
	w.await("the brokers to say that the keepers live in the past", func() bool {
		for _, n := range w.cluster.Nodes {
			if raw, err := os.ReadFile(n.Broker.Log); err != nil || !says(raw, "at a time before what is known here") {
				return false
			}
		}
		return true
	})
	w.flows("with keepers that live in the past")
	w.loseKeepers(0)
	w.goesOn()
	w.verify()
}

// Brokers and keepers are killed and wake up an hour before that, and an hour after it.
func TestStartedAtAnotherTime(t *testing.T) {
	w := newWorld(t)
	for _, ahead := range []time.Duration{back, forward, 0} {
		what := fmt.Sprintf("a broker and a keeper that have died wake up at %s", ahead)
		n := w.cluster.Nodes[1]
		n.Broker.Kill()
		n.Keeper.Kill()
		w.set(n.Broker, ahead)
		w.set(n.Keeper, ahead)
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		w.mends()
		w.flows(what)
	}
	for _, p := range w.cluster.Processes() {
		p.Kill()
		w.set(p, back)
	}
	for _, n := range w.cluster.Nodes {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	w.mends()
	w.flows("after all were down, at an hour before")
	w.verify()
}
