package group

import (
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// state of a classic group. A group that isn't known is called Dead on the wire.
type state uint8

const (
	// empty: no members; perhaps offsets.
	empty state = iota
	// preparingRebalance: members are called to join, and those that have wait for the rest.
	preparingRebalance
	// completingRebalance: all have joined; their leader is assigning.
	completingRebalance
	// stable: members have their assignments and heartbeat.
	stable
)

const stateDead = "Dead"

func (s state) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}[s]
}

// group is one classic group. A group that only ever had offsets committed to it is a simple group: empty
// and without a protocol type.
type group struct {
	m  *machine
	id string

	state      state
	previous   state
	stateSince time.Time // zero when a record of an old version did not say

	protocolType string // "" for none
	protocol     *string
	generation   int32
	leader       string // a member's id, "" for none

	members     []*member // in the order of joining
	byID        map[string]*member
	static      map[string]*member // by instance id
	pendingJoin map[string]*timer  // ids given out by MEMBER_ID_REQUIRED, with their expiry
	pendingSync map[string]struct{}

	spoken       map[string]int // how many members speak each protocol
	awaitingJoin int            // members whose join waits
	memberAdded  bool

	// topics are those that the members subscribe to: nil while unknown.
	topics map[string]struct{}

	joinTimer timer // the end of a join phase
	syncTimer timer // the end of the wait for members to sync

	initialDelay     time.Duration // of the last stretch of the initial rebalance
	initialRemaining time.Duration // by how much it may yet be stretched

	offsets offsets
}

func newGroup(m *machine, id string, now time.Time) *group {
	g := &group{m: m, id: id, stateSince: now}
	g.syncTimer.fire = g.expireSync
	return g
}

// log names the group. It is made for each line: there may be very many groups, and few speak.
func (g *group) log() *slog.Logger { return g.m.logger.With("group", g.id) }

// transition enters a state.
func (g *group) transition(s *step, to state) {
	g.previous, g.state = g.state, to
	g.stateSince = s.now
}

// add takes in a member, which may be waiting for the join phase to end.
func (g *group) add(mb *member) {
	if len(g.members) == 0 {
		g.protocolType = mb.protocolType
	}
	if g.leader == "" {
		g.leader = mb.id
	}
	if g.byID == nil {
		g.byID = map[string]*member{}
	}
	g.members = append(g.members, mb)
	g.byID[mb.id] = mb
	g.count(mb, 1)
	if mb.instanceID != nil {
		if g.static == nil {
			g.static = map[string]*member{}
		}
		g.static[*mb.instanceID] = mb
	}
	if mb.join != nil {
		g.awaitingJoin++
	}
	g.dropPending(mb.id)
}

// drop takes out a member or a pending one; another becomes the leader if it was.
func (g *group) drop(memberID string) {
	if mb := g.byID[memberID]; mb != nil {
		g.m.timers.cancel(&mb.session)
		delete(g.byID, memberID)
		g.count(mb, -1)
		g.members = slices.DeleteFunc(g.members, func(x *member) bool { return x == mb })
		if mb.instanceID != nil && g.static[*mb.instanceID] == mb {
			delete(g.static, *mb.instanceID)
		}
		if mb.join != nil {
			g.awaitingJoin--
		}
	}
	if g.leader == memberID {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
	g.dropPending(memberID)
	delete(g.pendingSync, memberID)
}

func (g *group) dropPending(memberID string) {
	if t := g.pendingJoin[memberID]; t != nil {
		g.m.timers.cancel(t)
		delete(g.pendingJoin, memberID)
	}
}

// stopTimers cancels every timer of the group.
func (g *group) stopTimers() {
	g.m.timers.cancel(&g.joinTimer)
	g.m.timers.cancel(&g.syncTimer)
	for _, t := range g.pendingJoin {
		g.m.timers.cancel(t)
	}
	for _, mb := range g.members {
		g.m.timers.cancel(&mb.session)
	}
}

// validate checks that a request speaks for a member of the group, a static one for itself (KIP-345).
func (g *group) validate(memberID string, instanceID *string) *kerr.Error {
	if instanceID != nil {
		known := g.static[*instanceID]
		if known == nil {
			return kerr.UnknownMemberID
		}
		if known.id != memberID {
			g.log().Info("static member is fenced by its successor",
				"instance", *instanceID, "member", memberID, "successor", known.id)
			return kerr.FencedInstanceID
		}
	}
	if g.byID[memberID] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

// allJoined reports whether every member waits for the join phase to end and none is expected.
func (g *group) allJoined() bool {
	return len(g.members) == g.awaitingJoin && len(g.pendingJoin) == 0
}

// rebalanceTimeout is the longest of the members'.
func (g *group) rebalanceTimeout() time.Duration {
	longest := time.Duration(0)
	for _, mb := range g.members {
		longest = max(longest, mb.rebalanceTimeout)
	}
	return longest
}

// keepAlive starts a member's session anew.
func (g *group) keepAlive(s *step, mb *member) {
	g.m.timers.set(&mb.session, s.now.Add(mb.sessionTimeout))
}
