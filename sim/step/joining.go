package step

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/group"
)

// How a member joins, is told what it is assigned, learns the offsets from which to go on, and stays.

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
