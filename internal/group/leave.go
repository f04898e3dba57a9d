package group

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup takes members out of a group: themselves, or static ones by an administrator, who names
// only the instance.
func (g *Groups) LeaveGroup(r *kmsg.LeaveGroupRequest, done func(*kmsg.LeaveGroupResponse)) {
	if r.Group == "" {
		done(leaveError(kerr.InvalidGroupID.Code))
		return
	}
	if r.Version < 3 {
		r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: r.MemberID}}
	}
	g.command(r.Group,
		func(m *machine, s *step) {
			response := m.leave(s, r)
			s.reply(func(err error) {
				if err != nil {
					response = leaveError(code(err))
				}
				done(response)
			})
		},
		func(err error) { done(leaveError(code(err))) })
}

func leaveError(errorCode int16) *kmsg.LeaveGroupResponse {
	r := kmsg.NewPtrLeaveGroupResponse()
	r.ErrorCode = errorCode
	return r
}

func (m *machine) leave(s *step, r *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	response := leaveError(0)
	g := m.groups[r.Group]
	var left []string
	for _, leaving := range r.Members {
		answer := kmsg.LeaveGroupResponseMember{
			MemberID:   leaving.MemberID,
			InstanceID: leaving.InstanceID,
		}
		if err := g.leaveOne(s, leaving); err != nil {
			answer.ErrorCode = err.Code
		} else {
			left = append(left, leaving.MemberID)
		}
		response.Members = append(response.Members, answer)
	}
	if r.Version < 3 && len(response.Members) > 0 {
		response.ErrorCode = response.Members[0].ErrorCode
	}
	if len(left) == 0 {
		return response
	}
	why := "members left: " + strings.Join(left, ",")
	switch g.state {
	case stable, completingRebalance:
		g.prepareRebalance(s, why)
	case preparingRebalance:
		g.completeJoinIfAll(s)
	}
	return response
}

// leaveOne takes one member out. g is nil for a group that isn't known.
func (g *group) leaveOne(s *step, leaving kmsg.LeaveGroupRequestMember) *kerr.Error {
	if g == nil {
		return kerr.UnknownMemberID
	}
	reason := "not provided"
	if leaving.Reason != nil {
		reason = *leaving.Reason
	}
	switch {
	case leaving.MemberID == "":
		if leaving.InstanceID == nil || g.static[*leaving.InstanceID] == nil {
			return kerr.UnknownMemberID
		}
		mb := g.static[*leaving.InstanceID]
		g.log().Info("static member is removed", "member", mb.id, "instance", *mb.instanceID,
			"reason", reason)
		g.leave(s, mb)
	case g.pendingJoin[leaving.MemberID] != nil:
		g.drop(leaving.MemberID)
	default:
		if err := g.validate(leaving.MemberID, leaving.InstanceID); err != nil {
			return err
		}
		g.log().Info("member leaves", "member", leaving.MemberID, "reason", reason)
		g.leave(s, g.byID[leaving.MemberID])
	}
	return nil
}

// leave takes a member out. If it still waits for a join or sync, UNKNOWN_MEMBER_ID has its client, if
// alive, join anew.
func (g *group) leave(s *step, mb *member) {
	g.answerJoin(s, mb, joinError("", kerr.UnknownMemberID.Code))
	g.answerSync(s, mb, syncError(kerr.UnknownMemberID.Code))
	g.drop(mb.id)
}

// afterLeaving rebalances, or ends a join phase that waited for the member that is gone.
func (g *group) afterLeaving(s *step, why string) {
	switch g.state {
	case stable, completingRebalance:
		g.prepareRebalance(s, why)
	case preparingRebalance:
		if g.allJoined() {
			g.completeJoin(s)
		}
	}
}
