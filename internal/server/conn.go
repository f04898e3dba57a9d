package server

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"barnabas/internal/wire"
)

// conn is one connection. Its goroutine reads and handles; whoever holds writing writes.
type conn struct {
	server *Server
	socket net.Conn
	under  *encrypted // what socket is on, where that is TLS
	remote netip.Addr
	client wire.Client
	done   chan struct{}

	in input // owned by the connection's goroutine
	// Owned by whoever reads: when the last request came, how many in a row could wait, or while parked came too soon for that, and how many it
	// takes to be parked (see lane).
	asked             int64
	streak, parkAfter int
	rests             atomic.Pointer[resting] // the socket while the connection is parked

	// In nanoseconds since the server began; read by the sweeper.
	lastActive atomic.Int64
	writeUntil atomic.Int64 // 0: no write is going on
	inFrame    atomic.Bool  // a frame has begun and isn't complete

	mu         sync.Mutex
	head, tail *Exchange // replies owed, in the order of their requests
	owed       int
	writing    bool
	spare      *Exchange     // over, to be used again, by next
	spares     int           // at most maxSpares
	closing    bool          // no more is read
	room       chan struct{} // one token when a reply left, or the last one was sent, and the reader may wait
	released   sync.Once
	closed     sync.Once
}

func newConn(s *Server, socket net.Conn, remote netip.Addr, listener string, number uint64) *conn {
	c := &conn{
		server: s, socket: socket, remote: remote,
		done: make(chan struct{}), room: make(chan struct{}, 1), parkAfter: leastBeforePark,
	}
	c.client.Address = "/" + remote.String()
	c.client.Listener = listener
	c.client.Connection = number
	c.lastActive.Store(s.now())
	return c
}

// serve reads and handles until the connection ends, or is parked.
func (c *conn) serve() {
	reason := c.handshake()
	if reason == nil {
		reason = c.readLoop()
	}
	c.leave(reason)
}

// leave is the end of the connection's goroutine. A draining connection is closed by whoever sends its last reply, and a parked one goes on.
func (c *conn) leave(reason error) {
	if reason == errParked {
		return
	}
	c.mu.Lock()
	draining := c.closing && c.owed > 0
	c.mu.Unlock()
	if !draining {
		c.close(reason)
	}
}

func (c *conn) readLoop() error {
	for {
		if err := c.waitForRoom(); err != nil {
			return err
		}
		frame, err := c.in.next(c)
		if err != nil {
			return err
		}
		now := c.server.now()
		c.lastActive.Store(now)
		if c.streak++; !c.calm(now) || !c.server.patient(frame.Bytes) {
			c.streak = 0
		}
		x := c.enqueue(frame)
		c.server.handler.Handle(x)
		c.handled(x)
		if c.streak >= c.parkAfter && c.park() {
			return errParked
		}
	}
}

// errParked ends the goroutine of a connection, and not the connection.
var errParked = errors.New("parked")

// A connection is parked after so many requests in a row that can wait, none of which came within leastCalm of the one before: a client that waits for
// each answer and then asks again is not kept waiting. It takes twice as many each time that it asks for something else, or faster: to go to and fro
// costs some 30 µs.
const (
	leastBeforePark = 4
	mostBeforePark  = 64
	leastCalm       = 50 * time.Millisecond
)

// calm tells whether a request comes well after the last one.
func (c *conn) calm(now int64) bool {
	before := c.asked
	c.asked = now
	return now-before >= int64(leastCalm)
}

// park leaves the connection to the lane, once all is answered that was asked.
func (c *conn) park() bool {
	c.streak = 0
	if _, ok := c.socket.(syscall.Conn); !ok || c.in.start < c.in.end { // with TLS, or in a simulation: the lane's goroutine would keep a bubble of synctest awake
		return false
	}
	lane := c.server.lane()
	return lane != nil && c.settle() == nil && lane.park(c)
}

// settle waits until all replies have been sent, and nobody writes.
func (c *conn) settle() error {
	return c.await(func() bool { return c.owed == 0 && !c.writing })
}

// waitForRoom keeps a client that pipelines without reading from piling up replies.
func (c *conn) waitForRoom() error {
	if c.mayTake() {
		return nil
	}
	return c.await(c.hasRoom)
}

// mayTake tells whether another request may be taken now.
func (c *conn) mayTake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing && c.hasRoom()
}

// hasRoom tells whether another request may be read. With mu held.
func (c *conn) hasRoom() bool { return c.owed < c.server.limits.Load().inFlight() }

// await returns when something holds. It looks, with mu held, whenever a reply has left.
func (c *conn) await(holds func() bool) error {
	for {
		c.mu.Lock()
		held, closing := holds(), c.closing
		c.mu.Unlock()
		switch {
		case closing:
			return errDraining
		case held:
			return nil
		}
		select {
		case <-c.room:
		case <-c.done:
			return net.ErrClosed
		}
	}
}

// enqueue makes a frame the last of the exchanges.
func (c *conn) enqueue(frame *wire.Buffer) *Exchange {
	c.mu.Lock()
	x := c.spare
	if x == nil {
		x = new(Exchange)
	} else {
		c.spare, x.next = x.next, nil
		c.spares--
	}
	x.conn, x.frame, x.handling = c, frame, true
	if c.tail == nil {
		c.head = x
	} else {
		c.tail.next = x
	}
	c.tail = x
	c.owed++
	c.mu.Unlock()
	return x
}

// maxSpares bounds the exchanges that a connection keeps to use again: few clients send more requests ahead.
const maxSpares = 4

