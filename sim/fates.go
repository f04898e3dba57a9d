package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
	"barnabas/sim/check"
	"barnabas/sim/world"
)

// blow is a kind of fault that hits one broker of a cluster, drawn as often as its weight says.
type blow struct {
	name   string
	weight int
	strike func(*clusterRun, *node)
}

var blows = []blow{
	{"kill", 4, func(r *clusterRun, n *node) { r.die(n, "kill -9", false, left{}) }},
	{"crash", 3, func(r *clusterRun, n *node) { r.die(n, "machine crash", false, left{torn: true}) }},
	{"vanish", 2, func(r *clusterRun, n *node) { r.die(n, "power cut", true, left{torn: true}) }},
	{"wipe", 5, func(r *clusterRun, n *node) { r.die(n, "wipe", false, left{empty: true}) }},
	{"wipe in silence", 1, func(r *clusterRun, n *node) { r.die(n, "power cut and wipe", true, left{empty: true}) }},
	{"stop and wipe", 2, (*clusterRun).stopAndWipe},
	{"ambush", 5, (*clusterRun).ambush},
	{"restart", 4, (*clusterRun).restart},
	{"disk error", 2, (*clusterRun).diskError},
	{"directory fails", 4, (*clusterRun).directoryFails},
	{"directory destroyed", 4, (*clusterRun).directoryDestroyed},
	{"disk full", 1, (*clusterRun).diskFull},
	{"slow keepers", 2, (*clusterRun).slowKeepers},
	{"keepers gone", 2, (*clusterRun).keepersGone},
	{"pause", 3, (*clusterRun).pause},
	{"cut", 3, (*clusterRun).cut},
	{"slow links", 2, (*clusterRun).slowLinks},
	{"connections reset", 2, (*clusterRun).connectionsReset},
	{"clock", 3, (*clusterRun).clock},
}

// plagueTime is for how long faults happen.
const plagueTime = 25 * time.Second

// plague lets each broker's fate happen, until all are over.
func (r *clusterRun) plague() {
	var drawn []blow
	for _, b := range blows {
		if len(r.Only) > 0 && !slices.Contains(r.Only, b.name) {
			continue
		}
		if strings.HasPrefix(b.name, "directory") && r.directories < 2 {
			continue
		}
		weight := b.weight
		if b.name == "restart" && r.homely() {
			weight *= 4
		}
		for range weight {
			drawn = append(drawn, b)
		}
	}
	end := time.Now().Add(plagueTime)
	var fates, disturbing sync.WaitGroup
	over := make(chan struct{})
	if r.homely() {
		disturbing.Go(func() { r.disturb(over) })
	}
	for _, n := range r.nodes {
		fates.Go(func() {
			for {
				n.idle(9 * time.Second)
				if time.Now().After(end) {
					return
				}
				r.busy <- struct{}{}
				n.turn <- struct{}{}
				drawn[n.rng.IntN(len(drawn))].strike(r, n)
				n.mend()
				r.up(n)
				<-n.turn
				<-r.busy
			}
		})
	}
	if wiped := r.rng.IntN(3) == 0; wiped && len(r.Only) == 0 || slices.Contains(r.Only, "keepers wiped") {
		at := time.Duration(r.rng.Int64N(int64(plagueTime)))
		fates.Go(func() {
			time.Sleep(at)
			r.keepersWiped()
		})
	}
	if len(r.Only) == 0 || slices.Contains(r.Only, "outage") {
		fates.Go(func() {
			rng := rand.New(rand.NewPCG(r.Seed, 0x0a6e))
			for range r.outages {
				time.Sleep(time.Duration(rng.Int64N(int64(plagueTime / 2))))
				r.outage(rng)
			}
		})
	}
	fates.Wait()
	close(over)
	disturbing.Wait()
}

// alone waits for all faults to be over, and lets none happen until the function is called that it returns.
func (r *clusterRun) alone() (end func()) {
	r.only <- struct{}{}
	for range cap(r.busy) {
		r.busy <- struct{}{}
	}
	return func() {
		for range cap(r.busy) {
			<-r.busy
		}
		<-r.only
	}
}

// idle lets time pass.
func (n *node) idle(most time.Duration) {
	time.Sleep(time.Duration(n.rng.Int64N(int64(most))))
}

// down is how long a broker is down.
func (n *node) down() { time.Sleep(downFor(n.rng)) }

// downFor is brief, most of the time.
func downFor(rng *rand.Rand) time.Duration {
	most := 2 * time.Second
	if rng.IntN(6) == 0 {
		most = 15 * time.Second
	}
	return time.Duration(rng.Int64N(int64(most)))
}

// mend ends what is wrong with a machine.
func (n *node) mend() {
	n.FailDisk(nil)
	n.FullDisk(false)
	n.SlowKeepers(0)
	n.SlowSyncs(0)
	n.LoseAnswers(false)
	n.CutKeepers(false)
}

