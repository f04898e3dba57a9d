package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// replaceStatic puts a static member that starts anew in the place of its predecessor: with a new id, so
// that the predecessor is fenced, and with the old assignment, so that a restart within the session
// timeout moves no partition (KIP-345).
func (g *group) replaceStatic(s *step, r *joinRequest, old *member, id string) {
	formerLeader := g.leader
	before := *old
	g.answerJoin(s, old, joinError(old.id, kerr.FencedInstanceID.Code))
	g.answerSync(s, old, syncError(kerr.FencedInstanceID.Code))
	g.rename(s, old, id)
	old.isNew = false
	g.redescribe(old, r.JoinGroupRequest)
	g.awaitJoin(s, old, r.done)
	g.log().Info("static member is replaced by its successor",
		"instance", *old.instanceID, "member", before.id, "successor", id, "state", g.state.String())
	switch {
	case g.state == stable && g.protocol != nil && g.selectProtocol() == *g.protocol:
		g.keepAssignment(s, r, old, before, formerLeader)
	case g.state == stable:
		g.rebalanceOrComplete(s, "static member "+id+" changes the protocol: "+r.reason())
	case g.state == completingRebalance:
		// The leader may assign to the old id just now: have everyone join again.
		g.prepareRebalance(s, "static member "+id+" comes back: "+r.reason())
	default:
		g.completeJoinIfAll(s)
	}
}

// rename gives a member another id.
func (g *group) rename(s *step, mb *member, id string) {
	delete(g.byID, mb.id)
	if _, ok := g.pendingSync[mb.id]; ok {
		delete(g.pendingSync, mb.id)
		g.pendingSync[id] = struct{}{}
	}
	if g.leader == mb.id {
		g.leader = id
	}
	mb.id = id
	g.byID[id] = mb
	g.keepAlive(s, mb)
}

// keepAssignment records the successor of a static member without a rebalance.
func (g *group) keepAssignment(
	s *step, r *joinRequest, mb *member, before member, formerLeader string,
) {
	response := g.joined(mb)
	if r.Version >= skipAssignment {
		response.SkipAssignment = g.leader == mb.id
	} else {
		// A leader would assign: until KIP-814 it is kept from it by another's name.
		response.LeaderID = formerLeader
		response.Members = nil
	}
	mb.join = nil
	g.awaitingJoin--
	g.topics = g.subscribedTopics()
	s.recordWith(groupRecord(g, (*member).assigned), func(err error) {
		if err != nil {
			g.restore(s, mb, before)
		}
	})
	s.reply(func(err error) {
		if err != nil {
			response = &kmsg.JoinGroupResponse{ErrorCode: code(err), Generation: response.Generation}
		}
		r.done(response)
	})
}

// restore undoes the replacement of a static member whose record was refused.
func (g *group) restore(s *step, mb *member, before member) {
	g.count(mb, -1)
	mb.protocols = before.protocols
	g.count(mb, 1)
	mb.sessionTimeout = before.sessionTimeout
	mb.rebalanceTimeout = before.rebalanceTimeout
	g.topics = g.subscribedTopics()
	g.rename(s, mb, before.id)
}
