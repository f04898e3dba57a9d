package step

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/group"
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

// here does something in this life of the member, once it is not frozen.
func (mb *member) here(d time.Duration, what string, do func()) {
	life := mb.life
	var try func()
	try = func() {
		switch {
		case !mb.up || mb.life != life:
		case mb.frozen > mb.now:
			mb.after(mb.frozen-mb.now, what, try)
		default:
			do()
		}
	}
	mb.after(d, what, try)
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

// find looks who the coordinator is: whom the cluster says, or now and then somebody else.
func (mb *member) find() *machine {
	if mb.broker == nil {
		mb.broker = mb.leader()
		if mb.oneIn(12) && !mb.calm() {
			mb.broker = mb.machines[mb.rng.IntN(len(mb.machines))]
		}
	}
	return mb.broker
}

// air has bytes between a client and a broker arrive, unless they are lost.
func (w *world) air(what string, arrive func()) {
	d := w.between(50*time.Microsecond, 1500*time.Microsecond)
	if !w.calm() {
		if w.oneIn(50) {
			return
		}
		if w.oneIn(40) {
			d += w.between(0, 80*time.Millisecond)
		}
	}
	w.after(d, what, arrive)
}

// call sends a request to the coordinator, where ask carries it out and has the answer sent by calling reply with what the member does
// on hearing it. Otherwise is done where no answer comes in time: the request may come to be carried out all the same, later
// than what is asked then.
func (mb *member) call(what string, patience time.Duration, ask func(m *machine, reply func(hear func())), otherwise func()) {
	m := mb.find()
	if m == nil {
		mb.here(mb.between(2*time.Millisecond, 10*time.Millisecond), what+" finds nobody", otherwise)
		return
	}
	if mb.oneIn(20) && !mb.calm() {
		patience = mb.between(time.Millisecond, 15*time.Millisecond)
	}
	life, over := mb.life, false
	once := func(do func()) func() {
		return func() {
			if !over {
				over = true
				do()
			}
		}
	}
	reply := func(brokerLife int) func(func()) {
		return func(hear func()) {
			mb.air(what+"'s answer", func() {
				if mb.life == life && m.up && m.life == brokerLife {
					mb.here(0, what+"'s answer", once(hear))
				}
			})
		}
	}
	mb.air(what, func() {
		if m.up && m.groups != nil {
			brokerLife := m.life
			m.here(0, what, func() { ask(m, reply(brokerLife)) })
		}
	})
	mb.here(patience, what+" is not answered", once(func() {
		mb.broker = nil
		otherwise()
	}))
}

// phase begins a phase, and has only its own answers heard.
func (mb *member) phase() (current func(func()) func()) {
	mb.number++
	mb.steady = false
	number := mb.number
	return func(do func()) func() {
		return func() {
			if mb.number == number {
				do()
			}
		}
	}
}

// soon joins anew after a pause.
func (mb *member) soon() {
	in := mb.phase()
	mb.beating = false
	mb.here(mb.between(time.Millisecond, 12*time.Millisecond), "join", in(mb.join))
}

// refused does what an error wants; it reports whether there was one.
func (mb *member) refused(code int16) bool {
	switch code {
	case 0:
		return false
	case kerr.NotCoordinator.Code, kerr.CoordinatorNotAvailable.Code, kerr.CoordinatorLoadInProgress.Code:
		mb.broker = nil
		mb.soon()
	case kerr.UnknownMemberID.Code:
		mb.id, mb.generation = "", -1
		mb.lose()
		mb.soon()
	case kerr.IllegalGeneration.Code:
		mb.generation = -1
		mb.lose()
		mb.soon()
	case kerr.RebalanceInProgress.Code:
		mb.soon()
	case kerr.FencedInstanceID.Code:
		mb.note("fenced", mb.name)
		mb.end()
	default:
		mb.violation("answers: member %s is told %v", mb.name, kerr.ErrorForCode(code))
		mb.soon()
	}
	return true
}

var clientOf = func(mb *member) group.Client { return group.Client{ID: mb.name, Host: "/127.0.0.1"} }

// join asks to be in the next generation. What an eager member has is given up before.
func (mb *member) join() {
	in := mb.phase()
	mb.beating = false
	if !mb.cooperative {
		mb.lose()
	}
	asked := mb.id
	request := func() *kmsg.JoinGroupRequest {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.MemberID, r.InstanceID, r.ProtocolType = mb.version, mb.consumers.name, asked, mb.instance, "consumer"
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = int32(mb.session.Milliseconds()), 250
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: mb.protocol(), Metadata: mb.subscription()}}
		return r
	}
	body := request()
	mb.call("join", 600*time.Millisecond, func(m *machine, reply func(func())) {
		m.groups.JoinGroup(clientOf(mb), body, func(j *kmsg.JoinGroupResponse) {
			mb.note("joined", mb.name, asked, j.ErrorCode, j.Generation, j.MemberID, j.LeaderID, len(j.Members))
			reply(in(func() { mb.joined(j) }))
		})
	}, in(mb.join))
}