// up starts a broker that is down, on a disk that works.
func (r *clusterRun) up(n *node) {
	for tries := 0; !n.Running(); tries++ {
		err := n.Start()
		if err == nil {
			r.fault("broker %d is up", n.ID)
			return
		}
		r.fault("broker %d does not start: %v", n.ID, err)
		if n.mend(); tries > 3 {
			r.violation("broker %d does not start: %w", n.ID, err)
			return
		}
	}
}

// left is what a death leaves of the disk: all but what was not synced, nothing, or all but a log directory.
type left struct {
	torn, empty bool
	without     string
}

// die takes a broker down. What that would destroy more than the run may is kept.
func (r *clusterRun) die(n *node, how string, silent bool, leaves left) {
	r.fault("broker %d: %s", n.ID, how)
	n.CutOff(silent)
	r.dying.Lock()
	r.bury(n, leaves, n.rng.Uint64())
	r.dying.Unlock()
	n.down()
}

// bury says what is left of the disk of a broker that nobody hears any more, and tells whether that is all. r.dying is held.
func (r *clusterRun) bury(n *node, leaves left, seed uint64) (all bool) {
	r.env.History.FaultOf(check.Killed, nil)
	if leaves == (left{}) || !r.allowed(n, leaves) {
		n.Keep()
		return true
	}
	if leaves.empty {
		n.Empty()
		return false
	}
	if leaves.without != "" {
		n.EmptyDirectory(leaves.without)
		return false
	}
	r.truth.tear(n.ID)
	n.Tear(seed)
	return false
}

// allowed tells whether what a death destroys may be, and enters whatever lives on no other store.
func (r *clusterRun) allowed(n *node, leaves left) bool {
	stores := map[ident.BrokerID][]ident.StoreID{}
	for _, other := range r.nodes {
		if other != n {
			stores[other.ID] = other.Stores("")
		} else if leaves.without != "" {
			stores[n.ID] = n.Stores(leaves.without)
		}
	}
	hits := r.truth.hits(n.ID, stores)
	if len(hits) == 0 {
		return true
	}
	if !r.careless {
		r.fault("broker %d keeps its disk: %v and more (%d) count on it alone", n.ID, hits[0].partition, len(hits)-1)
		return false
	}
	for _, h := range hits {
		kind := check.Crashed // of what is torn the synced part is there
		if !leaves.torn && h.gone {
			kind = check.Wiped
			r.losses = append(r.losses, h.partition)
		}
		r.env.History.FaultOf(kind, map[check.Partition]bool{h.partition: true})
	}
	r.fault("broker %d takes with it what %d partitions count on: %v", n.ID, len(hits), hits[0].partition)
	return true
}

// stopAndWipe is what a pod without a volume does that is told to stop.
func (r *clusterRun) stopAndWipe(n *node) {
	r.fault("broker %d is told to stop, and wiped", n.ID)
	if err := n.Stop(); err != nil {
		r.fault("broker %d stopped: %v", n.ID, err)
	}
	r.dying.Lock()
	r.bury(n, left{empty: true}, n.rng.Uint64())
	r.dying.Unlock()
	n.down()
}

func (r *clusterRun) restart(n *node) {
	r.fault("broker %d: restart", n.ID)
	if err := n.Stop(); err != nil {
		r.fault("broker %d stopped: %v", n.ID, err)
	}
	n.down()
}

// ambush kills a broker in the midst of things, while it serves or while it starts.
func (r *clusterRun) ambush(n *node) {
	nth, starting, crash := 1+n.rng.Int64N(200), n.rng.IntN(3) == 0, n.rng.IntN(2) == 0
	r.fault("broker %d is ambushed at operation %d of the disk, starting: %v", n.ID, nth, starting)
	if starting {
		r.die(n, "kill -9", false, left{})
	}
	a := n.Ambush(nth, func() {})
	if starting {
		if err := n.Start(); err != nil {
			r.fault("broker %d did not start: %v", n.ID, err)
		}
	}
	timer := time.NewTimer(5 * time.Second)
	select {
	case <-a.Sprung():
	case <-timer.C:
	}
	timer.Stop()
	r.dying.Lock()
	if crash = crash && a.Dead() && r.allowed(n, left{torn: true}); crash {
		r.truth.tear(n.ID)
	}
	died := a.Bury(crash, n.rng.Uint64())
	r.dying.Unlock()
	r.fault("broker %d died: %v, its machine too: %v", n.ID, died, crash)
	if died {
		r.env.History.FaultOf(check.Killed, nil)
		n.down()
	}
}

