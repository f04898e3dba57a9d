package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience bounds every wait, on a busy machine.
const patience = time.Minute

// start runs a server on a loopback port until the test ends.
func start(t *testing.T, limits Limits, h HandlerFunc) (*Server, *logged) {
	t.Helper()
	return serve(t, Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}},
		Handler:   h, Limits: limits, MaxQueuedBytes: 1 << 20,
	})
}

// serve runs a server until the test ends.
func serve(t *testing.T, o Options) (*Server, *logged) {
	t.Helper()
	lines := new(logged)
	o.Logger = slog.New(slog.NewTextHandler(lines, nil))
	s, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s, lines
}

// logged gathers log lines.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// until waits for a condition.
func until(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about")
		}
	}
}

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Address("PLAINTEXT").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// frame is an ApiVersions v0 request with a correlation id.
func frame(id uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, 10)
	b = append(b, 0, 18, 0, 0)
	b = binary.BigEndian.AppendUint32(b, id)
	return append(b, 0xff, 0xff)
}

// answer is what the tests' handlers reply: an empty response with the request's correlation id.
func answer(frame []byte) wire.Reply {
	h, _, err := wire.ParseHeader(frame)
	if err != nil {
		panic(err)
	}
	return wire.NewReply(h, kmsg.NewPtrApiVersionsResponse())
}

func echo(x *Exchange) { x.Reply(answer(x.Frame())) }

func readReply(t *testing.T, c io.Reader) uint32 {
	t.Helper()
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	rest := int64(binary.BigEndian.Uint32(head[:])) - 4
	if _, err := io.CopyN(io.Discard, c, rest); err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint32(head[4:])
}

func TestRepliesComeInOrder(t *testing.T) {
	var later []*Exchange
	s, _ := start(t, Limits{}, func(x *Exchange) {
		if len(later) < 4 {
			later = append(later, x)
			return
		}
		x.Reply(answer(x.Frame()))
		for i := len(later) - 1; i >= 0; i-- { // the first asked is answered last
			go later[i].Reply(answer(later[i].Frame()))
		}
		later = later[:0]
	})
	c := dial(t, s)
	for round := range uint32(50) {
		for i := range uint32(5) {
			c.Write(frame(round*5 + i))
		}
		for i := range uint32(5) {
			if got := readReply(t, c); got != round*5+i {
				t.Fatalf("reply %d, want %d", got, round*5+i)
			}
		}
	}
}

func TestFramesInPieces(t *testing.T) {
	s, _ := start(t, Limits{}, echo)
	c := dial(t, s)
	var all []byte
	for i := range uint32(20) {
		all = append(all, frame(i)...)
	}
	go func() {
		for _, b := range all {
			c.Write([]byte{b})
		}
	}()
	for i := range uint32(20) {
		if got := readReply(t, c); got != i {
			t.Fatalf("reply %d, want %d", got, i)
		}
	}
}

func TestLargeFrameGrows(t *testing.T) {
	const size = 3<<20 + 17
	got := make(chan []byte, 1)
	s, _ := start(t, Limits{MaxRequestBytes: 4 << 20}, func(x *Exchange) {
		got <- bytes.Clone(x.Frame())
		x.Reply(wire.Reply{})
	})
	c := dial(t, s)
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i * 31)
	}
	c.Write(binary.BigEndian.AppendUint32(nil, size))
	c.Write(want)
	if !bytes.Equal(<-got, want) {
		t.Fatal("frame differs")
	}
}

// closedWith checks that the server closes the connection, and what it logs.
func closedWith(t *testing.T, c net.Conn, lines *logged, want string) {
	t.Helper()
	if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("connection not closed: %v", err)
	}
	deadline := time.Now().Add(patience)
	for !strings.Contains(lines.String(), want) {
		if time.Now().After(deadline) {
			t.Fatalf("log has no %q:\n%s", want, lines)
		}
	}
}

func TestBadFirstBytes(t *testing.T) {
	for _, test := range []struct{ name, bytes, want string }{
		{"2 GiB", "\x7f\xff\xff\xff", "socket.request.max.bytes"},
		{"negative", "\xff\xff\xff\xff", "negative"},
		{"nothing", "\x00\x00\x00\x00", "negative or no size"},
		{"http", "GET / HTTP/1.1\r\n\r\n", "HTTP"},
		{"tls", "\x16\x03\x01\x02\x00\x01\x00", "TLS"},
		{"zookeeper", "ruok", "ZooKeeper"},
		{"zookeeper's client", "\x00\x00\x00\x2d" + strings.Repeat("\x00", 27) + "\x10" + strings.Repeat("\x00", 17), "ZooKeeper's (the keeper's port is 2181)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, lines := start(t, Limits{MaxRequestBytes: 100 << 20}, echo)
			c := dial(t, s)
			c.Write([]byte(test.bytes))
			closedWith(t, c, lines, test.want)
		})
	}
}

func TestTruncatedFrame(t *testing.T) {
	handled := false
	s, lines := start(t, Limits{}, func(x *Exchange) { handled = true })
	c := dial(t, s)
	c.Write(frame(1)[:9])
	c.(*net.TCPConn).CloseWrite()
	closedWith(t, c, lines, "unexpected EOF")
	if handled {
		t.Fatal("half a frame was handled")
	}
}

func TestAbortClosesInTurn(t *testing.T) {
	s, lines := start(t, Limits{}, func(x *Exchange) {
		if h, _, _ := wire.ParseHeader(x.Frame()); h.CorrelationID == 1 {
			x.Abort(errors.New("no such thing"))
			return
		}
		echo(x)
	})
	c := dial(t, s)
	c.Write(append(frame(0), frame(1)...))
	if got := readReply(t, c); got != 0 {
		t.Fatalf("reply %d, want 0", got)
	}
	closedWith(t, c, lines, "no such thing")
}

