package keeper

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"
)

// waits is for how long a newcomer that called counts as waiting.
const waits = 3 * time.Second

// Stop ends the member. With a newcomer of the same number waiting, or about to, it stays until that one has joined, learnt and
// been promoted, and then takes itself out; several members that are told to stop at once go one after another so.
// Otherwise it hands its leadership on and ends; its directory is of use to the next start. When ctx ends first, it
// ends at once.
func (m *Member) Stop(ctx context.Context) {
	m.leaving.Store(true)
	if m.succession(ctx) {
		m.leave(ctx)
	}
	m.cancel()
	<-m.done
}

// succession waits for the successor to be in place; false if there is none.
func (m *Member) succession(ctx context.Context) bool {
	said, began, learners := false, time.Now(), map[types.ID]time.Time{}
	for {
		server := m.running()
		if server == nil || len(m.options.Servers) == 1 {
			return false
		}
		inPlace, admitted := m.successor(ctx, server, learners)
		if inPlace {
			return true
		}
		m.mu.Lock()
		waiting := time.Since(m.newcomer) < waits
		m.mu.Unlock()
		if !waiting && !admitted && !m.expects(ctx, time.Since(began)) {
			return false
		}
		if !said {
			said = true
			m.logger.Info("keeper: told to stop; it stays until the newcomer with its number is in its place", "keeper", m.options.Number)
		}
		select {
		case <-ctx.Done():
			m.logger.Warn("keeper: it goes before its successor is in its place", "keeper", m.options.Number)
			return false
		case <-m.done:
			return false
		case <-time.After(watchEvery):
		}
	}
}

// successor tells whether another member of the own number is in its place, or on its way there. One that counts and is
// gone came before this one; one that has been told to stop itself takes nobody's place. learners are those that were
// admitted, and since when that is known.
func (m *Member) successor(ctx context.Context, server *etcdServer, learners map[types.ID]time.Time) (inPlace, admitted bool) {
	var others []*membership.Member
	for _, member := range server.Cluster().Members() {
		if member.ID != server.MemberID() && numberOf(member.Name) == m.options.Number {
			others = append(others, member)
		}
	}
	if len(others) == 0 {
		return false, false
	}
	lives := m.visitAll(ctx, others)
	for _, member := range others {
		s, alive := lives[uint64(member.ID)]
		if !member.IsLearner {
			inPlace = inPlace || alive && !s.Leaving
			continue
		}
		if _, known := learners[member.ID]; !known {
			learners[member.ID] = time.Now()
		}
		admitted = admitted || alive || time.Since(learners[member.ID]) < beginWithin // it makes its directory just now
	}
	return inPlace, admitted
}

// leaveWithin bounds the steps of leaving.
const leaveWithin = 5 * time.Second

// leave hands the leadership on and takes the member out.
func (m *Member) leave(ctx context.Context) {
	server := m.running()
	if server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveWithin)
	defer cancel()
	if err := m.handOn(ctx, server); err != nil {
		m.logger.Warn("keeper: the leadership was not handed on", "keeper", m.options.Number, "why", err)
	}
	m.clients.detach() // they turn to its successor; and etcd fails on what a member is asked that is none any more
	m.tellLeft(takeOut(ctx, server, uint64(server.MemberID()), leaveWithin))
}

// tellLeft tells that the member ends with its successor in its place, whether it could take itself out or not.
func (m *Member) tellLeft(err error) {
	if err == nil || errors.Is(err, etcderrors.ErrStopped) {
		m.logger.Info("keeper: its successor is in its place, and it has left", "keeper", m.options.Number)
		m.tell(false, "KeeperSucceeded", "keeper %d has left: its successor is in its place", m.options.Number)
		return
	}
	m.logger.Warn("keeper: it could not leave the ensemble; whoever leads will see to it", "keeper", m.options.Number, "error", err)
	m.tell(false, "KeeperSucceeded", "keeper %d ends: its successor is in its place, and whoever leads will take it out", m.options.Number)
}

var errNobodyConnected = errors.New("no other keeper that counts is connected")

// handOn gives the leadership to a member that answers, if this one leads: rather to one that stays than to one that has
// been told to stop, and rather to one that has been connected for long. etcd's own way tries for as long as a request may take,
// six seconds; raft gives a transfer up after the time of an election.
func (m *Member) handOn(ctx context.Context, server *etcdServer) error {
	self := server.MemberID()
	if server.Leader() != self || server.Cluster().Member(self) == nil {
		return nil
	}
	transport, err := transportOf(server)
	if err != nil {
		return server.TryTransferLeadershipOnShutdown()
	}
	var others []*membership.Member
	for _, member := range server.Cluster().Members() {
		if member.ID != self && !member.IsLearner {
			others = append(others, member)
		}
	}
	if len(others) == 0 {
		return nil
	}
	err = errNobodyConnected
	for _, next := range m.takers(ctx, others, transport.ActiveSince) {
		within, cancel := context.WithTimeout(ctx, ensembleElectionTicks*m.options.Tick)
		err = server.MoveLeader(within, uint64(self), uint64(next))
		cancel()
		if err == nil || server.Leader() != self {
			return nil
		}
	}
	return err
}

// maxTakers is how many members a leader tries to hand the leadership to.
const maxTakers = 2

// takers are whom the leadership may be handed to, the best first.
func (m *Member) takers(ctx context.Context, others []*membership.Member, since func(types.ID) time.Time) []types.ID {
	lives := m.visitAll(ctx, others)
	rank := func(member *membership.Member) int {
		switch s, alive := lives[uint64(member.ID)]; {
		case since(member.ID).IsZero():
			return 3
		case !alive:
			return 2
		case s.Leaving:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(others, func(a, b *membership.Member) int {
		return cmp.Or(rank(a)-rank(b), since(a.ID).Compare(since(b.ID)))
	})
	var takers []types.ID
	for _, member := range others {
		if rank(member) < 3 && len(takers) < maxTakers {
			takers = append(takers, member.ID)
		}
	}
	return takers
}
