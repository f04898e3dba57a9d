package keeper

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	// feelEvery is how often a member that follows looks whether the leader's process is there.
	feelEvery = 100 * time.Millisecond
	// refusedTwice is how often the leader's address has to refuse in a row for its process to count as dead.
	refusedTwice = 2
	// hurryTick and hurryFor are the heartbeat, and for how long, of one that knows that the leader is dead.
	hurryTick = time.Millisecond
	hurryFor  = 300 * time.Millisecond
)

// feel notices at once that the leader's process has died: its address refuses connections, long before its silence
// would tell. The member then lets the time of the election pass quickly; so do the others, or they don't
// vote. One that was mistaken asks for votes that it does not get.
func (m *Member) feel(ctx context.Context, server *etcdServer) {
	leader := server.Leader()
	if leader == server.MemberID() {
		m.refusals.Store(0)
		return
	}
	if m.refusals.Load() >= refusedTwice {
		m.refusals.Store(0)
		m.hurry(ctx, server)
		return
	}
	if time.Since(m.lastFelt) < feelEvery || !m.feeling.TryLock() {
		return
	}
	m.lastFelt = time.Now()
	address := ""
	if known := server.Cluster().Member(leader); known != nil {
		address = m.hallOf(numberOf(known.Name), strings.TrimPrefix(first(known.PeerURLs), "http://"))
	}
	m.background.Go(func() {
		defer m.feeling.Unlock()
		if address == "" {
			return
		}
		within, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(within, "tcp", address)
		switch {
		case err == nil:
			conn.Close()
			m.refusals.Store(0)
		case errors.Is(err, syscall.ECONNREFUSED):
			m.refusals.Add(1)
			m.called()
		}
	})
}

// hurry has the time until an election pass quickly.
func (m *Member) hurry(ctx context.Context, server *etcdServer) {
	t, err := ticker(server)
	if err != nil {
		return // it takes its time
	}
	dead := server.Leader()
	m.logger.Info("keeper: the leader's process is gone, another one is elected", "keeper", m.options.Number)
	t.Reset(hurryTick)
	for end := time.Now().Add(hurryFor); (server.Leader() == dead || server.Leader() == 0) && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, hurryTick)
	}
	t.Reset(m.options.Tick)
}
