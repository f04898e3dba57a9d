package keeper

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// helloWithin bounds the wait for a connection's first bytes.
	helloWithin = 5 * time.Second
	// maxGreeting bounds the connections that have not said yet what they speak.
	maxGreeting = 256
	// wordLen is the length of ZooKeeper's four-letter words.
	wordLen = 4
)

// listener takes connections at the clients' port and tells by the first bytes what they speak: HTTP/2,
// which begins with its preface, is gRPC; all else goes to the ZooKeeper face. The port outlives the
// server behind it: while there is none, whoever speaks gRPC is sent away at once and tries another keeper.
type listener struct {
	net      net.Listener
	log      *slog.Logger
	greeting chan struct{}
	done     chan struct{}
	once     sync.Once
	running  sync.WaitGroup
	current  atomic.Pointer[service]
	// zookeeper says how ZooKeeper's protocol is spoken; it is set before serve.
	zookeeper ZooKeeper
}

// service is the gRPC server of one etcd server.
type service struct {
	listener *listener
	grpc     *grpc.Server
	face     *face
	accepted chan net.Conn
	done     chan struct{}
	ended    chan struct{}
}

func listen(address string) (*listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: %s (keeper.listener); name another one, or none", ErrAddrInUse, address)
	}
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	return &listener{
		net: l, done: make(chan struct{}), greeting: make(chan struct{}, maxGreeting), zookeeper: anyWord,
	}, nil
}

// serve starts to take connections; there is no server behind the port yet.
func (l *listener) serve(log *slog.Logger) {
	l.log = log
	l.running.Add(1)
	go func() {
		defer l.running.Done()
		l.accept(log)
	}()
}

// patientWithPings lets clients ask whether the connection is still there, as ours do every keepAlive. By gRPC's own rule
// who asks more often than every five minutes is sent away: brokers of a quiet cluster would connect anew each minute.
var patientWithPings = grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepAlive / 2})

// attach puts a server behind the port, in place of the one before.
func (l *listener) attach(server *etcdserver.EtcdServer) {
	l.detach()
	s := &service{
		listener: l, grpc: v3rpc.Server(server, nil, untilElection(server), patientWithPings), accepted: make(chan net.Conn),
		done: make(chan struct{}), ended: make(chan struct{}),
		face: &face{settings: l.zookeeper, etcd: server, log: l.log, port: portOf(l.net.Addr())},
	}
	go func() {
		defer close(s.ended)
		if err := s.grpc.Serve(s); err != nil && !errors.Is(err, net.ErrClosed) {
			l.log.Error("keeper: clients can't be served any more", "error", err)
		}
	}()
	l.current.Store(s)
}

// detach takes the server away, and ends its connections: those in the middle of a call after a little while.
func (l *listener) detach() {
	s := l.current.Swap(nil)
	if s == nil {
		return
	}
	close(s.done)
	s.face.close()
	timer := time.AfterFunc(stopWithin, s.grpc.Stop)
	s.grpc.GracefulStop()
	timer.Stop()
	<-s.ended
}

func (l *listener) accept(log *slog.Logger) {
	for {
		conn, err := l.net.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			log.Warn("keeper: a connection was not taken", "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-l.done:
				return
			}
		}
		select {
		case l.greeting <- struct{}{}:
			l.running.Add(1)
			go l.greet(conn)
		default:
			conn.Close() // too many that say nothing
		}
	}
}

// greet reads a connection's first bytes and gives it to whom it is for.
func (l *listener) greet(conn net.Conn) {
	defer l.running.Done()
	defer func() { <-l.greeting }()
	var word [wordLen]byte
	if err := conn.SetReadDeadline(time.Now().Add(helloWithin)); err != nil {
		conn.Close()
		return
	}
	if _, err := io.ReadFull(conn, word[:]); err != nil {
		conn.Close()
		return
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		conn.Close()
		return
	}
	s := l.current.Load()
	if string(word[:]) == "ruok" && l.zookeeper.answers("ruok") {
		// The process is well; whether it serves, the other words tell. A probe wakes nobody.
		_ = conn.SetWriteDeadline(time.Now().Add(helloWithin))
		_, _ = io.WriteString(conn, "imok")
		conn.Close()
		return
	}
	if s == nil {
		conn.Close() // the ensemble is not there yet, or is on its way to another life
		return
	}
	greeted := &replayed{Conn: conn, head: word[:]}
	if string(word[:]) != "PRI " {
		// One of ZooKeeper's words, a session, or nothing that is known: that is told apart there.
		go s.face.serve(greeted)
		return
	}
	select {
	case s.accepted <- greeted:
	case <-s.done:
		conn.Close()
	case <-l.done:
		conn.Close()
	}
}

// stop closes the port and ends every connection.
func (l *listener) stop() {
	l.once.Do(func() {
		close(l.done)
		l.net.Close()
		l.detach()
		l.running.Wait()
	})
}

// replayed is a connection whose first bytes have been read already.
type replayed struct {
	net.Conn
	head []byte
}

// Read gives the first bytes back before it reads on.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.head) > 0 {
		n := copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// Accept implements net.Listener: it hands out the connections that speak gRPC.
func (s *service) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; the port is the listener's.
func (s *service) Close() error { return nil }

// Addr implements net.Listener.
func (s *service) Addr() net.Addr { return s.listener.net.Addr() }
