package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var codeRebalance = kerr.RebalanceInProgress.Code

// join answers a JoinGroup when the step is committed.
func (s *step) join(done func(*kmsg.JoinGroupResponse), response *kmsg.JoinGroupResponse) {
	s.reply(func(err error) {
		if err != nil {
			response = joinError("", code(err))
		}
		done(response)
	})
}

// sync answers a SyncGroup when the step is committed.
func (s *step) sync(done func(*kmsg.SyncGroupResponse), response *kmsg.SyncGroupResponse) {
	s.reply(func(err error) {
		if err != nil {
			response = syncError(code(err))
		}
		done(response)
	})
}

func joinError(memberID string, errorCode int16) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.MemberID = memberID
	r.ErrorCode = errorCode
	r.Generation = -1
	return r
}

func syncError(errorCode int16) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	r.ErrorCode = errorCode
	return r
}

// joined tells a member of the generation; the leader also of its members.
func (g *group) joined(mb *member) *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupResponse()
	r.MemberID = mb.id
	r.Generation = g.generation
	r.ProtocolType = nullable(g.protocolType)
	r.Protocol = g.protocol
	r.LeaderID = g.leader
	if g.leader == mb.id {
		r.Members = g.joinMembers()
	}
	return r
}

// joinMembers are the members with what they say under the chosen protocol.
func (g *group) joinMembers() []kmsg.JoinGroupResponseMember {
	members := make([]kmsg.JoinGroupResponseMember, len(g.members))
	for i, mb := range g.members {
		members[i] = kmsg.JoinGroupResponseMember{
			MemberID:         mb.id,
			InstanceID:       mb.instanceID,
			ProtocolMetadata: mb.metadata(g.protocolName()),
		}
	}
	return members
}

// synced tells a member its assignment.
func (g *group) synced(assignment []byte) *kmsg.SyncGroupResponse {
	r := kmsg.NewPtrSyncGroupResponse()
	r.ProtocolType = nullable(g.protocolType)
	r.Protocol = g.protocol
	r.MemberAssignment = assignment
	return r
}

// protocolName is the chosen protocol, "" while there is none.
func (g *group) protocolName() string {
	if g.protocol == nil {
		return ""
	}
	return *g.protocol
}

// nullable is nil for the empty string.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
