package group

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a member of a classic group.
type member struct {
	id         string
	instanceID *string // of a static member (KIP-345), else nil
	client     Client

	protocolType     string
	protocols        []protocol
	rebalanceTimeout time.Duration
	sessionTimeout   time.Duration

	assignment []byte
	isNew      bool // has not had an answer to its first join: it can't heartbeat yet

	join    func(*kmsg.JoinGroupResponse) // set while its join waits for the phase to end
	sync    func(*kmsg.SyncGroupResponse) // set while its sync waits for the leader's
	session timer
}

// newMember returns a member as it asked to join.
func (g *group) newMember(id string, c Client, r *kmsg.JoinGroupRequest) *member {
	mb := &member{
		id:           id,
		instanceID:   r.InstanceID,
		client:       c,
		protocolType: r.ProtocolType,
	}
	mb.describe(r)
	g.watch(mb)
	return mb
}

// watch makes the session timer of a member act on it.
func (g *group) watch(mb *member) {
	mb.session.fire = func(s *step) { g.sessionExpired(s, mb) }
}

// describe takes over what a join says about a member that is not in the group now.
func (mb *member) describe(r *kmsg.JoinGroupRequest) {
	mb.protocols = r.Protocols
	mb.sessionTimeout = time.Duration(r.SessionTimeoutMillis) * time.Millisecond
	mb.rebalanceTimeout = time.Duration(r.RebalanceTimeoutMillis) * time.Millisecond
	if r.Version == 0 { // which had one timeout for both
		mb.rebalanceTimeout = mb.sessionTimeout
	}
}

// redescribe takes over what a join says about a member of the group.
func (g *group) redescribe(mb *member, r *kmsg.JoinGroupRequest) {
	g.count(mb, -1)
	mb.describe(r)
	g.count(mb, 1)
}

// matches reports whether the member asked for the same protocols with the same metadata before.
func (mb *member) matches(protocols []protocol) bool {
	if len(mb.protocols) != len(protocols) {
		return false
	}
	for i, p := range mb.protocols {
		if p.Name != protocols[i].Name || !bytes.Equal(p.Metadata, protocols[i].Metadata) {
			return false
		}
	}
	return true
}

// metadata is what the member says under a protocol: nil if it does not speak it.
func (mb *member) metadata(protocol string) []byte {
	for _, p := range mb.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// failWaiting answers a waiting join or sync with an error, at once.
func (mb *member) failWaiting(errorCode int16) {
	if done := mb.join; done != nil {
		mb.join = nil
		done(joinError(mb.id, errorCode))
	}
	if done := mb.sync; done != nil {
		mb.sync = nil
		done(syncError(errorCode))
	}
}

// answerJoin answers a waiting join, if there is one.
func (g *group) answerJoin(s *step, mb *member, response *kmsg.JoinGroupResponse) {
	if mb.join == nil {
		return
	}
	s.join(mb.join, response)
	mb.join = nil
	g.awaitingJoin--
}

// answerSync answers a waiting sync, if there is one.
func (g *group) answerSync(s *step, mb *member, response *kmsg.SyncGroupResponse) {
	if mb.sync == nil {
		return
	}
	s.sync(mb.sync, response)
	mb.sync = nil
}

// awaitJoin has a member's join wait for the phase to end; nil has none wait.
func (g *group) awaitJoin(s *step, mb *member, done func(*kmsg.JoinGroupResponse)) {
	// One that waited before is of a connection that is gone, or of a client that asks twice.
	g.answerJoin(s, mb, joinError(mb.id, codeRebalance))
	mb.join = done
	if done != nil {
		g.awaitingJoin++
	}
}

// assigned is the member's assignment in the current generation.
func (mb *member) assigned() []byte { return mb.assignment }
