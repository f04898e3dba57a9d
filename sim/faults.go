package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/vfs"
	"barnabas/sim/check"
	"barnabas/sim/world"
)

// kind is a kind of fault, drawn as often as its weight says.
type kind struct {
	name   string
	weight int
	strike func(*run)
}

var kinds = []kind{
	{"kill", 5, (*run).kill},
	{"crash", 3, (*run).crash},
	{"ambush", 6, (*run).ambush},
	{"restart", 2, (*run).restart},
	{"wipe", 1, (*run).wipe},
	{"disk error", 3, (*run).diskError},
	{"disk full", 2, (*run).diskFull},
	{"slow keepers", 2, (*run).slowKeepers},
	{"keepers gone", 2, (*run).keepersGone},
	{"connections reset", 3, (*run).connectionsReset},
	{"quiet", 2, (*run).quiet},
	{"clock", 2, (*run).clock},
	{"keepers wiped", 2, (*run).keepersWiped},
}

// harmless leaves out, for some runs, what voids promises, so that most runs are held to all of them.
func (r *run) harmless(k kind) bool {
	switch k.name {
	case "wipe":
		return r.Seed%4 != 1
	case "crash":
		return r.Seed%2 == 0
	}
	return false
}

// plague lets faults happen, one after another.
func (r *run) plague() {
	var drawn []kind
	for _, k := range kinds {
		if len(r.Only) > 0 && !slices.Contains(r.Only, k.name) || len(r.Only) == 0 && r.harmless(k) {
			continue
		}
		for range k.weight {
			drawn = append(drawn, k)
		}
	}
	r.idle(2 * time.Second)
	for range 3 + r.rng.IntN(5) {
		drawn[r.rng.IntN(len(drawn))].strike(r)
		r.idle(4 * time.Second)
	}
}

// idle lets clients work for a while.
func (r *run) idle(most time.Duration) {
	time.Sleep(time.Duration(r.rng.Int64N(int64(most))))
}

// heal ends all faults and has the broker run.
func (r *run) heal() {
	r.machine.FailDisk(nil)
	r.machine.FullDisk(false)
	r.machine.SlowKeepers(0)
	r.machine.CutKeepers(false)
	r.up()
	r.fault("healed")
}

// up starts the broker, if it is down, on a disk that works.
func (r *run) up() {
	if r.machine.Running() {
		return
	}
	if err := r.machine.Start(); err != nil {
		r.fault("does not start: %v", err)
		r.machine.FailDisk(nil)
		r.machine.FullDisk(false)
		if err := r.machine.Start(); err != nil {
			r.violation("does not start on a disk that works: %w", err)
		}
	}
}

func (r *run) kill() {
	r.fault("kill -9")
	r.die()
	r.idle(time.Second)
	r.up()
}

func (r *run) crash() {
	r.fault("machine crash")
	r.env.History.Fault(check.Crashed)
	r.machine.Crash(r.rng.Uint64())
	r.idle(time.Second)
	r.up()
}

// ambush kills the broker in the midst of things, while it serves or while it starts. On runs where machines crash,
// it may be the machine that goes.
func (r *run) ambush() {
	nth, starting := 1+r.rng.Int64N(150), r.rng.IntN(3) == 0
	kind := check.Killed
	if r.Seed%2 == 1 && r.rng.IntN(2) == 0 {
		kind = check.Crashed
	}
	r.fault("%s at operation %d of the disk, starting: %v", kind, nth, starting)
	if starting {
		r.die()
	}
	a := r.machine.Ambush(nth, func() { r.env.History.Fault(kind) })
	if starting {
		if err := r.machine.Start(); err != nil {
			r.fault("did not start: %v", err)
		}
	}
	timer := time.NewTimer(5 * time.Second)
	select {
	case <-a.Sprung():
	case <-timer.C:
	}
	timer.Stop()
	if !a.Bury(kind == check.Crashed, r.rng.Uint64()) {
		r.fault("it lives")
	}
	r.idle(time.Second)
	r.up()
}