// spend keeps an exchange whose reply was sent. One that a handler may still hold is left to the garbage collector: that of a
// request that outlives its answer, or of a handler that has not returned. With mu held.
func (c *conn) spend(x *Exchange) {
	if x == nil || x.kept || x.handling || c.spares == maxSpares {
		return
	}
	*x = Exchange{next: c.spare}
	c.spare = x
	c.spares++
}

// handled writes what can be written now that the connection's goroutine is free for it.
func (c *conn) handled(x *Exchange) {
	c.mu.Lock()
	x.handling = false
	turn := c.takeTurn()
	c.mu.Unlock()
	switch {
	case turn && c.rests.Load() != nil:
		c.writeSoon()
	case turn:
		c.write()
	}
}

// answer stores an exchange's answer. Before Handle has returned it is left to the connection's
// goroutine, which will write it without a switch; after, a goroutine is started if it is its turn.
func (c *conn) answer(x *Exchange, r wire.Reply, abort error) {
	c.mu.Lock()
	if x.answered {
		c.mu.Unlock()
		panic("server: exchange answered twice")
	}
	x.answered, x.reply, x.abort = true, r, abort
	turn := !x.handling && c.takeTurn()
	frame, kept := x.frame, x.kept
	c.mu.Unlock() // and x may be over
	c.server.budget.give(len(frame.Bytes))
	if !kept {
		frame.Free()
	}
	if turn {
		c.writeSoon()
	}
}

// writeSoon writes without waiting: by a goroutine of its own, or for a parked connection here what can be written now, which is nearly always all.
func (c *conn) writeSoon() {
	r := c.rests.Load()
	if r == nil {
		go c.write()
		return
	}
	r.now = true
	c.write()
}

// takeTurn makes the caller the writer, if there is something to write and nobody writes. With mu held.
func (c *conn) takeTurn() bool {
	if c.writing || c.head == nil || !c.head.answered || c.head.handling {
		return false
	}
	c.writing = true
	return true
}

// write sends answered replies from the head on, until one is missing. After a failure the rest is
// dropped in the same way, since writes to a closed socket fail at once.
func (c *conn) write() {
	var sent *Exchange
	for {
		x, last := c.pop(sent)
		if last {
			c.close(errDraining)
		}
		if x == nil {
			return
		}
		if err := c.send(x); err != nil {
			c.close(err)
		}
		if r := c.rests.Load(); r != nil && r.unsent != nil {
			go c.writeRest(r)
			return
		}
		sent = x
	}
}

// writeRest goes on with what a parked connection could not send without waiting.
func (c *conn) writeRest(r *resting) {
	r.now = false
	c.writeUntil.Store(c.server.now() + int64(writeTime(len(r.unsent))))
	if _, err := r.Write(nil); err != nil {
		c.close(err)
	}
	c.writeUntil.Store(0)
	c.write()
}

// pop takes the head if it is answered, and otherwise ends the caller's turn to write; last says that
// a draining connection has sent all it owed. What the caller has sent before is over.
func (c *conn) pop(sent *Exchange) (x *Exchange, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spend(sent)
	x = c.head
	if x == nil || !x.answered {
		c.writing = false
		c.tellRoom()
		return nil, x == nil && c.closing
	}
	c.head = x.next
	if c.head == nil {
		c.tail = nil
	}
	c.owed--
	c.tellRoom()
	return x, false
}

// tellRoom wakes the connection's goroutine, if it waits for replies to be sent. With mu held.
func (c *conn) tellRoom() {
	select {
	case c.room <- struct{}{}:
	default:
	}
}

func (c *conn) send(x *Exchange) error {
	defer x.reply.Free()
	if x.abort != nil {
		return x.abort
	}
	if x.reply.IsZero() {
		return nil
	}
	now, size := c.server.now(), x.reply.Size()
	c.lastActive.Store(now)
	c.writeUntil.Store(now + int64(writeTime(size)))
	err := c.sendReply(&x.reply)
	c.writeUntil.Store(0)
	if size > longReply {
		c.lastActive.Store(c.server.now())
	}
	return err
}

func (c *conn) sendReply(r *wire.Reply) error {
	if c.under != nil {
		return c.under.send(r, c.socket)
	}
	return r.SendTo(c.socket)
}

// A client has writePatience for each reply, and more for a large one, at slowestLink bytes a second.
const (
	writePatience = 60 * time.Second
	slowestLink   = 64 << 10
)

// longReply is the size from which sending may take so long that the clock is worth a second look.
const longReply = 64 << 10

func writeTime(bytes int) time.Duration {
	return writePatience + time.Duration(bytes)*time.Second/slowestLink
}

// drain reads no more, wakes handlers that wait, and closes when all owed replies were sent.
func (c *conn) drain() {
	c.mu.Lock()
	c.closing = true
	idle := c.owed == 0 && !c.writing
	socket := c.socket // it is not exchanged any more
	c.mu.Unlock()
	c.release()
	if idle {
		c.close(errDraining)
		return
	}
	socket.SetReadDeadline(time.Unix(1, 0))
}

// release closes done, once.
func (c *conn) release() { c.released.Do(func() { close(c.done) }) }

// close ends the connection, once. Replies still to come are dropped as they are answered.
func (c *conn) close(reason error) {
	c.closed.Do(func() {
		c.mu.Lock()
		c.closing = true
		socket := c.socket
		c.mu.Unlock()
		c.release()
		if c.under != nil {
			c.under.last.Store(true)
		}
		socket.Close()
		c.server.forget(c, reason)
	})
}
