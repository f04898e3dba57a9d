package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// newMemberTimeout bounds how long a new member's first join may wait: it has no id to heartbeat with
// yet, so one whose client is gone would stay for good.
const newMemberTimeout = 5 * time.Minute

// memberIDRequired is the version from which a joining member first gets an id and joins again with it,
// so that a lost answer leaves no ghost behind (KIP-394).
const memberIDRequired = 4

// skipAssignment is the version from which a static leader that comes back is told the members
// but not to assign (KIP-814).
const skipAssignment = 9

// joinRequest is a JoinGroup on its way through the machine.
type joinRequest struct {
	*kmsg.JoinGroupRequest
	client Client
	done   func(*kmsg.JoinGroupResponse)
}

// refuse answers a join with an error.
func (s *step) refuse(r *joinRequest, memberID string, err *kerr.Error) {
	s.join(r.done, joinError(memberID, err.Code))
}

// reason is the client's own (KIP-800).
func (r *joinRequest) reason() string {
	if r.Reason == nil || *r.Reason == "" {
		return "not provided"
	}
	return *r.Reason
}

// JoinGroup brings a member into the join phase of its group's next generation; the answer comes when
// that phase ends.
func (g *Groups) JoinGroup(c Client, r *kmsg.JoinGroupRequest, done func(*kmsg.JoinGroupResponse)) {
	session := time.Duration(r.SessionTimeoutMillis) * time.Millisecond
	switch {
	case r.Group == "":
		done(joinError(r.MemberID, kerr.InvalidGroupID.Code))
		return
	case session < g.config.MinSessionTimeout || session > g.config.MaxSessionTimeout:
		done(joinError(r.MemberID, kerr.InvalidSessionTimeout.Code))
		return
	}
	request := &joinRequest{JoinGroupRequest: r, client: c, done: done}
	g.command(r.Group,
		func(m *machine, s *step) { m.join(s, request) },
		func(err error) { done(joinError("", code(err))) })
}

func (m *machine) join(s *step, r *joinRequest) {
	if r.MemberID != "" && m.groups[r.Group] == nil {
		s.refuse(r, r.MemberID, kerr.UnknownMemberID)
		return
	}
	g, created := m.groupOrNew(r.Group, s.now)
	switch {
	case !g.accepts(r.MemberID):
		g.drop(r.MemberID)
		s.refuse(r, "", kerr.GroupMaxSizeReached)
	case !g.supports(r.ProtocolType, r.Protocols):
		s.refuse(r, r.MemberID, kerr.InconsistentGroupProtocol)
	case r.MemberID == "":
		g.joinNew(s, r)
	default:
		g.joinAgain(s, r)
	}
	if created && len(s.outcome.Records) == 0 {
		s.recordWith(emptyGroupRecord(g), g.createdOr)
	}
}

// createdOr ends the making of a group whose first record was refused.
func (g *group) createdOr(err error) {
	if err == nil {
		return
	}
	for _, mb := range g.members {
		mb.failWaiting(code(err))
	}
	g.m.remove(g)
}

// accepts says whether the group has room for whom it knows by this id, or for a new member.
func (g *group) accepts(memberID string) bool {
	mb := g.byID[memberID]
	switch g.state {
	case empty:
		return true
	case preparingRebalance:
		// Those who wait count, not those who were members: the group may be above a limit that
		// was lowered, and the last ones to join again are the ones to go.
		return mb != nil && mb.join != nil || g.awaitingJoin < g.m.config.MaxSize
	default:
		return mb != nil || len(g.members) < g.m.config.MaxSize
	}
}

// joinNew takes in a member that has no id yet.
func (g *group) joinNew(s *step, r *joinRequest) {
	if r.InstanceID != nil {
		id := *r.InstanceID + "-" + g.m.newID()
		if old := g.static[*r.InstanceID]; old != nil {
			g.replaceStatic(s, r, old, id)
			return
		}
		g.takeIn(s, r, id)
		return
	}
	id := r.client.ID + "-" + g.m.newID()
	if r.Version < memberIDRequired {
		g.takeIn(s, r, id)
		return
	}
	if g.pendingJoin == nil {
		g.pendingJoin = map[string]*timer{}
	}
	t := &timer{fire: func(s *step) { g.pendingExpired(s, id) }}
	g.pendingJoin[id] = t
	g.m.timers.set(t, s.now.Add(time.Duration(r.SessionTimeoutMillis)*time.Millisecond))
	g.log().Debug("new member is asked to join with its id", "member", id)
	s.refuse(r, id, kerr.MemberIDRequired)
}

// joinAgain takes a join of a member that knows its id.
func (g *group) joinAgain(s *step, r *joinRequest) {
	if g.pendingJoin[r.MemberID] != nil && r.InstanceID == nil {
		g.takeIn(s, r, r.MemberID)
		return
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		s.refuse(r, r.MemberID, err)
		return
	}
	mb := g.byID[r.MemberID]
	switch {
	case g.state == preparingRebalance:
		g.update(s, r, mb, "member joins")
	case g.state == completingRebalance && mb.matches(r.Protocols):
		// It may not have had the answer to its join: here it is again.
		s.join(r.done, g.joined(mb))
	case g.state == stable && g.leader == mb.id:
		// The leader joins to have assignments made anew, for reasons that only it knows.
		g.update(s, r, mb, "leader joins again")
	case g.state == stable && mb.matches(r.Protocols):
		response := g.joined(mb)
		s.join(r.done, response)
	case g.state == empty:
		s.refuse(r, r.MemberID, kerr.UnknownMemberID)
	default:
		g.update(s, r, mb, "member's metadata changed")
	}
}

// takeIn adds a new member.
func (g *group) takeIn(s *step, r *joinRequest, id string) {
	mb := g.newMember(id, r.client, r.JoinGroupRequest)
	mb.isNew = true
	mb.join = r.done
	if g.state == preparingRebalance && g.previous == empty {
		g.memberAdded = true
	}
	g.add(mb)
	g.m.timers.set(&mb.session, s.now.Add(newMemberTimeout))
	g.log().Info("member joins", "member", id, "state", g.state.String(), "reason", r.reason())
	g.rebalanceOrComplete(s, "new member "+id)
}

// update takes over what a known member says and has its join wait.
func (g *group) update(s *step, r *joinRequest, mb *member, why string) {
	g.redescribe(mb, r.JoinGroupRequest)
	g.awaitJoin(s, mb, r.done)
	g.rebalanceOrComplete(s, why+" "+mb.id+": "+r.reason())
}
