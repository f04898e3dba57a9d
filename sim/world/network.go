package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// Clients is the host that clients are on.
const Clients = "10.0.1.1"

// Network connects addresses of hosts. Delays come from the seed; what is in the air when a host goes down is lost.
// What is sent over a link that is cut arrives when it is whole again, as TCP has it.
type Network struct {
	mu        sync.Mutex
	rng       *rand.Rand
	listeners map[string]*listener
	conns     map[*pair]bool
	ports     int
	slowest   time.Duration
	cut       map[link]bool
	slow      map[link]time.Duration
	apart     map[string]bool // hosts that nothing reaches and nothing leaves
	silent    map[string]bool // hosts without power: nobody refuses a connection there
}

// link is one direction between two hosts.
type link struct{ from, to string }

// pair is a connection with both its ends.
type pair struct {
	client, server *conn
	link           link // of the client's bytes
	closed         int  // ends
}

// NewNetwork makes one whose messages take up to slowest.
func NewNetwork(seed uint64, slowest time.Duration) *Network {
	return &Network{
		rng: rand.New(rand.NewPCG(seed, 0x2e7)), slowest: slowest,
		listeners: map[string]*listener{}, conns: map[*pair]bool{},
		cut: map[link]bool{}, slow: map[link]time.Duration{}, apart: map[string]bool{}, silent: map[string]bool{},
	}
}

func (n *Network) delay(l link) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := 20*time.Microsecond + time.Duration(n.rng.Int64N(int64(n.slowest)))
	if most := n.slow[l]; most > 0 {
		d += time.Duration(n.rng.Int64N(int64(most)))
	}
	return d
}

// passes tells whether bytes get through; mu is held.
func (n *Network) passes(l link) bool {
	return !n.cut[l] && !n.apart[l.from] && !n.apart[l.to] && !n.silent[l.from] && !n.silent[l.to]
}

// Port is a host's access to the network, for one life of a process.
type Port struct {
	network *Network
	host    string
	mu      sync.Mutex
	down    bool
}

// Plug gives a process on a host access.
func (n *Network) Plug(host string) *Port { return &Port{network: n, host: host} }

func (p *Port) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

// Unplug ends the access, as when the process dies: connections are reset, nobody listens. In silence, as when the
// machine loses its power, nobody is told before the host is plugged in again.
func (p *Port) Unplug(silent bool) {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.network.down(p.host, silent)
}

// Listen binds an address, host:port with an IP address. It is what server.Options.Listen wants.
func (p *Port) Listen(address string) (net.Listener, error) {
	if p.dead() {
		return nil, syscall.ENETDOWN
	}
	return p.network.listen(p.host, address)
}

// dialTimeout is how long a connection is tried that nobody answers.
const dialTimeout = 10 * time.Second

// Dial connects to an address. ECONNREFUSED while nobody listens, ETIMEDOUT when there is no answer.
func (p *Port) Dial(ctx context.Context, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for waited := time.Duration(0); ; {
		if p.dead() {
			return nil, syscall.ENETDOWN
		}
		c, answered, err := p.network.connect(link{p.host, host}, address)
		if answered {
			return c, err
		}
		const again = 200 * time.Millisecond
		if waited += again; waited > dialTimeout {
			return nil, fmt.Errorf("dial %s: %w", address, syscall.ETIMEDOUT)
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

func (n *Network) listen(host, address string) (net.Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen %s: %w", address, syscall.EADDRINUSE)
	}
	if n.silent[host] { // the machine has power again
		delete(n.silent, host)
		n.reset(host)
	}
	l := &listener{network: n, address: address, tcp: tcp, queue: make(chan net.Conn, 128), done: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// connect makes a connection; answered is false where a link is cut.
func (n *Network) connect(l link, address string) (c net.Conn, answered bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	back := link{l.to, l.from}
	if !n.passes(l) || !n.passes(back) {
		return nil, false, nil
	}
	at := n.listeners[address]
	if at == nil {
		return nil, true, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	n.ports++
	from := &net.TCPAddr{IP: net.ParseIP(l.from), Port: 1024 + n.ports%60000}
	up, down := newStream(), newStream()
	p := &pair{link: l}
	p.client = &conn{in: down, out: up, local: from, remote: at.tcp, delay: func() time.Duration { return n.delay(l) }}
	p.server = &conn{in: up, out: down, local: at.tcp, remote: from, delay: func() time.Duration { return n.delay(back) }}
	p.client.left = func() { n.forget(p) }
	p.server.left = p.client.left
	select {
	case at.queue <- p.server:
	default:
		return nil, true, fmt.Errorf("dial %s: %w", address, syscall.ETIMEDOUT)
	}
	n.conns[p] = true
	return p.client, true, nil
}

// forget drops a connection that both ends have closed.
func (n *Network) forget(p *pair) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.closed++; p.closed == 2 {
		delete(n.conns, p)
	}
}

func (n *Network) down(host string, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for address, l := range n.listeners {
		if h, _, _ := net.SplitHostPort(address); h == host {
			delete(n.listeners, address)
			l.end()
		}
	}
	if silent {
		n.silent[host] = true
		n.settle()
		return
	}
	n.reset(host)
}

// Reset breaks a host's connections, and leaves its listeners.
func (n *Network) Reset(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reset(host)
}

// reset is Reset's part under mu. Over a link that is cut the other end does not hear of it yet.
func (n *Network) reset(host string) {
	for p := range n.conns {
		if p.link.from == host || p.link.to == host {
			delete(n.conns, p)
			p.client.reset()
			if !n.passes(link{p.link.to, p.link.from}) || !n.passes(p.link) {
				n.conns[p] = true // the links' return shows it
			}
		}
	}
	n.settle()
}

// settle lets every connection know which way bytes get through; mu is held.
func (n *Network) settle() {
	for p := range n.conns {
		p.server.in.hold(!n.passes(p.link))
		p.client.in.hold(!n.passes(link{p.link.to, p.link.from}))
	}
}

// Cut breaks the link from one host to another in that direction, or mends it.
func (n *Network) Cut(from, to string, broken bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[link{from, to}] = broken
	n.settle()
}

// Isolate has nothing reach a host and nothing leave it, for a while.
func (n *Network) Isolate(host string, apart bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.apart[host] = apart
	n.settle()
}

// Slow makes a link take up to most longer.
func (n *Network) Slow(from, to string, most time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slow[link{from, to}] = most
}

// Heal mends all links.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
	clear(n.slow)
	clear(n.apart)
	n.settle()
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