func (mb *member) joined(j *kmsg.JoinGroupResponse) {
	if j.ErrorCode == kerr.MemberIDRequired.Code {
		mb.id = j.MemberID
		mb.join()
		return
	}
	if mb.refused(j.ErrorCode) {
		return
	}
	mb.id, mb.generation = j.MemberID, j.Generation
	var assignments []kmsg.SyncGroupRequestGroupAssignment
	if j.LeaderID == mb.id && !j.SkipAssignment {
		assignments = mb.assign(j.Members)
	}
	mb.sync(assignments)
}

// sync hands in what the leader has assigned, and waits for what it is assigned itself.
func (mb *member) sync(assignments []kmsg.SyncGroupRequestGroupAssignment) {
	in := mb.phase()
	r := kmsg.NewPtrSyncGroupRequest()
	protocolType, protocol := "consumer", mb.protocol()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 5, mb.consumers.name, mb.id, mb.instance, mb.generation
	r.ProtocolType, r.Protocol, r.GroupAssignment = &protocolType, &protocol, assignments
	id, generation := mb.id, mb.generation
	mb.call("sync", 600*time.Millisecond, func(m *machine, reply func(func())) {
		m.groups.SyncGroup(r, func(s *kmsg.SyncGroupResponse) {
			mb.note("synced", mb.name, id, generation, s.ErrorCode)
			if s.ErrorCode == 0 {
				mb.tellAssignment(m, id, generation, s.MemberAssignment)
			}
			reply(in(func() {
				if !mb.refused(s.ErrorCode) {
					mb.take(decodeAssignment(s.MemberAssignment))
				}
			}))
		})
	}, in(mb.join))
}

// take makes what is assigned the member's own. A cooperative one that has to give something up joins again, that others may
// have it.
func (mb *member) take(assigned []int32) {
	gives := mb.cooperative && slices.ContainsFunc(mb.owned, func(p int32) bool { return !slices.Contains(assigned, p) })
	maps.DeleteFunc(mb.positions, func(p int32, _ int64) bool { return !slices.Contains(assigned, p) })
	mb.owned, mb.claimed = assigned, mb.generation
	if gives {
		mb.join()
		return
	}
	mb.beating = true
	mb.learn()
}

// learn asks for the offsets from which to go on; then the member is steady.
func (mb *member) learn() {
	in := mb.phase()
	var unknown []int32
	for _, p := range mb.owned {
		if _, ok := mb.positions[p]; !ok {
			unknown = append(unknown, p)
		}
	}
	if len(unknown) == 0 {
		mb.steady = true
		return
	}
	mb.fetchOffsets(unknown, func(code int16, found map[int32]int64) {
		in(func() {
			if !mb.refused(code) {
				maps.Copy(mb.positions, found)
				mb.learn()
			}
		})()
	}, in(mb.learn))
}

// heartbeat says that the member is there, for as long as it is.
func (mb *member) heartbeat() {
	mb.here(mb.session/4, "heartbeat", mb.heartbeat)
	if !mb.beating {
		return
	}
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 4, mb.consumers.name, mb.id, mb.instance, mb.generation
	mb.call("heartbeat", 100*time.Millisecond, func(m *machine, reply func(func())) {
		asked := m.now
		m.groups.Heartbeat(r, func(code int16) {
			if code == 0 && m.heard != nil {
				m.heard[mb.consumers] = asked
			}
			reply(func() {
				switch {
				case !mb.beating || mb.generation != r.Generation || mb.id != r.MemberID:
				case code == kerr.NotCoordinator.Code || code == kerr.CoordinatorNotAvailable.Code:
					mb.broker = nil
				default:
					mb.refused(code)
				}
			})
		})
	}, func() {})
}

// leave says that the member goes, and does not wait for an answer.
func (mb *member) leave() {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = 5, mb.consumers.name
	r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: mb.id, InstanceID: mb.instance}}
	if mb.id == "" {
		return
	}
	mb.call("leave", time.Millisecond, func(m *machine, _ func(func())) {
		m.groups.LeaveGroup(r, func(*kmsg.LeaveGroupResponse) {})
	}, func() {})
}
