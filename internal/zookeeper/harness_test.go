package zookeeper

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/zookeeper/jute"
)

// enough is how long a test waits for what must come; nothing is expected to take it.
const enough = 30 * time.Second

// keeper is a Server behind a port.
type keeper struct {
	server  *Server
	store   *memstore.Store
	address string
	stop    func()
}

func startKeeper(t testing.TB, memory *memstore.Memory, change func(*Options)) *keeper {
	t.Helper()
	store := memory.Open(memstore.Faults{})
	k := startOn(t, store, change)
	k.store = store
	return k
}

func startOn(t testing.TB, store metadata.Store, change func(*Options)) *keeper {
	t.Helper()
	o := Options{Store: store, Name: t.Name(), Words: []string{"*"}, PerAddress: -1}
	if change != nil {
		change(&o)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{server: New(o), address: listener.Addr().String()}
	go func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			go k.server.Serve(nc)
		}
	}()
	var once sync.Once
	k.stop = func() {
		once.Do(func() {
			listener.Close()
			k.server.Close()
			store.Close()
		})
	}
	t.Cleanup(k.stop)
	return k
}

// quiet is a go-zookeeper client's log.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// client is a session of go-zookeeper's, and its events.
func client(t testing.TB, timeout time.Duration, keepers ...*keeper) (*zk.Conn, <-chan zk.Event) {
	t.Helper()
	var servers []string
	for _, k := range keepers {
		servers = append(servers, k.address)
	}
	c, events, err := zk.Connect(slices.Clone(servers), timeout, zk.WithLogger(quiet{}), zk.WithHostProvider(&inOrder{servers: servers}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	until(t, events, zk.StateHasSession)
	return c, events
}

// inOrder tries servers one after another, from the first on; the client shuffles those that it gives to Init.
type inOrder struct {
	mu      sync.Mutex
	servers []string
	next    int
}

func (p *inOrder) Init([]string) error { return nil }
func (p *inOrder) Len() int            { return len(p.servers) }
func (p *inOrder) Connected()          {}
func (p *inOrder) Next() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server := p.servers[p.next%len(p.servers)]
	p.next++
	return server, p.next > 1 && p.next%len(p.servers) == 1
}

func until(t testing.TB, events <-chan zk.Event, state zk.State) {
	t.Helper()
	deadline := time.After(enough)
	for {
		select {
		case e := <-events:
			if e.State == state {
				return
			}
		case <-deadline:
			t.Fatalf("the client does not come to %v", state)
		}
	}
}

// next is the event that a watch fires.
func next(t testing.TB, watch <-chan zk.Event) zk.Event {
	t.Helper()
	select {
	case e := <-watch:
		return e
	case <-time.After(enough):
		t.Fatal("the watch says nothing")
		return zk.Event{}
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(enough); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, enough)
		}
		pause(t.Context(), 10*time.Millisecond)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var openACL = zk.WorldACL(zk.PermAll)

// raw is a client that sends what it likes.
type raw struct {
	t   testing.TB
	net net.Conn
	in  *bufio.Reader
}

func dial(t testing.TB, k *keeper) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", k.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(enough)); err != nil {
		t.Fatal(err)
	}
	return &raw{t, nc, bufio.NewReader(nc)}
}

func (r *raw) send(record []byte) {
	r.t.Helper()
	if _, err := r.net.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(record))), record...)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) receive() *jute.Reader {
	r.t.Helper()
	var length [4]byte
	if _, err := io.ReadFull(r.in, length[:]); err != nil {
		r.t.Fatal(err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(r.in, frame); err != nil {
		r.t.Fatal(err)
	}
	return jute.NewReader(frame)
}

// connect asks for a session, and returns its id, timeout and password.
func (r *raw) connect(request jute.ConnectRequest) (id int64, timeoutMs int32, password []byte) {
	r.t.Helper()
	r.send(request.Append(nil))
	answer := r.receive()
	answer.Int()
	timeoutMs, id, password = answer.Int(), answer.Long(), answer.Buffer()
	if request.HasReadOnly != (answer.Left() == 1) {
		r.t.Errorf("%d bytes after the answer to %+v", answer.Left(), request)
	}
	return id, timeoutMs, password
}

// ask sends a request and returns the answer's header and body.
func (r *raw) ask(xid int32, req jute.Request) (got int32, zxid int64, code jute.Code, body *jute.Reader) {
	r.t.Helper()
	r.send(req.Append(jute.AppendInt(jute.AppendInt(nil, xid), int32(req.Op))))
	answer := r.receive()
	return answer.Int(), answer.Long(), jute.Code(answer.Int()), answer
}

// closed says whether the server has closed the connection, having sent nothing more.
func (r *raw) closed() bool {
	_, err := r.in.ReadByte()
	return err == io.EOF
}
