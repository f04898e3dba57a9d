package zookeeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/tree"
)

// Options say how a Server is to be.
type Options struct {
	// Store is the whole of the engine's key space: the tree, of which nobody else writes a key, and the metadata of the
	// clusters, whose picture is shown in it.
	Store metadata.Store
	// Name tells this keeper in the log.
	Name string
	Log  *slog.Logger
	// TickTime is ZooKeeper's unit; sessions last between MinSessionTimeout and MaxSessionTimeout, by default 2 and 20
	// ticks of 2 s.
	TickTime, MinSessionTimeout, MaxSessionTimeout time.Duration
	// Words are the four-letter words that are answered besides srvr; "*" is all of them (4lw.commands.whitelist).
	Words []string
	// PerAddress bounds the connections from one address (maxClientCnxns); 0 is ZooKeeper's 60, less than 0 no bound.
	PerAddress int
	// SuperDigest is the digest identity, "super:…", to which no ACL applies; none if empty.
	SuperDigest string
	// Mode tells what this keeper is: leader, follower or standalone. Port is the one that clients come to.
	Mode func() string
	Port int
	Dir  string
	// AskWithin is how long a cluster's controller has for what a client writes into the cluster's picture; 20 s if 0.
	AskWithin time.Duration
	// Reap is how often containers and TTL nodes are looked at; ZooKeeper's minute if 0.
	Reap time.Duration
}

const (
	// maxConnections bounds the connections of all clients.
	maxConnections = 10000
	// clockEvery is how often sessions are looked at.
	clockEvery = 250 * time.Millisecond
	// leaseTTL is how soon the others know that a keeper is gone.
	leaseTTL = 3 * time.Second
	// helloWithin bounds the time that a connection has to become a session.
	helloWithin = 10 * time.Second
)

// Server speaks ZooKeeper's protocol on connections that it is given.
type Server struct {
	options Options
	log     *slog.Logger
	id      string
	replica *replica
	writer  *writer
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup
	started time.Time
	stats   stats
	// lease is the one that this keeper's key hangs on.
	lease atomic.Int64

	// mu guards the connections; it is never held while the replica's lock is taken.
	mu     sync.Mutex
	conns  map[*conn]struct{}
	byAddr map[string]int
	closed bool

	// sessions are those that this keeper serves, guarded by the replica's lock.
	sessions map[int64]*local
}

// local is a session that this keeper serves.
type local struct {
	timeout time.Duration
	// heard is when the client last spoke, in nanoseconds of time.Since(started).
	heard atomic.Int64
	// conn is nil while the client is not connected. The replica's lock guards it, and ending.
	conn   *conn
	ending bool
}

// New is a Server that has begun to make its copy of the tree.
func New(o Options) *Server {
	if o.TickTime <= 0 {
		o.TickTime = 2 * time.Second
	}
	if o.MinSessionTimeout <= 0 {
		o.MinSessionTimeout = 2 * o.TickTime
	}
	if o.MaxSessionTimeout <= 0 {
		o.MaxSessionTimeout = 20 * o.TickTime
	}
	if o.PerAddress == 0 {
		o.PerAddress = 60
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Mode == nil {
		o.Mode = func() string { return "standalone" }
	}
	if o.AskWithin <= 0 {
		o.AskWithin = askWithin
	}
	if o.Reap <= 0 {
		o.Reap = time.Minute
	}
	s := &Server{
		options: o, log: o.Log, id: newID(o.Name), started: time.Now(),
		conns: make(map[*conn]struct{}), byAddr: make(map[string]int), sessions: make(map[int64]*local),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.replica = newReplica(o.Store, o.Log)
	s.replica.lost, s.replica.applied = s.dropAll, s.sessionsChanged
	s.writer = &writer{
		replica: s.replica, store: o.Store, keeper: s.id, log: o.Log, queue: make(chan *write, queued), now: time.Now,
	}
	for _, run := range []func(context.Context){s.replica.run, s.writer.run, s.keepRegistered, s.runClock} {
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			run(s.ctx)
		}()
	}
	return s
}

// newID is another at every start: sessions of a former life are nobody's until their clients return.
func newID(name string) string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	if name == "" {
		return hex.EncodeToString(b[:])
	}
	return name + "-" + hex.EncodeToString(b[:])
}

