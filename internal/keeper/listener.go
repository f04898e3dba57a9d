package keeper

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"google.golang.org/grpc"
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
// which begins with its preface, is gRPC; a four-letter word of ZooKeeper's gets its answer.
type listener struct {
	net  net.Listener
	grpc *grpc.Server
	// accepted are the connections that speak gRPC.
	accepted chan net.Conn
	greeting chan struct{}
	done     chan struct{}
	once     sync.Once
	running  sync.WaitGroup
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
		net: l, accepted: make(chan net.Conn), done: make(chan struct{}),
		greeting: make(chan struct{}, maxGreeting),
	}, nil
}

// serve starts to take connections.
func (l *listener) serve(server *etcdserver.EtcdServer, log *slog.Logger) {
	l.grpc = v3rpc.Server(server, nil, nil)
	l.running.Add(2)
	go func() {
		defer l.running.Done()
		l.accept(log)
	}()
	go func() {
		defer l.running.Done()
		if err := l.grpc.Serve(grpcListener{l}); err != nil && !errors.Is(err, net.ErrClosed) {
			log.Error("keeper: clients can't be served any more", "error", err)
		}
	}()
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
	if answer, ok := fourLetterWord(string(word[:])); ok {
		_ = conn.SetWriteDeadline(time.Now().Add(helloWithin))
		_, _ = io.WriteString(conn, answer)
		conn.Close()
		return
	}
	if string(word[:]) != "PRI " {
		conn.Close() // a ZooKeeper session, or nothing that is known
		return
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		conn.Close()
		return
	}
	select {
	case l.accepted <- &replayed{Conn: conn, head: word[:]}:
	case <-l.done:
		conn.Close()
	}
}

// fourLetterWord answers ZooKeeper's words.
func fourLetterWord(word string) (string, bool) {
	if word == "ruok" {
		return "imok", true
	}
	return "", false
}

// stop ends every connection, those in the middle of a call after a little while.
func (l *listener) stop() {
	l.once.Do(func() {
		close(l.done)
		l.net.Close()
		if l.grpc != nil {
			timer := time.AfterFunc(stopWithin, l.grpc.Stop)
			l.grpc.GracefulStop()
			timer.Stop()
		}
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

// grpcListener hands out the connections that speak gRPC.
type grpcListener struct{ *listener }

// Accept implements net.Listener.
func (l grpcListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener; stop closes the port.
func (l grpcListener) Close() error { return nil }

// Addr implements net.Listener.
func (l grpcListener) Addr() net.Addr { return l.net.Addr() }
