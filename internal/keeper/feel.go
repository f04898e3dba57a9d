package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"barnabas/internal/keeper/rollcall"
)

const (
	// feelAgain is the pause before a leader is called again whose connection came to nothing.
	feelAgain = 100 * time.Millisecond
	// refusedTwice is how often in a row the address of a leader that was never reached has to refuse for its process to
	// count as dead.
	refusedTwice = 2
	// lookAgain and looks bound how often an address is asked that neither refuses nor answers: a process is dying there.
	lookAgain = 5 * time.Millisecond
	looks     = 10
	// hurryTick and hurryFor are the tick, and for how long, of one that knows that the leader is dead.
	hurryTick = 2 * time.Millisecond
	hurryFor  = 300 * time.Millisecond
)

// feel notices at once that the leader's process has died, long before its silence would tell: a connection to its
// roll-call breaks, and who is called there next refuses, or is another process. It goes on until ctx ends.
func (m *Member) feel(ctx context.Context, server *etcdServer) {
	refusals := 0
	for ctx.Err() == nil {
		changed := server.LeaderChangedNotify()
		leader, known := m.leaderOf(server)
		if !known {
			refusals = 0
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		run, err := m.hold(ctx, changed, leader)
		switch {
		case run != "":
			refusals = 0
			if m.gone(ctx, leader, run) {
				m.bury(leader.id)
			}
		case errors.Is(err, syscall.ECONNREFUSED):
			if refusals++; refusals >= refusedTwice {
				refusals = 0
				m.bury(leader.id)
			}
		default:
			refusals = 0
		}
		timer := time.NewTimer(feelAgain)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// leaderAt is a leader, and where it holds its roll-calls.
type leaderAt struct {
	id      types.ID
	number  int
	address string
}

// leaderOf is the leader that this member follows, if it does.
func (m *Member) leaderOf(server *etcdServer) (l leaderAt, known bool) {
	l.id = server.Leader()
	member := server.Cluster().Member(l.id)
	if member == nil || l.id == server.MemberID() {
		return l, false
	}
	l.number = numberOf(member.Name)
	l.address = m.hallOf(l.number, strings.TrimPrefix(first(member.PeerURLs), "http://"))
	return l, l.address != ""
}

// hold keeps a connection to the leader until it breaks, or somebody else leads. It returns which process that was,
// "" if it was none that leads.
func (m *Member) hold(ctx context.Context, changed <-chan struct{}, leader leaderAt) (run string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	conn, err := (&net.Dialer{Timeout: askWithin}).DialContext(ctx, "tcp", leader.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(askWithin))
	var a answer
	if err := exchange(conn, question{Number: leader.number, Hold: true, From: m.standing()}, &a); err != nil {
		return "", err
	}
	if a.Self == nil || a.Self.Log == nil || a.Self.Log.Member != uint64(leader.id) {
		return "", nil
	}
	_ = conn.SetDeadline(time.Time{})
	for err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return a.Self.Run, err
}

// gone tells whether a process is no more whose connection has broken: its address refuses, or another process has it.
func (m *Member) gone(ctx context.Context, leader leaderAt, run string) bool {
	for range looks {
		a, err := m.ask(ctx, leader.address, question{Number: leader.number}, askWithin)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			return true
		case a.Self != nil:
			return a.Self.Run != run
		case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
			return false
		}
		pause(ctx, lookAgain)
	}
	return false
}

// bury has the goroutine that decides know that the leader is dead.
func (m *Member) bury(leader types.ID) {
	m.dead.Store(uint64(leader))
	m.called()
}

// hurry has the time until an election pass quickly once the leader is known to be dead. So do the others, or they don't
// vote: one that was mistaken asks for votes that it does not get.
func (m *Member) hurry(ctx context.Context, server *etcdServer) {
	dead := types.ID(m.dead.Swap(0))
	if dead == 0 || server.Leader() != dead {
		return
	}
	if m.pace == nil {
		return // it takes its time
	}
	m.logger.Info("keeper: the leader's process is gone, another one is elected", "keeper", m.options.Number)
	m.pace.hurry(true)
	for end := time.Now().Add(hurryFor); (server.Leader() == dead || server.Leader() == 0) && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, hurryTick)
	}
	m.pace.hurry(false)
}

// exchange puts a question to a connection and reads the answer.
func exchange(conn net.Conn, q question, a *answer) error {
	q.Version = rollcall.Version
	line, err := json.Marshal(q)
	if err != nil {
		return err
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return err
	}
	return readLine(conn, a)
}
