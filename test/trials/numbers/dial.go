package numbers

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Dial connects, as kgo.Dialer has it.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// memory connects, and remembers for a moment which addresses did not answer. franz-go has one queue of requests for each
// broker, and every request in it connects for itself, twice: five records on their way to a broker that has vanished are
// ten seconds, for which a request for metadata waits that came to stand behind them by chance, and with it all that
// the cluster has to say of new leaders. Here the first attempt costs its second and the others nothing.
type memory struct {
	dial   Dial
	mu     sync.Mutex
	silent map[string]time.Time // guarded by mu: when an address did not answer last
}

const (
	// silentFor is how long an address is left alone that did not answer.
	silentFor = 500 * time.Millisecond
	// tooShort is what a read waits at least that tells of silence: a shorter one was called off.
	tooShort = 500 * time.Millisecond
)

func newMemory(dial Dial) *memory {
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &memory{dial: dial, silent: map[string]time.Time{}}
}

func (m *memory) connect(ctx context.Context, network, address string) (net.Conn, error) {
	m.mu.Lock()
	at, silent := m.silent[address]
	m.mu.Unlock()
	if silent && time.Since(at) < silentFor {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded} // as what it stands for
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := m.dial(ctx, network, address)
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			m.note(address)
		}
		return nil, err
	}
	return &remembered{Conn: conn, memory: m, address: address}, nil
}

func (m *memory) note(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silent[address] = time.Now()
}

// remembered is a connection to an address: one that takes connections and says nothing, as a process does that sleeps,
// is silent too.
type remembered struct {
	net.Conn
	memory  *memory
	address string
}

// Read implements net.Conn.
func (r *remembered) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := r.Conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && time.Since(began) >= tooShort {
		r.memory.note(r.address)
	}
	return n, err
}
