package sim

import (
	"math/rand/v2"
	"sync"
	"time"

	"barnabas/sim/check"
)

// outage has all machines lose their power at once, their syncs being slow before that. What was acknowledged is on no disk for
// sure but in topics with fsync.on.ack, and there on all that count. It waits for other faults to be over.
func (r *clusterRun) outage(rng *rand.Rand) {
	defer r.alone()()
	slow := 100*time.Millisecond + time.Duration(rng.Int64N(int64(2*time.Second)))
	r.fault("syncs take up to %v", slow)
	for _, n := range r.nodes {
		n.SlowSyncs(slow)
	}
	time.Sleep(time.Second + time.Duration(rng.Int64N(int64(3*time.Second))))
	r.fault("all machines lose their power")
	r.dying.Lock()
	for _, n := range r.nodes {
		n.CutOff(true)
	}
	r.env.History.FaultOf(check.Killed, nil)
	r.env.History.FaultOf(check.Crashed, r.mayLack())
	left := rng.Uint64() // of all the same, or some copy would have everything nearly every time
	for _, n := range r.nodes {
		r.truth.tear(n.ID)
		n.Tear(left)
	}
	r.dying.Unlock()
	var starting sync.WaitGroup
	for _, n := range r.nodes {
		n.SlowSyncs(0)
		down := downFor(rng)
		starting.Go(func() {
			time.Sleep(down)
			r.up(n)
		})
	}
	starting.Wait()
}

// mayLack are the partitions whose records such an outage may take.
func (r *clusterRun) mayLack() map[check.Partition]bool {
	all := map[check.Partition]bool{}
	for topic := range r.truth.now().Topics() {
		if r.env.History.Outlasts(topic.Name) {
			continue
		}
		for n := range topic.Partitions() {
			all[partitionOf(topic, n)] = true
		}
	}
	return all
}
