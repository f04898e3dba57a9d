package pods

import (
	"testing"
)

// A host with a keeper and a broker loses its power. What others hold goes on; its pods come up elsewhere, empty.
func TestNodeLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recipe()
	w.topic("numbers", 3, 3)
	l := w.startLoad("-bootstrap", outsideAddresses)
	l.flows(500, "before")
	l.mark("before")
	// Not the master, whose address all brokers advertise.
	if err := w.LoseNode("node2"); err != nil {
		t.Fatal(err)
	}
	l.flows(500, "without the host")
	l.mark("a host lost")
	w.await("the host's pods to be told to go", func() bool {
		going := 0
		for _, p := range w.GetPods() {
			if p.Node == "node2" && p.Terminating {
				going++
			}
		}
		return going == 2
	})
	if err := w.DeleteNode("node2"); err != nil {
		t.Fatal(err)
	}
	w.await("six pods on the other hosts", func() bool { return w.RolledOut(w.all()...) })
	l.flows(500, "with six pods again")
	w.inSync("numbers", 3)
	l.mark("six pods again")
	l.finish()
}
