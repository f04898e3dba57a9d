package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"

	"barnabas/internal/keeper/rollcall"
)

// answer answers another member's question.
func (m *Member) answer(ctx context.Context, q question, from string) answer {
	self := m.standing()
	if server := m.running(); server != nil && self.Log.Leads() && q.From.Log != nil && !q.From.Running {
		self.Had = progressOf(server, q.From.Log.Member)
	}
	a := answer{Self: &self, Seen: from}
	if q.Number != m.options.Number {
		a.Refused = fmt.Sprintf("this is keeper %d: the address that was given for keeper %d leads here", m.options.Number, q.Number)
		return a
	}
	for _, s := range m.options.Servers {
		if s.Number == q.From.Number {
			a.Known = s.Host
		}
	}
	if q.Heir || q.From.Number == m.options.Number && q.From.Run != m.run && q.From.Log == nil {
		m.mu.Lock()
		m.newcomer = time.Now()
		m.mu.Unlock()
	}
	switch {
	case q.Charter != nil:
		if err := m.receive(ctx, *q.Charter); err != nil {
			a.Refused = err.Error()
		}
	case q.Admit:
		admission, successor, err := m.admit(ctx, q.From)
		a.Admission, a.Successor = admission, successor
		if err != nil {
			a.Refused = err.Error()
		}
	case len(q.Seek) > 0:
		a.Found = m.find(ctx, q.Seek)
	case q.From.Run != m.run && m.running() == nil:
		m.called()
	}
	m.meet(q.From)
	return a
}

// called has the next round come at once: somebody is there who may not have been before.
func (m *Member) called() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// meet notes where a member that calls says that it is, and whom it knows. A name may lead to a newcomer while the member
// of that name lives: it hears of it only so.
func (m *Member) meet(from rollcall.Standing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heed(&from)
	if from.Log != nil && !from.Log.Newborn && (m.server == nil || m.id.Newborn) {
		if m.acquainted == nil {
			m.acquainted = map[string]int{}
		}
		if len(m.acquainted) > maxAcquainted {
			clear(m.acquainted)
		}
		m.acquainted[from.Peer] = from.Number
		for _, member := range from.Log.Members {
			m.acquainted[member.Peer] = member.Number
		}
	}
	if m.server != nil && from.Log != nil && from.Peer != "" && from.Log.Ensemble == m.id.Ensemble {
		m.redirect(from.Log.Member, from.Peer)
	}
}

// maxAcquainted bounds the members that are remembered.
const maxAcquainted = 64

// receive hands a charter to the goroutine that decides.
func (m *Member) receive(ctx context.Context, c charter) error {
	f := founding{c, make(chan error, 1)}
	select {
	case m.charter <- f:
	case <-m.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-f.result:
		return err
	case <-m.done:
		return ErrStopped
	}
}

// admit takes a newcomer into the ensemble, in the place of the member of its number. The leader does it, for one
// newcomer at a time. A member that serves under the number is not driven out: its successor waits until it leaves.
func (m *Member) admit(ctx context.Context, from rollcall.Standing) (a *admission, successor bool, err error) {
	server := m.running()
	if server == nil || server.Leader() != server.MemberID() {
		return nil, false, errors.New("the leader, which this keeper is no more")
	}
	if from.Peer == "" {
		return nil, false, fmt.Errorf("keeper %d to learn its own address", from.Number)
	}
	if from.Number == m.options.Number && !m.leaving.Load() {
		return nil, true, errServed(from.Number, m.peerAddress())
	}
	for end := time.Now().Add(askWithin); !m.admitting.TryLock(); pause(ctx, watchEvery) {
		if time.Now().After(end) || ctx.Err() != nil {
			return nil, false, errors.New("another keeper, which is being admitted")
		}
	}
	defer m.admitting.Unlock()
	within, cancel := context.WithTimeout(ctx, askWithin)
	err = server.LinearizableReadNotify(within)
	cancel()
	if err != nil {
		return nil, false, fmt.Errorf("keeper %d, which leads and has no quorum", m.options.Number)
	}
	for _, member := range server.Cluster().Members() {
		peer := strings.TrimPrefix(first(member.PeerURLs), "http://")
		gone, err := m.makeRoom(ctx, rollcall.Member{
			ID: uint64(member.ID), Number: numberOf(member.Name), Peer: peer, Learner: member.IsLearner,
		}, from)
		if err != nil {
			return nil, errors.Is(err, errInPlace), err
		}
		if !gone {
			continue
		}
		m.logger.Info("keeper: a member is taken out, whose place a newcomer takes", "keeper", numberOf(member.Name), "address", peer)
		if err := takeOut(ctx, server, uint64(member.ID), agreeWithin); err != nil {
			return nil, false, fmt.Errorf("keeper %d to be taken out (%w)", numberOf(member.Name), err)
		}
	}
	return m.add(ctx, server, from)
}

// errInPlace is in an error that says that the place is taken by a member that serves.
var errInPlace = errors.New("to be told to stop: it serves in this one's place")

func errServed(number int, at string) error {
	return fmt.Errorf("keeper %d at %s %w", number, at, errInPlace)
}

