package zookeeper

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

const (
	// maxOutstanding bounds the writes of one connection that have not been answered.
	maxOutstanding = 1000
	// maxUnsent is how many bytes of answers wait for a client before no more of its requests are read.
	maxUnsent = 4 << 20
	// maxUnread is how many bytes wait, watch events included, before a client that does not read is cut off.
	maxUnread = 16 << 20
	// maxWatches bounds the paths that one connection watches.
	maxWatches = 100000
	// sendWithin bounds one write to a client.
	sendWithin = 30 * time.Second
)

// conn is a client's connection. Its reader, which is run's caller, carries out reads and hands writes over; its
// sender writes what has been appended to out.
type conn struct {
	server  *Server
	net     net.Conn
	in      *bufio.Reader
	address string
	ids     atomic.Pointer[[]jute.ID]
	started time.Time

	// session and local are set when the session is there, with the replica's lock held.
	session atomic.Int64
	local   *local

	mu sync.Mutex
	// changed tells of anything below.
	changed *sync.Cond
	out     []byte
	// pending are the writes under way.
	pending int
	// finishing closes the connection when out has been sent; gone says that it is closed.
	finishing, gone bool

	tally tally
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, net: nc, in: bufio.NewReader(nc), started: time.Now()}
	c.changed = sync.NewCond(&c.mu)
	c.address = nc.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(c.address); err == nil {
		c.address = host
	}
	c.ids.Store(&[]jute.ID{tree.Address(c.address)})
	return c
}

func (c *conn) identities() []jute.ID { return *c.ids.Load() }

// run is the reader.
func (c *conn) run() {
	c.server.running.Add(1)
	go func() {
		defer c.server.running.Done()
		c.send()
	}()
	defer c.abort()
	if err := c.net.SetReadDeadline(time.Now().Add(helloWithin)); err != nil {
		return
	}
	var first [4]byte
	if _, err := io.ReadFull(c.in, first[:]); err != nil {
		return
	}
	if word := string(first[:]); isWord(word) {
		c.enqueue([]byte(c.server.answerWord(word, c)))
		c.finish()
		c.drained()
		return
	}
	if !c.greet(int32(binary.BigEndian.Uint32(first[:]))) {
		c.finish()
		c.drained()
		return
	}
	_ = c.net.SetReadDeadline(time.Time{})
	for {
		frame, err := c.frame()
		if err != nil {
			c.complain(err)
			return
		}
		c.server.stats.received.Add(1)
		c.tally.received.Add(1)
		if !c.handle(frame) {
			c.drained()
			return
		}
	}
}

func (c *conn) frame() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.in, length[:]); err != nil {
		return nil, err
	}
	return jute.ReadFrame(c.in, int32(binary.BigEndian.Uint32(length[:])), jute.MaxBuffer)
}

// complain logs why a client is cut off, unless it simply went.
func (c *conn) complain(err error) {
	if errors.Is(err, jute.ErrFrameLength) {
		c.server.log.Warn("zookeeper: a client is cut off", "client", c.net.RemoteAddr(), "session", hexID(c.session.Load()), "error", err)
	}
}

// send is the sender: it writes what has been appended, as much as there is at a time.
func (c *conn) send() {
	var spare []byte
	for {
		c.mu.Lock()
		for len(c.out) == 0 && !c.finishing && !c.gone {
			c.changed.Wait()
		}
		batch := c.out
		if c.gone || len(batch) == 0 {
			c.mu.Unlock()
			c.abort()
			return
		}
		c.out = spare[:0]
		c.changed.Broadcast()
		c.mu.Unlock()
		_ = c.net.SetWriteDeadline(time.Now().Add(sendWithin))
		if _, err := c.net.Write(batch); err != nil {
			c.abort()
			return
		}
		if spare = batch; cap(spare) > 64<<10 {
			spare = nil
		}
	}
}

// enqueue appends bytes for the sender.
func (c *conn) enqueue(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.finishing {
		return
	}
	if len(c.out)+len(b) > maxUnread {
		c.server.log.Warn("zookeeper: a client that does not read is cut off", "client", c.address, "session", hexID(c.session.Load()))
		c.cut()
		return
	}
	c.out = append(c.out, b...)
	c.changed.Broadcast()
}

// reply answers a request.
func (c *conn) reply(xid int32, zxid int64, code jute.Code, body []byte) {
	frame, start := jute.Framed(make([]byte, 0, 20+len(body)))
	frame = jute.AppendReplyHeader(frame, xid, zxid, code)
	if code == jute.OK {
		frame = append(frame, body...)
	}
	c.enqueue(jute.End(frame, start))
	c.server.stats.sent.Add(1)
	c.tally.sent.Add(1)
}

// notify tells of a watch's event.
func (c *conn) notify(event jute.EventType, path string) {
	frame, start := jute.Framed(nil)
	c.enqueue(jute.End(jute.AppendNotification(frame, event, path), start))
	c.server.stats.sent.Add(1)
	c.tally.sent.Add(1)
}

// finish closes the connection when everything has been sent.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finishing = true
	c.changed.Broadcast()
}

// abort closes the connection.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut()
}

// cut closes the connection; mu is held.
func (c *conn) cut() {
	if !c.gone {
		c.gone = true
		c.net.Close()
		c.changed.Broadcast()
	}
}

// drained waits until the sender has sent everything and closed the connection.
func (c *conn) drained() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.gone {
		c.changed.Wait()
	}
}

// idle waits until every write has been answered and the client reads; false once the connection is closed.
func (c *conn) idle() bool { return c.wait(1) }

// wait waits until there are fewer than so many writes under way.
func (c *conn) wait(pending int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.gone && !c.finishing && (c.pending >= pending || len(c.out) > maxUnsent) {
		c.changed.Wait()
	}
	return !c.gone && !c.finishing
}

// begin and end count the writes under way.
func (c *conn) begin() bool {
	if !c.wait(maxOutstanding) {
		return false
	}
	c.mu.Lock()
	c.pending++
	c.mu.Unlock()
	return true
}

func (c *conn) end() {
	c.mu.Lock()
	c.pending--
	c.changed.Broadcast()
	c.mu.Unlock()
}

func hexID(session int64) string { return "0x" + strconv.FormatUint(uint64(session), 16) }
