package cluster

import (
	"sync"
	"testing"
	"time"
)

// stopAll tells all brokers to stop at once, and starts them again when all have gone.
func stopAll(w *world) {
	w.t.Helper()
	var stops sync.WaitGroup
	for id := 1; id <= 3; id++ {
		stops.Go(func() {
			took, err := w.node(id).Broker.Stop(patience)
			if err != nil {
				w.t.Error(err)
			}
			w.t.Logf("broker %d, told to stop with the others, ended in %s", id, took.Round(time.Millisecond))
		})
	}
	stops.Wait()
	for id := 1; id <= 3; id++ {
		restart(w, id)
	}
}

// All brokers are told to stop at once, and come back with what they have: producers that wait meanwhile have each record stored
// once.
func TestAllStop(t *testing.T) {
	w := newWorld(t, nil)
	w.load.Mark()
	stopAll(w)
	w.mends()
	w.flows("after all had stopped")
	w.stalled("all stop at once")
	w.verify()
}