// makeRoom tells whether a member has to go for a newcomer to come in.
func (m *Member) makeRoom(ctx context.Context, member rollcall.Member, from rollcall.Standing) (gone bool, err error) {
	if member.Number != from.Number && !member.Learner {
		return false, nil
	}
	if member.Number == from.Number && member.Peer == from.Peer {
		return true, nil // the newcomer has its address: it can't be there any more
	}
	standing, alive := m.visit(ctx, member, member.Number == from.Number)
	if member.Learner && !alive && m.admitted.id == member.ID && time.Since(m.admitted.at) < beginWithin {
		alive = true // it makes its directory just now
	}
	switch {
	case !alive:
		return true, nil
	case member.Number != from.Number:
		return false, fmt.Errorf("keeper %d, which is being admitted", member.Number)
	case member.Learner:
		return false, fmt.Errorf("keeper %d at %s, which is being admitted under the same number", member.Number, member.Peer)
	case standing.Leaving:
		return false, nil // it goes by itself, when its successor is level
	}
	return false, errServed(member.Number, member.Peer)
}

// visit asks a member at its own address whether it is still the one, and tells it of a newcomer that waits for its place:
// that one counts as ready from now on, and whoever tells the member to stop relies on its knowing.
func (m *Member) visit(ctx context.Context, member rollcall.Member, heir bool) (rollcall.Standing, bool) {
	if member.Peer == m.peerAddress() {
		s := m.standing()
		return s, s.Log != nil && s.Log.Member == member.ID // and not one that was here before
	}
	address := m.hallOf(member.Number, member.Peer)
	if address == "" {
		return rollcall.Standing{}, false
	}
	a, err := m.ask(ctx, address, question{Number: member.Number, Heir: heir}, visitWithin)
	if err != nil || a.Self == nil || a.Self.Log == nil || a.Self.Log.Member != member.ID {
		return rollcall.Standing{}, false
	}
	return *a.Self, true
}

// beginWithin is how long a newcomer that was admitted may take to begin.
const beginWithin = 5 * time.Second

// visitWithin is how long a member may take to say that it lives, before its place is given away.
const visitWithin = 2 * time.Second

// add makes the newcomer a learner.
func (m *Member) add(ctx context.Context, server *etcdServer, from rollcall.Standing) (*admission, bool, error) {
	host, _, err := net.SplitHostPort(from.Peer)
	if err != nil {
		return nil, false, fmt.Errorf("an address, which %q is not", from.Peer)
	}
	urls, err := peerURL(from.Peer)
	if err != nil {
		return nil, false, err
	}
	learner := membership.NewMemberAsLearner(nameOf(from.Number), urls, from.Run+newEnsemble(), nil)
	learner.ClientURLs = []string{"http://" + join(host, from.Client)}
	var members []*membership.Member
	err = agree(ctx, agreeWithin, membership.ErrIDExists, func(ctx context.Context) (err error) {
		members, err = server.AddMember(ctx, *learner)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("the ensemble to agree on it (%w)", err)
	}
	m.logger.Info("keeper: a newcomer is admitted", "keeper", from.Number, "address", from.Peer)
	m.called()
	m.admitted.id, m.admitted.at = uint64(learner.ID), time.Now()
	m.mu.Lock()
	id := m.id
	m.mu.Unlock()
	// One of its number that is still a member leaves when the newcomer is level: it was told to stop.
	successor := slices.ContainsFunc(members, func(other *membership.Member) bool {
		return other.ID != learner.ID && numberOf(other.Name) == from.Number
	})
	return &admission{
		Ensemble: id.Ensemble, Ancestors: id.Ancestors, Cluster: uint64(server.Cluster().ID()),
		Member: uint64(learner.ID), Members: membersOf(members),
	}, successor, nil
}

// usher promotes the newcomer that has caught up. The leader does it. One that has gone again is taken out when the
// next one comes. It tells whether there is a newcomer that has not caught up, and whether a number counts twice.
func (m *Member) usher(ctx context.Context, server *etcdServer) (waiting, twice bool) {
	m.register(ctx, server)
	if server.Leader() != server.MemberID() {
		return false, false
	}
	twice = m.dismiss(ctx, server)
	for _, member := range server.Cluster().Members() {
		if !member.IsLearner {
			continue
		}
		within, cancel := context.WithTimeout(ctx, attemptWithin)
		_, err := server.PromoteMember(within, uint64(member.ID))
		cancel()
		switch {
		case err == nil:
			m.logger.Info("keeper: a newcomer has caught up and counts", "keeper", numberOf(member.Name), "address", first(member.PeerURLs))
		case errors.Is(err, etcderrors.ErrLearnerNotReady):
			waiting = true
		default:
			waiting = true
			m.say("keeper: a newcomer can't be promoted yet", "keeper", numberOf(member.Name), "error", err)
		}
	}
	return waiting, twice
}

// register tells the ensemble the own address where it is not the one that it knows.
func (m *Member) register(ctx context.Context, server *etcdServer) {
	self := server.Cluster().Member(server.MemberID())
	address := "http://" + m.peerAddress()
	if self == nil || self.IsLearner || m.peerAddress() == "" || first(self.PeerURLs) == address {
		return
	}
	within, cancel := context.WithTimeout(ctx, attemptWithin)
	defer cancel()
	_, err := server.UpdateMember(within, membership.Member{
		ID: server.MemberID(), RaftAttributes: membership.RaftAttributes{PeerURLs: []string{address}},
	})
	if err != nil {
		m.say("keeper: the ensemble could not be told the address", "address", address, "error", err)
		return
	}
	m.logger.Info("keeper: the ensemble knows the new address", "keeper", m.options.Number, "address", address)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// idOf is a member's identity as etcd writes it.
func idOf(id uint64) string { return types.ID(id).String() }
