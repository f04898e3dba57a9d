package step

import (
	"fmt"
	"time"
)

// consumers are a group as its members see it.
type consumers struct {
	*world
	name        string
	cooperative bool
	version     int16 // of JoinGroup
	session     time.Duration
	members     []*member
	told        told
}

// partitions is how many the topic has that the groups share.
const partitions = 5

var allPartitions = []int32{0, 1, 2, 3, 4}

// member is a consumer: what a client library does of it, by events. A static one keeps its instance id from life to life.
type member struct {
	*consumers
	name     string
	instance *string

	life   int
	up     bool
	frozen time.Duration // until then it does not run, and does not know
	// beating is from the assignment on to the next join, steady once it knows all offsets too. number counts phases: an answer to one
	// that is over is not heard.
	beating    bool
	steady     bool
	number     int
	broker     *machine // whom it takes for the coordinator
	id         string
	generation int32
	owned      []int32
	claimed    int32           // the generation of which owned is
	positions  map[int32]int64 // of those of owned that it has learnt
}

func (w *world) gather() {
	if !w.options.Groups {
		return
	}
	for n := range 1 + w.rng.IntN(2) {
		g := &consumers{world: w, name: fmt.Sprintf("group-%d", n), cooperative: w.oneIn(2), version: 9, told: newTold()}
		if w.oneIn(3) {
			g.version = 6
		}
		g.session = []time.Duration{101, 151, 303}[w.rng.IntN(3)] * time.Millisecond
		for i := range 1 + w.rng.IntN(4) {
			mb := &member{consumers: g, name: fmt.Sprintf("%s-%d", g.name, i)}
			if n == 0 && w.oneIn(2) || w.oneIn(4) {
				mb.instance = &mb.name
			}
			g.members = append(g.members, mb)
			w.after(w.between(0, 40*time.Millisecond), "member starts", mb.start)
		}
		w.groups = append(w.groups, g)
	}
	if w.options.Compacted {
		w.standBy()
	}
}

// start begins a life, in which it knows nothing of the one before.
func (mb *member) start() {
	if mb.up {
		return
	}
	mb.life++
	mb.up, mb.frozen, mb.broker, mb.id, mb.generation, mb.beating = true, 0, nil, "", -1, false
	mb.lose()
	mb.note("member starts", mb.name)
	mb.join()
	mb.here(mb.session/4, "heartbeat", mb.heartbeat)
	mb.here(mb.between(5*time.Millisecond, 30*time.Millisecond), "commit", mb.commitSoon)
	if !mb.calm() {
		mb.after(mb.between(20*time.Millisecond, 900*time.Millisecond), "member's fate", mb.suffer)
	}
}

// lose has it own nothing.
func (mb *member) lose() {
	mb.owned, mb.claimed, mb.positions = nil, -1, map[int32]int64{}
}

// suffer has something happen to the member, unless it is another life by then.
func (mb *member) suffer() {
	if mb.calm() || !mb.up {
		return
	}
	mb.after(mb.between(40*time.Millisecond, 900*time.Millisecond), "member's fate", mb.suffer)
	switch mb.rng.IntN(5) {
	case 0:
		d := mb.between(10*time.Millisecond, 500*time.Millisecond)
		mb.fault("member %s stands still for %v", mb.name, d)
		mb.frozen = mb.now + d
	case 1:
		mb.fault("member %s leaves", mb.name)
		mb.leave()
		mb.end()
	case 2, 3:
		mb.fault("member %s is killed", mb.name)
		mb.end()
	case 4:
		mb.fault("member %s closes its connection", mb.name)
		mb.broker = nil
	}
}

// end is the end of a life; another one begins after a while.
func (mb *member) end() {
	mb.up = false
	mb.life++
	mb.after(mb.between(5*time.Millisecond, 300*time.Millisecond), "member starts", mb.start)
}