// Close ends every connection and stops. Sessions live on for their timeout, for another keeper to take over.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.dropAll()
	s.running.Wait()
}

// dropAll ends every connection.
func (s *Server) dropAll() {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.abort()
	}
	s.replica.mu.Lock()
	if s.replica.tree == nil {
		clear(s.sessions) // the copy that comes next tells who is ours
	}
	s.replica.mu.Unlock()
}

// Serve speaks with one client until the connection ends, which it closes.
func (s *Server) Serve(nc net.Conn) {
	c := newConn(s, nc)
	if why := s.admit(c); why != "" {
		s.log.Warn("zookeeper: a connection was refused", "client", nc.RemoteAddr(), "why", why)
		nc.Close()
		return
	}
	defer s.release(c)
	c.run()
}

func (s *Server) admit(c *conn) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return "the server is stopping"
	case len(s.conns) >= maxConnections:
		return "there are too many connections"
	case s.options.PerAddress > 0 && s.byAddr[c.address] >= s.options.PerAddress:
		return "there are too many connections from this address (maxClientCnxns)"
	}
	s.running.Add(1)
	s.conns[c] = struct{}{}
	s.byAddr[c.address]++
	return ""
}

func (s *Server) release(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.byAddr[c.address]--; s.byAddr[c.address] <= 0 {
		delete(s.byAddr, c.address)
	}
	s.mu.Unlock()
	s.replica.mu.Lock()
	s.replica.watches.Forget(c)
	if c.local != nil && c.local.conn == c {
		c.local.conn = nil
	}
	s.replica.mu.Unlock()
	s.running.Done()
}

// submit gives a write to the writer; it waits while too many are there.
func (s *Server) submit(w *write) error {
	select {
	case s.writer.queue <- w:
		return nil
	case <-s.ctx.Done():
		return errNotServing
	}
}

// keepRegistered keeps this keeper's key alive, by which the others know that its sessions are served.
func (s *Server) keepRegistered(ctx context.Context) {
	for ctx.Err() == nil {
		lease, err := s.register(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("zookeeper: this keeper can't be registered", "keeper", s.id, "error", err)
			}
			pause(ctx, retryEvery)
			continue
		}
		select {
		case <-lease.Lost():
		case <-ctx.Done():
			call, cancel := context.WithTimeout(context.Background(), time.Second)
			err := lease.Revoke(call)
			cancel()
			if err != nil && !errors.Is(err, metadata.ErrClosed) {
				s.log.Info("zookeeper: the lease of this keeper was left to run out", "error", err)
			}
		}
	}
}

func (s *Server) register(ctx context.Context) (metadata.Lease, error) {
	lease, err := s.options.Store.Lease(ctx, leaseTTL)
	if err != nil {
		return nil, err
	}
	_, err = s.options.Store.Txn(ctx, metadata.Txn{Then: []metadata.Op{
		metadata.PutLeased(keeperPrefix+s.id, []byte{layoutVersion}, lease.ID()),
	}})
	if err != nil {
		call, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return nil, errors.Join(err, lease.Revoke(call))
	}
	s.lease.Store(int64(lease.ID()))
	return lease, nil
}

// sessionsChanged follows what a step did to sessions; the replica's lock is held.
func (s *Server) sessionsChanged(changes []tree.SessionChange) {
	for _, change := range changes {
		mine := s.sessions[change.ID]
		switch {
		case change.Session != nil && change.Session.Keeper == s.id:
			if mine == nil {
				mine = s.newLocal(change.ID)
			}
			mine.timeout = time.Duration(change.Session.TimeoutMs) * time.Millisecond
		case mine != nil:
			delete(s.sessions, change.ID)
			if mine.conn != nil {
				mine.conn.finish()
			}
		}
	}
}

func (s *Server) newLocal(id int64) *local {
	l := &local{}
	l.heard.Store(int64(time.Since(s.started)))
	s.sessions[id] = l
	return l
}
