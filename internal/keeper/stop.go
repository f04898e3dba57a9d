package keeper

import (
	"context"
	"errors"
	"time"

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
	said, began := false, time.Now()
	for {
		server := m.running()
		if server == nil || len(m.options.Servers) == 1 {
			return false
		}
		self := uint64(server.MemberID())
		for _, member := range server.Cluster().Members() {
			if uint64(member.ID) != self && numberOf(member.Name) == m.options.Number && !member.IsLearner {
				return true
			}
		}
		m.mu.Lock()
		waiting := time.Since(m.newcomer) < waits
		m.mu.Unlock()
		if !waiting && !m.admittedSuccessor(server) && !m.expects(ctx, time.Since(began)) {
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

func (m *Member) admittedSuccessor(server *etcdServer) bool {
	for _, member := range server.Cluster().Members() {
		if member.ID != server.MemberID() && numberOf(member.Name) == m.options.Number {
			return true
		}
	}
	return false
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
	_, err := server.RemoveMember(ctx, uint64(server.MemberID()))
	switch {
	case err == nil, errors.Is(err, membership.ErrIDNotFound), errors.Is(err, etcderrors.ErrStopped):
		m.logger.Info("keeper: its successor is in its place, and it has left", "keeper", m.options.Number)
		m.tell(false, "KeeperSucceeded", "keeper %d has left: its successor is in its place", m.options.Number)
	default:
		m.logger.Warn("keeper: it could not leave the ensemble; its successor will see to it", "error", err)
	}
}

var errNobodyConnected = errors.New("no other keeper that counts is connected")

// handOn gives the leadership to the member that has been connected for longest, if this one leads. etcd's own way tries
// for as long as a request may take, six seconds; raft gives a transfer up after the time of an election.
func (m *Member) handOn(ctx context.Context, server *etcdServer) error {
	self := server.MemberID()
	if server.Leader() != self {
		return nil
	}
	transport, err := transportOf(server)
	if err != nil {
		return server.TryTransferLeadershipOnShutdown()
	}
	var best uint64
	var since time.Time
	others := false
	for _, member := range server.Cluster().Members() {
		if member.ID == self || member.IsLearner {
			continue
		}
		others = true
		if at := transport.ActiveSince(member.ID); !at.IsZero() && (since.IsZero() || at.Before(since)) {
			best, since = uint64(member.ID), at
		}
	}
	switch {
	case !others:
		return nil
	case best == 0:
		return errNobodyConnected
	}
	ctx, cancel := context.WithTimeout(ctx, 2*ensembleElectionTicks*m.options.Tick)
	defer cancel()
	return server.MoveLeader(ctx, uint64(self), best)
}
