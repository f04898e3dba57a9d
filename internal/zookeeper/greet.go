package zookeeper

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"time"

	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// passwordLength is that of a session's password.
const passwordLength = 16

// greet takes the first packet and gives the client its session; false if the connection is to end.
func (c *conn) greet(length int32) bool {
	s := c.server
	frame, err := jute.ReadFrame(c.in, length, jute.MaxBuffer)
	if err != nil {
		c.complain(err)
		return false
	}
	r := jute.NewReader(frame)
	request := r.Connect()
	if r.Err() != nil || request.ProtocolVersion != 0 {
		s.log.Warn("zookeeper: a client does not speak ZooKeeper's protocol here; Kafka's is spoken at a broker's port",
			"client", c.net.RemoteAddr())
		return false
	}
	ctx, cancel := context.WithTimeout(s.ctx, helloWithin)
	defer cancel()
	if err := s.ready(ctx, request.LastZxidSeen); err != nil {
		s.log.Info("zookeeper: a client is sent to another keeper", "client", c.net.RemoteAddr(),
			"seen", hexID(request.LastZxidSeen), "reason", err)
		return false
	}
	timeout := min(max(time.Duration(request.TimeoutMs)*time.Millisecond, s.options.MinSessionTimeout), s.options.MaxSessionTimeout)
	answer := jute.ConnectResponse{
		TimeoutMs: int32(timeout.Milliseconds()), SessionID: request.SessionID, Password: request.Password,
		HasReadOnly: request.HasReadOnly,
	}
	if request.SessionID == 0 {
		answer.SessionID, answer.Password = newSession()
	}
	welcome := make(chan bool, 1)
	err = s.submit(&write{
		try: func(d *tree.Draft) tree.Result {
			if request.SessionID != 0 {
				return d.MoveSession(answer.SessionID, answer.Password, s.id, answer.TimeoutMs)
			}
			return d.OpenSession(answer.SessionID, tree.Session{
				Password: answer.Password, TimeoutMs: answer.TimeoutMs, Keeper: s.id,
			})
		},
		done: func(result tree.Result, err error) {
			if err == nil {
				c.welcome(answer, result.Code)
			}
			welcome <- err == nil && result.Code == jute.OK
		},
	})
	if err != nil {
		return false
	}
	select {
	case ok := <-welcome:
		return ok
	case <-s.ctx.Done():
		return false
	}
}

// welcome answers the first packet; the replica's lock is held. A session that is over is answered with none.
func (c *conn) welcome(answer jute.ConnectResponse, code jute.Code) {
	s := c.server
	if code != jute.OK {
		answer.TimeoutMs, answer.SessionID, answer.Password = 0, 0, make([]byte, passwordLength)
	} else {
		l := s.sessions[answer.SessionID]
		if l == nil {
			l = s.newLocal(answer.SessionID)
		}
		if l.conn != nil && l.conn != c {
			l.conn.abort() // the client has come again: its old connection is of no use
		}
		l.conn, l.timeout = c, time.Duration(answer.TimeoutMs)*time.Millisecond
		l.heard.Store(int64(time.Since(s.started)))
		c.local = l
		c.session.Store(answer.SessionID)
	}
	frame, start := jute.Framed(nil)
	c.enqueue(jute.End(answer.Append(frame), start))
	s.stats.sent.Add(1)
	c.tally.sent.Add(1)
}

// newSession is an id and a password that nobody knows. The first byte of an id is never one that tells a container or a
// TTL node from an ephemeral one.
func newSession() (int64, []byte) {
	var b [8 + passwordLength]byte
	_, _ = rand.Read(b[:])
	b[0] = 1 + b[0]%0x7e
	return int64(binary.BigEndian.Uint64(b[:8])), b[8:]
}

// ready waits until this keeper serves and knows everything that a client has seen. One that has seen what the ensemble
// itself no longer knows is let in: its newest changes were lost with the keepers that held them.
func (s *Server) ready(ctx context.Context, seen int64) error {
	r := s.replica
	if err := r.await(ctx, func() bool { return true }); err != nil {
		return err
	}
	r.mu.RLock()
	behind := r.tree == nil || r.tree.Zxid() < seen
	r.mu.RUnlock()
	if !behind {
		return nil
	}
	if err := r.sync(ctx); err != nil {
		return err
	}
	return r.await(ctx, func() bool {
		if r.tree.Zxid() < seen {
			s.log.Warn("zookeeper: a client has seen changes that the ensemble does not have", "seen", hexID(seen),
				"zxid", hexID(r.tree.Zxid()))
		}
		return true
	})
}
