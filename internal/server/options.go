package server

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// Handler answers requests.
//
// Handle is called by one goroutine for a connection, request after request in the order they came. It
// calls Reply or Abort of the exchange exactly once: before it returns, or later from any goroutine.
// While it waits, the connection reads no further request; it must not wait past Done.
type Handler interface {
	Handle(x *Exchange)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(x *Exchange)

// Handle calls f.
func (f HandlerFunc) Handle(x *Exchange) { f(x) }

// Listener is an address to listen on.
type Listener struct {
	Name    string // as in listeners=NAME://host:port
	Address string // host:port; port 0 takes any
	// TLS is spoken on it, unless nil. Its GetConfigForClient may give each connection another one.
	TLS *tls.Config
}

// Limits may change while the server runs. Zero means none, except where stated.
type Limits struct {
	MaxConnections      int                // max.connections
	MaxConnectionsPerIP int                // max.connections.per.ip
	PerIPOverrides      map[netip.Addr]int // max.connections.per.ip.overrides
	MaxCreationRate     int                // max.connection.creation.rate, a second
	MaxIdle             time.Duration      // connections.max.idle.ms
	MaxRequestBytes     int                // socket.request.max.bytes
	// MaxInFlight is how many replies one connection may be owed before its next request is read
	// (queued.max.requests); zero means 32.
	MaxInFlight        int
	SendBufferBytes    int // socket.send.buffer.bytes; <= 0 leaves it to the system
	ReceiveBufferBytes int // socket.receive.buffer.bytes, likewise
}

// Options are what a server is made of.
type Options struct {
	Listeners []Listener
	Handler   Handler
	Limits    Limits
	// MaxQueuedBytes bounds the request bytes held by all connections at once; readers wait for
	// room (queued.max.request.bytes). Zero: unbounded but for each connection's own bounds.
	MaxQueuedBytes int64
	// Backlog is how many connections may wait to be accepted (socket.listen.backlog.size); zero leaves
	// it to the system.
	Backlog int
	// HandshakeTimeout bounds a TLS handshake, the wait for its turn included (barnabas.ssl.handshake.timeout.ms); zero means 10 s.
	HandshakeTimeout time.Duration
	// MaxHandshakes is how many are under way at once (barnabas.ssl.handshakes.max); zero means 1000.
	MaxHandshakes int
	// Patient tells of a request, by its frame, that it may wait for two milliseconds beside many others, and that its handler does not wait. A connection
	// on which nothing else is asked has no goroutine of its own, where the system allows that. nil: there are none.
	Patient func(frame []byte) bool
	// Listen binds an address in place of TCP; the simulator's network does.
	Listen func(address string) (net.Listener, error)
	Logger *slog.Logger
	// Watch is told of connections, for metrics; nil tells nobody.
	Watch Watch
}

// Watch hears of what happens to connections. Its methods are called from many goroutines.
type Watch interface {
	Opened(listener string)
	Closed(listener string)
	// Refused: over a bound of connections.
	Refused(listener string)
	// Failed: the TLS handshake.
	Failed(listener string)
}

// The bounds of handshakes where Options give none.
const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultHandshakes       = 1000
)

// defaultInFlight is enough for clients that pipeline: they use 5.
const defaultInFlight = 32

func (l *Limits) inFlight() int {
	if l.MaxInFlight <= 0 {
		return defaultInFlight
	}
	return l.MaxInFlight
}