func TestConnectionsPerAddress(t *testing.T) {
	s, lines := start(t, Limits{
		MaxConnectionsPerIP: 1,
		PerIPOverrides:      map[netip.Addr]int{netip.MustParseAddr("127.0.0.1"): 2},
	}, echo)
	first, second := dial(t, s), dial(t, s)
	for i, c := range []net.Conn{first, second} {
		c.Write(frame(uint32(i)))
		readReply(t, c)
	}
	closedWith(t, dial(t, s), lines, "too many from its address")
	first.Close()
	until(t, func() bool { return s.Connections() == 1 })
	again := dial(t, s)
	again.Write(frame(7))
	readReply(t, again)
}

func TestMaxConnectionsWait(t *testing.T) {
	s, _ := start(t, Limits{MaxConnections: 1}, echo)
	first := dial(t, s)
	first.Write(frame(1))
	readReply(t, first)
	second := dial(t, s) // in the kernel's queue
	second.Write(frame(2))
	first.Close()
	if got := readReply(t, second); got != 2 {
		t.Fatalf("reply %d, want 2", got)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	s, _ := start(t, Limits{MaxIdle: 50 * time.Millisecond}, echo)
	c := dial(t, s)
	c.Write(frame(1))
	readReply(t, c)
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read: %v, want EOF", err)
	}
}

func TestClientThatNeverReads(t *testing.T) {
	const replyBytes = 1 << 20
	var mu sync.Mutex
	handled := 0
	s, lines := start(t, Limits{MaxInFlight: 4}, func(x *Exchange) {
		h, _, _ := wire.ParseHeader(x.Frame())
		mu.Lock()
		handled++
		mu.Unlock()
		r := wire.BeginReply(h, false)
		r.Append(func(b []byte) []byte { return append(b, make([]byte, replyBytes)...) })
		go func() {
			// An answer that comes before is written by whoever reads, and then fewer are owed.
			for returned := false; !returned; runtime.Gosched() {
				x.conn.mu.Lock()
				returned = !x.handling
				x.conn.mu.Unlock()
			}
			x.Reply(r.End())
		}()
	})
	c := dial(t, s)
	go func() {
		for i := range uint32(1000) {
			if _, err := c.Write(frame(i)); err != nil {
				return
			}
		}
	}()
	// The kernel takes some replies; then as many are owed as may be, and nothing more is read.
	until(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for open := range s.conns {
			open.mu.Lock()
			full := open.owed == 4 && open.writing
			open.mu.Unlock()
			return full && open.writeUntil.Load() != 0
		}
		return false
	})
	mu.Lock()
	if handled > 100 {
		t.Errorf("%d requests handled for a client that reads nothing", handled)
	}
	mu.Unlock()
	until(t, func() bool {
		s.mu.Lock()
		for open := range s.conns {
			if open.writeUntil.Load() != 0 {
				open.writeUntil.Store(1) // as if its patience were over
			}
		}
		s.mu.Unlock()
		s.sweepOnce()
		return s.Connections() == 0
	})
	closedWith(t, c, lines, "does not read")
}

func TestStopAnswersWhatWasRead(t *testing.T) {
	lines := new(logged)
	waiting := make(chan *Exchange, 1)
	s, err := Listen(Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}},
		Handler:   HandlerFunc(func(x *Exchange) { waiting <- x }),
		Logger:    slog.New(slog.NewTextHandler(lines, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	c := dial(t, s)
	c.Write(frame(9))
	x := <-waiting
	stopped := make(chan error)
	go func() { stopped <- s.Stop(context.Background()) }()
	<-x.Done()
	x.Reply(answer(x.Frame()))
	if got := readReply(t, c); got != 9 {
		t.Fatalf("reply %d, want 9", got)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if s.Connections() != 0 {
		t.Fatalf("%d connections after stop", s.Connections())
	}
}

// TestClientGone: a request that waits, for records say, ends with its connection and not with its own time.
func TestClientGone(t *testing.T) {
	waiting := make(chan *Exchange, 1)
	s, _ := start(t, Limits{}, func(x *Exchange) { waiting <- x })
	c := dial(t, s)
	c.Write(frame(9))
	x := <-waiting
	c.Close()
	<-x.Done()
	x.Reply(answer(x.Frame()))
}

func TestStopCutsWhatNeverEnds(t *testing.T) {
	waiting := make(chan *Exchange, 1)
	s, err := Listen(Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}},
		Handler:   HandlerFunc(func(x *Exchange) { waiting <- x }),
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	c := dial(t, s)
	c.Write(frame(9))
	x := <-waiting
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(ctx); err == nil {
		t.Fatal("stop cut nothing")
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("connection is open")
	}
	x.Reply(answer(x.Frame())) // late: dropped
}

func TestListenNamesTheListener(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = Listen(Options{Listeners: []Listener{
		{Name: "FREE", Address: "127.0.0.1:0"}, {Name: "TAKEN", Address: taken.Addr().String()},
	}})
	if err == nil || !strings.Contains(err.Error(), "TAKEN") {
		t.Fatalf("error %v does not name the listener", err)
	}
}

func TestRate(t *testing.T) {
	var r rate
	now := time.Unix(100, 0)
	for i := range 10 {
		if wait := r.wait(10, now); wait != 0 {
			t.Fatalf("connection %d of the burst waits %v", i, wait)
		}
	}
	if wait := r.wait(10, now); wait != 100*time.Millisecond {
		t.Fatalf("the eleventh waits %v, want 100ms", wait)
	}
	if wait := r.wait(10, now.Add(time.Second)); wait != 0 {
		t.Fatalf("a second later one waits %v", wait)
	}
}
