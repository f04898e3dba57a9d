package cluster

import (
	"cmp"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"barnabas/test/launch"
)

// trouble is one that can be made and mended.
type trouble struct {
	name       string
	make, mend func(w *world, id int)
}

var troubles = []trouble{
	{"isolated", func(w *world, id int) { w.net.isolate(id) }, func(w *world, id int) { w.net.rejoin(id) }},
	{"without keeper", func(w *world, id int) { w.net.part(id, keeperID) }, func(w *world, id int) { w.net.unite(id, keeperID) }},
	{"apart from the next", func(w *world, id int) { w.net.part(id, id%3+1) }, func(w *world, id int) { w.net.unite(id, id%3+1) }},
	{"not heard by the next", func(w *world, id int) { w.net.mute(id, id%3+1) }, func(w *world, id int) { w.net.unmute(id, id%3+1) }},
	{"slow", func(w *world, id int) { w.net.slow(id, 512) }, func(w *world, id int) { w.net.fast(id) }},
	{"asleep", pause, wake},
	{"killed", func(w *world, id int) { w.node(id).Broker.Kill() }, restart},
	{"stopped", stop, restart},
	{"killed and wiped", wipe, restart},
}

func pause(w *world, id int) { w.node(id).Broker.Signal(syscall.SIGSTOP) }
func wake(w *world, id int)  { w.node(id).Broker.Signal(syscall.SIGCONT) }

func stop(w *world, id int) {
	if _, err := w.node(id).Broker.Stop(patience); err != nil {
		w.t.Error(err)
	}
}

func wipe(w *world, id int) {
	w.node(id).Broker.Kill()
	if err := w.node(id).Broker.Wipe(); err != nil {
		w.t.Error(err)
	}
}

func restart(w *world, id int) {
	if err := w.node(id).Start(); err != nil {
		w.t.Error(err)
	}
}

// Random trouble with one broker after the other, each mended before the next; with wipes only of what is
// in sync elsewhere, nothing may be lost.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(cmp.Or(os.Getenv("SOAK"), "5s"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(launch.Seed(t, os.Getenv("SOAK") != ""), 0))
	w := newWorld(t, nil)
	order := slices.Clone(troubles)
	for end := time.Now().Add(long); time.Now().Before(end) && !t.Failed(); {
		it, id := order[random.IntN(len(order))], 1+random.IntN(3)
		t.Logf("broker %d is %s", id, it.name)
		w.load.Mark()
		it.make(w, id)
		w.passes(time.Duration(random.Int64N(int64(3 * time.Second))))
		if random.IntN(2) == 0 { // sometimes it is mended before anybody has noticed
			w.flows("while broker " + strconv.Itoa(id) + " is " + it.name)
		}
		it.mend(w, id)
		w.flows("after broker " + strconv.Itoa(id) + " was " + it.name)
		w.mends()
		w.stalled("broker " + strconv.Itoa(id) + " was " + it.name)
	}
	w.verify()
}