// die leaves the broker down.
func (r *run) die() {
	r.env.History.Fault(check.Killed)
	r.machine.Kill()
}

func (r *run) restart() {
	r.fault("restart")
	if err := r.machine.Stop(); err != nil {
		r.fault("stopped: %v", err)
	}
	r.idle(time.Second)
	r.up()
}

func (r *run) wipe() {
	for _, t := range r.env.Topics.All() {
		for number := range t.Partitions {
			r.wiped = append(r.wiped, t.Partition(number))
		}
	}
	r.fault("wipe")
	r.env.History.Fault(check.Wiped)
	r.machine.Wipe()
	r.idle(time.Second)
	r.machine.FailDisk(nil)
	r.machine.FullDisk(false)
	r.up()
}

// diskError fails an operation, or all from one on for a while.
func (r *run) diskError() {
	err := []error{world.ErrIO, world.ErrFull}[r.rng.IntN(2)]
	nth, forever := 1+r.rng.Int64N(200), r.rng.IntN(2) == 0
	r.fault("disk: operation %d fails (for ever: %v) with %v", nth, forever, err)
	r.machine.FailDisk(vfs.FailNth(nth, forever, err, func(op vfs.Op) bool { return op.Kind.Changes() }))
	r.idle(6 * time.Second)
	if r.rng.IntN(4) == 0 {
		r.kill() // while it fails
	}
	r.machine.FailDisk(nil)
	r.fault("disk mended")
}

func (r *run) diskFull() {
	r.fault("disk full")
	r.machine.FullDisk(true)
	r.idle(6 * time.Second)
	r.machine.FullDisk(false)
	r.fault("room again")
}

func (r *run) slowKeepers() {
	most := time.Duration(1 + r.rng.Int64N(int64(2*time.Second)))
	r.fault("keepers take up to %v", most)
	r.machine.SlowKeepers(most)
	r.idle(10 * time.Second)
	if r.rng.IntN(3) == 0 {
		r.kill()
	}
	r.machine.SlowKeepers(0)
	r.fault("keepers answer at once")
}

func (r *run) keepersGone() {
	r.fault("keepers gone")
	r.machine.CutKeepers(true)
	r.idle(12 * time.Second)
	r.machine.CutKeepers(false)
	r.fault("keepers back")
}

func (r *run) connectionsReset() {
	r.fault("connections reset")
	r.machine.ResetConnections()
}

// quiet is a time in which much grows old.
func (r *run) quiet() {
	r.fault("quiet")
	time.Sleep(time.Duration(r.rng.Int64N(int64(time.Minute))))
}

// A wall clock is at most so wrong: what is kept for a day or longer by it (records, and what is known of producers) is
// promised to be there, and records of an hour to come are refused (message.timestamp.after.max.ms).
const (
	mostAhead  = 20 * time.Hour
	mostBehind = 50 * time.Minute
)

// skew is how wrong a clock is set, one time in three not at all: then it goes back by what it was ahead.
func skew(rng *rand.Rand) time.Duration {
	if rng.IntN(3) == 0 {
		return 0
	}
	return time.Duration(rng.Int64N(int64(mostAhead+mostBehind))) - mostBehind
}

// clock sets the wall clock, while the broker runs.
func (r *run) clock() {
	ahead := skew(r.rng)
	r.fault("the wall clock is set to %v from the truth", ahead)
	r.machine.SetClock(ahead)
}

// keepersWiped has the keepers lose everything, or what came last. What the broker knows is all there is then.
func (r *run) keepersWiped() {
	r.up()
	kept := r.rng.IntN(2) == 0
	r.fault("keepers wiped, the most of it kept: %v", kept)
	rebirth(r.memory, kept)
	r.idle(6 * time.Second)
}

// rebirth wipes keepers: all of them, or so many that what they have agreed on last is lost.
func rebirth(memory *memstore.Memory, kept bool) {
	var upTo metadata.Revision
	if kept {
		upTo = memory.Revision() - 3
	}
	memory.Rebirth(upTo)
}
