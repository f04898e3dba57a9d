package keeper

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"

	"barnabas/internal/keeper/rollcall"
)

// A member whose successor is in its place takes itself out. Where it could not, and has ended, it would count for ever as
// one that is missing, and its number's next successor would take it for its own.

const (
	// departedEvery is how often the leader looks after numbers that count twice, and departedFor how long one of the two
	// has to be silent until it is taken out.
	departedEvery = 200 * time.Millisecond
	departedFor   = time.Second
	// lookWho is how long a member may take to say that it is there, where others can do without it.
	lookWho = 300 * time.Millisecond
)

// sameNumber are members of one number that count.
type sameNumber []*membership.Member

// dismiss takes members out that are gone while another one of their number counts, and lives, and tells whether there is
// such a number. For the leader.
func (m *Member) dismiss(ctx context.Context, server *etcdServer) (twice bool) {
	byNumber := map[int]sameNumber{}
	for _, member := range server.Cluster().Members() {
		if n := numberOf(member.Name); n != 0 && !member.IsLearner {
			byNumber[n] = append(byNumber[n], member)
			twice = twice || len(byNumber[n]) > 1
		}
	}
	if !twice || time.Since(m.lastDismissal) < departedEvery || !m.dismissing.TryLock() {
		return twice
	}
	m.lastDismissal = time.Now()
	m.background.Go(func() {
		defer m.dismissing.Unlock()
		silent := map[uint64]time.Time{}
		for number, members := range byNumber {
			if len(members) > 1 {
				m.dismissOf(ctx, server, number, members, silent)
			}
		}
		m.silentSince = silent
	})
	return twice
}

// dismissOf does so for one number. m.dismissing is held.
func (m *Member) dismissOf(ctx context.Context, server *etcdServer, number int, members sameNumber, silent map[uint64]time.Time) {
	lives := m.visitAll(ctx, members)
	for _, member := range members {
		id := uint64(member.ID)
		if _, alive := lives[id]; alive || len(lives) == 0 {
			continue
		}
		since, known := m.silentSince[id]
		if !known {
			since = time.Now()
		}
		silent[id] = since
		if time.Since(since) < departedFor || !m.admitting.TryLock() {
			continue
		}
		err := takeOut(ctx, server, id, agreeWithin)
		m.admitting.Unlock()
		if err != nil {
			m.logger.Warn("keeper: a member that has gone could not be taken out", "keeper", number, "member", idOf(id), "error", err)
			continue
		}
		delete(silent, id)
		m.logger.Info("keeper: a member is taken out that has gone, and whose successor is in its place", "keeper", number, "member", idOf(id))
	}
}

// visitAll asks members at their own addresses what they are, all at once, and returns what those say that answer.
func (m *Member) visitAll(ctx context.Context, members []*membership.Member) map[uint64]rollcall.Standing {
	ctx, cancel := context.WithTimeout(ctx, lookWho)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	lives := map[uint64]rollcall.Standing{}
	for _, member := range members {
		all.Go(func() {
			if s, alive := m.visit(ctx, asMember(member), false); alive {
				mu.Lock()
				lives[uint64(member.ID)] = s
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return lives
}

// asMember is a member as the roll-call has it.
func asMember(member *membership.Member) rollcall.Member {
	return membersOf([]*membership.Member{member})[0]
}
