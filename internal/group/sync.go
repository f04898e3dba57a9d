package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// syncRequest is a SyncGroup on its way through the machine.
type syncRequest struct {
	*kmsg.SyncGroupRequest
	done func(*kmsg.SyncGroupResponse)
}

// SyncGroup hands in the leader's assignments and hands out each member's; those of the others wait
// for the leader's.
func (g *Groups) SyncGroup(r *kmsg.SyncGroupRequest, done func(*kmsg.SyncGroupResponse)) {
	if r.Group == "" {
		done(syncError(kerr.InvalidGroupID.Code))
		return
	}
	request := &syncRequest{SyncGroupRequest: r, done: done}
	g.command(r.Group,
		func(m *machine, s *step) { m.sync(s, request) },
		func(err error) { done(syncError(code(err))) })
}

func (m *machine) sync(s *step, r *syncRequest) {
	g := m.groups[r.Group]
	if g == nil || g.state == empty {
		s.sync(r.done, syncError(kerr.UnknownMemberID.Code))
		return
	}
	if err := g.validateSync(r); err != nil {
		s.sync(r.done, syncError(err.Code))
		return
	}
	mb := g.byID[r.MemberID]
	switch g.state {
	case preparingRebalance:
		s.sync(r.done, syncError(codeRebalance))
	case stable:
		g.syncedOne(mb)
		s.sync(r.done, g.synced(mb.assignment))
	case completingRebalance:
		g.answerSync(s, mb, syncError(codeRebalance)) // of a connection that is gone
		mb.sync = r.done
		g.syncedOne(mb)
		if g.leader == mb.id {
			g.assign(s, r)
		}
	}
}

func (g *group) validateSync(r *syncRequest) *kerr.Error {
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	switch {
	case r.Generation != g.generation:
		return kerr.IllegalGeneration
	case r.ProtocolType != nil && g.protocolType != "" && *r.ProtocolType != g.protocolType,
		r.Protocol != nil && g.protocol != nil && *r.Protocol != *g.protocol:
		return kerr.InconsistentGroupProtocol
	}
	return nil
}

// syncedOne notes that a member has synced.
func (g *group) syncedOne(mb *member) {
	delete(g.pendingSync, mb.id)
	if len(g.pendingSync) == 0 {
		g.m.timers.cancel(&g.syncTimer)
	}
}

// assign records the generation with the leader's assignments; once it is appended the group is stable.
func (g *group) assign(s *step, r *syncRequest) {
	assignments := make(map[string][]byte, len(r.GroupAssignment))
	for _, a := range r.GroupAssignment {
		assignments[a.MemberID] = a.MemberAssignment
	}
	missing := 0
	for _, mb := range g.members {
		if _, ok := assignments[mb.id]; !ok {
			missing++
		}
	}
	g.log().Info("leader has assigned", "generation", g.generation, "leader", g.leader,
		"members", len(g.members), "withoutAssignment", missing)
	assigned := func(mb *member) []byte { return assignments[mb.id] }
	s.recordWith(groupRecord(g, assigned), func(err error) { g.becomeStable(s, assigned, err) })
	for _, mb := range g.members {
		if mb.sync != nil {
			g.answerSync(s, mb, g.synced(assigned(mb)))
		}
	}
}

// becomeStable ends what assign began.
func (g *group) becomeStable(s *step, assignment func(*member) []byte, err error) {
	if err != nil {
		g.resetAssignments(s, code(err))
		g.prepareRebalance(s, "the generation was not recorded: "+err.Error())
		return
	}
	for _, mb := range g.members {
		mb.assignment = assignment(mb)
		if _, waiting := g.pendingSync[mb.id]; !waiting {
			g.keepAlive(s, mb)
		}
	}
	g.transition(s, stable)
	g.m.counters.Rebalances.Add(1)
}
