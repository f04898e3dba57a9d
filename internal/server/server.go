package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Server owns its listeners, an accept goroutine for each, the sweeper and all connections.
type Server struct {
	handler Handler
	logger  *slog.Logger
	watch   Watch
	budget  *budget
	limits  atomic.Pointer[Limits]
	began   time.Time

	handshakeTimeout time.Duration
	handshakes       chan struct{} // one for each TLS handshake that is under way
	mistakes         mistakes
	isPatient        func(frame []byte) bool // nil for none
	openLane         sync.Once
	patientLane      atomic.Pointer[lane] // once a connection was to be parked, and the system could

	listeners []listening
	stop      chan struct{}
	running   sync.WaitGroup // accept loops, sweeper, connections

	mu       sync.Mutex
	conns    map[*conn]struct{}
	perIP    map[netip.Addr]int
	numbered uint64
	created  rate
	stopping bool
	freed    chan struct{} // one token when a connection went, for an accept loop that waits
}

type listening struct {
	name   string
	socket net.Listener
	tls    *tls.Config // nil for none
}

// errDraining ends a connection because the server stops.
var errDraining = errors.New("server stops")

// Listen binds all listeners, all or none; connections wait until Serve. Errors name the listener.
func Listen(o Options) (*Server, error) {
	s := &Server{
		handler: o.Handler, logger: o.Logger, watch: o.Watch,
		budget: newBudget(o.MaxQueuedBytes), began: time.Now(),
		stop: make(chan struct{}), freed: make(chan struct{}, 1),
		conns: make(map[*conn]struct{}), perIP: make(map[netip.Addr]int),
		handshakeTimeout: cmp.Or(o.HandshakeTimeout, defaultHandshakeTimeout),
		handshakes:       make(chan struct{}, cmp.Or(o.MaxHandshakes, defaultHandshakes)),
		isPatient:        o.Patient,
	}
	if s.watch == nil {
		s.watch = nobody{}
	}
	s.SetLimits(o.Limits)
	bind := o.Listen
	if bind == nil {
		bind = func(address string) (net.Listener, error) { return listen(address, o.Backlog) }
	}
	for _, l := range o.Listeners {
		socket, err := bind(l.Address)
		if err != nil {
			s.closeListeners()
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		s.listeners = append(s.listeners, listening{l.Name, socket, l.TLS})
	}
	return s, nil
}

// Address is where a listener listens, or nil if there is none of that name.
func (s *Server) Address(name string) net.Addr {
	for _, l := range s.listeners {
		if l.name == name {
			return l.socket.Addr()
		}
	}
	return nil
}

// SetHandler gives the handler, where Options could not yet; before Serve.
func (s *Server) SetHandler(h Handler) { s.handler = h }

// SetLimits takes effect at once for new connections and frames; connections over a lowered bound stay.
func (s *Server) SetLimits(l Limits) { s.limits.Store(&l) }

// Serve starts to accept. It returns at once.
func (s *Server) Serve() {
	for _, l := range s.listeners {
		s.running.Go(func() { s.accept(l) })
	}
	s.running.Go(s.sweep)
}

// patient tells whether a request can wait.
func (s *Server) patient(frame []byte) bool { return s.isPatient != nil && s.isPatient(frame) }

// lane is where connections are parked; nil where they can't be.
func (s *Server) lane() *lane {
	s.openLane.Do(func() {
		l, err := newLane(s)
		if err != nil {
			s.logger.Debug("each connection keeps a goroutine", "error", err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stopping {
			l.close()
			return
		}
		s.patientLane.Store(l)
		s.running.Go(l.run)
	})
	return s.patientLane.Load()
}

// Connections is how many there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stop refuses new connections, reads no further request, and waits until every request read has its
// answer; when ctx ends first, connections are cut. It returns when no goroutine of the server runs,
// but for handlers that ignore Done.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return nil
	}
	s.stopping = true
	open := s.list()
	s.mu.Unlock()
	close(s.stop)
	s.closeListeners()
	if l := s.patientLane.Load(); l != nil {
		l.close()
	}
	for _, c := range open {
		c.drain()
	}
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		s.budget.close()
		return nil
	case <-ctx.Done():
	}
	s.budget.close()
	s.mu.Lock()
	open = s.list()
	s.mu.Unlock()
	for _, c := range open {
		c.close(errDraining)
	}
	return fmt.Errorf("stop cut %d connections: %w", len(open), ctx.Err())
}

// list copies the connections, with mu held.
func (s *Server) list() []*conn {
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	return open
}

func (s *Server) closeListeners() {
	for _, l := range s.listeners {
		l.socket.Close()
	}
}

// now is the time since the server began, for marks that the sweeper compares.
func (s *Server) now() int64 { return int64(time.Since(s.began)) }

type nobody struct{}

func (nobody) Opened(string)  {}
func (nobody) Closed(string)  {}
func (nobody) Refused(string) {}
func (nobody) Failed(string)  {}