// diskError fails an operation, or all from one on for a while.
func (r *clusterRun) diskError(n *node) {
	err := []error{world.ErrIO, world.ErrFull}[n.rng.IntN(2)]
	nth, forever := 1+n.rng.Int64N(200), n.rng.IntN(2) == 0
	r.fault("broker %d: operation %d of the disk fails (for ever: %v) with %v", n.ID, nth, forever, err)
	n.FailDisk(vfs.FailNth(nth, forever, err, func(op vfs.Op) bool { return op.Kind.Changes() }))
	n.idle(8 * time.Second)
	if n.rng.IntN(4) == 0 {
		r.die(n, "kill -9", false, left{}) // while it fails
	}
	r.fault("broker %d: disk mended", n.ID)
}

// directoryFails fails all operations in one log directory for a while, while replicas move to and fro.
func (r *clusterRun) directoryFails(n *node) {
	dir := n.Dirs[n.rng.IntN(len(n.Dirs))]
	nth := n.rng.Int64N(30)
	r.fault("broker %d: %s fails from its operation %d on", n.ID, dir, nth)
	n.FailDisk(vfs.FailNth(nth, true, world.ErrIO, func(op vfs.Op) bool { return op.Path == dir || strings.HasPrefix(op.Path, dir+"/") }))
	n.idle(8 * time.Second)
	switch n.rng.IntN(4) {
	case 0:
		r.die(n, "kill -9", false, left{}) // while it fails
		r.up(n)
		n.idle(4 * time.Second)
	case 1:
		r.die(n, "machine crash", false, left{torn: true})
	}
	r.fault("broker %d: %s is mended", n.ID, dir)
}

// directoryDestroyed kills a broker that comes back with one of its log directories empty, and the others as they were.
func (r *clusterRun) directoryDestroyed(n *node) {
	dir := n.Dirs[n.rng.IntN(len(n.Dirs))]
	r.die(n, "kill -9, and "+dir+" is destroyed", false, left{without: dir})
}

func (r *clusterRun) diskFull(n *node) {
	r.fault("broker %d: disk full", n.ID)
	n.FullDisk(true)
	n.idle(8 * time.Second)
	r.fault("broker %d: room again", n.ID)
}

func (r *clusterRun) slowKeepers(n *node) {
	most := time.Duration(1 + n.rng.Int64N(int64(2*time.Second)))
	lossy := n.rng.IntN(2) == 0
	r.fault("broker %d: keepers take up to %v, answers are lost: %v", n.ID, most, lossy)
	n.SlowKeepers(most)
	n.LoseAnswers(lossy)
	n.idle(10 * time.Second)
	if n.rng.IntN(3) == 0 {
		r.die(n, "kill -9", false, left{})
	}
	r.fault("broker %d: keepers answer at once", n.ID)
}

func (r *clusterRun) keepersGone(n *node) {
	r.fault("broker %d: keepers gone", n.ID)
	n.CutKeepers(true)
	n.idle(12 * time.Second)
	r.fault("broker %d: keepers back", n.ID)
}

// pause stops a broker and lets it go on, as SIGSTOP and SIGCONT do.
func (r *clusterRun) pause(n *node) {
	r.fault("broker %d is paused", n.ID)
	n.Freeze(true)
	n.idle(12 * time.Second)
	n.Freeze(false)
	r.fault("broker %d wakes up", n.ID)
	n.idle(2 * time.Second)
}

// cut breaks links to some others, one way or both.
func (r *clusterRun) cut(n *node) {
	others := []string{}
	for _, other := range r.nodes {
		if other != n && n.rng.IntN(2) == 0 {
			others = append(others, other.Host)
		}
	}
	if n.rng.IntN(3) == 0 {
		others = append(others, world.Clients)
	}
	way := n.rng.IntN(3)
	r.fault("broker %d is cut from %v, way %d", n.ID, others, way)
	set := func(broken bool) {
		for _, host := range others {
			if way != 0 {
				r.network.Cut(n.Host, host, broken)
			}
			if way != 1 {
				r.network.Cut(host, n.Host, broken)
			}
		}
	}
	set(true)
	n.idle(12 * time.Second)
	set(false)
	r.fault("broker %d is linked again", n.ID)
}

func (r *clusterRun) slowLinks(n *node) {
	most := time.Duration(1 + n.rng.Int64N(int64(time.Second)))
	r.fault("broker %d: links take up to %v", n.ID, most)
	set := func(most time.Duration) {
		for _, other := range r.nodes {
			if other != n {
				r.network.Slow(n.Host, other.Host, most)
				r.network.Slow(other.Host, n.Host, most)
			}
		}
	}
	set(most)
	n.idle(8 * time.Second)
	set(0)
	r.fault("broker %d: links are fast", n.ID)
}

func (r *clusterRun) connectionsReset(n *node) {
	r.fault("broker %d: connections reset", n.ID)
	n.ResetConnections()
}

// clock sets the wall clock of one machine, while its broker runs.
func (r *clusterRun) clock(n *node) {
	ahead := skew(n.rng)
	r.fault("broker %d: the wall clock is set to %v from the truth", n.ID, ahead)
	n.SetClock(ahead)
}
