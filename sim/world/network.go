package world

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// Network connects addresses. Delays come from the seed; what is in the air when a host goes down is lost.
type Network struct {
	mu        sync.Mutex
	rng       *rand.Rand
	listeners map[string]*listener
	conns     map[*conn]string // guarded by mu: the server's end of each, and its address
	ports     int
	slowest   time.Duration
}

// NewNetwork makes one whose messages take up to slowest.
func NewNetwork(seed uint64, slowest time.Duration) *Network {
	return &Network{
		rng: rand.New(rand.NewPCG(seed, 0x2e7)), slowest: slowest,
		listeners: map[string]*listener{}, conns: map[*conn]string{},
	}
}

func (n *Network) delay() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return 20*time.Microsecond + time.Duration(n.rng.Int64N(int64(n.slowest)))
}

// Listen binds an address, host:port with an IP address. It is what server.Options.Listen wants.
func (n *Network) Listen(address string) (net.Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen %s: %w", address, syscall.EADDRINUSE)
	}
	l := &listener{network: n, address: address, tcp: tcp, queue: make(chan net.Conn, 128), done: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Dial connects to an address from a client's. ECONNREFUSED while nobody listens.
func (n *Network) Dial(address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[address]
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	n.ports++
	from := &net.TCPAddr{IP: net.IPv4(10, 0, 1, 1), Port: 1024 + n.ports%60000}
	up, down := newStream(), newStream()
	client := &conn{in: down, out: up, local: from, remote: l.tcp, delay: n.delay, left: func() {}}
	server := &conn{in: up, out: down, local: l.tcp, remote: from, delay: n.delay}
	server.left = func() { n.forget(server) }
	select {
	case l.queue <- server:
	default:
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ETIMEDOUT)
	}
	n.conns[server] = address
	return client, nil
}

func (n *Network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// Down cuts an address off, as when its process dies: connections are reset, nobody listens.
func (n *Network) Down(address string) {
	n.mu.Lock()
	l := n.listeners[address]
	delete(n.listeners, address)
	n.mu.Unlock()
	if l != nil {
		l.end()
	}
	n.Reset(address)
}

// Reset breaks an address's connections, and leaves its listener.
func (n *Network) Reset(address string) {
	n.mu.Lock()
	var open []*conn
	for c, at := range n.conns {
		if at == address {
			open = append(open, c)
			delete(n.conns, c)
		}
	}
	n.mu.Unlock()
	for _, c := range open {
		c.reset()
	}
}

type listener struct {
	network *Network
	address string
	tcp     *net.TCPAddr
	queue   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) end() { l.once.Do(func() { close(l.done) }) }

// Close unbinds the address, if it is this listener's still.
func (l *listener) Close() error {
	l.network.mu.Lock()
	if l.network.listeners[l.address] == l {
		delete(l.network.listeners, l.address)
	}
	l.network.mu.Unlock()
	l.end()
	return nil
}

func (l *listener) Addr() net.Addr { return l.tcp }
