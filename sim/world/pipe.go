package world

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window bounds the bytes under way in one direction of a connection, as a socket's buffers do.
const window = 256 << 10

// stream is one direction of a connection: bytes that arrive in order, each after a delay.
type stream struct {
	mu      sync.Mutex
	chunks  []chunk
	size    int
	ended   bool  // the writer has closed: what is under way still arrives
	held    bool  // the link is cut: nothing arrives, and neither does the news of an end
	broken  error // the connection is gone, for both ends
	changed chan struct{}
}

type chunk struct {
	data []byte
	at   time.Time
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// news is closed with the next change. It is taken before anything is looked at, the ends' own state too: who waits for it then
// misses nothing.
func (s *stream) news() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// wake lets both ends look again; mu is held.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// hold stops what is under way, or lets it go on.
func (s *stream) hold(held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != held {
		s.held = held
		s.wake()
	}
}

func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wake()
}

func (s *stream) breakOff(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken, s.chunks, s.size = err, nil, 0
	}
	s.wake()
}

// conn is one end of a connection.
type conn struct {
	in, out       *stream
	local, remote net.Addr
	delay         func() time.Duration

	mu            sync.Mutex
	arrival       time.Time // of the last bytes sent: nothing overtakes
	readDeadline  time.Time
	writeDeadline time.Time
	closed        bool
	once          sync.Once
	left          func() // forgets the connection
}

var _ net.Conn = (*conn)(nil)

func (c *conn) Read(buf []byte) (int, error) {
	for s := c.in; ; {
		changed := s.news()
		c.mu.Lock()
		deadline, closed := c.readDeadline, c.closed
		c.mu.Unlock()
		now, until := time.Now(), deadline
		s.mu.Lock()
		switch {
		case closed:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case s.broken != nil && !s.held:
			s.mu.Unlock()
			return 0, s.broken
		case !deadline.IsZero() && !now.Before(deadline):
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case s.held:
		case len(s.chunks) > 0 && !now.Before(s.chunks[0].at):
			n := s.take(buf)
			s.mu.Unlock()
			return n, nil
		case len(s.chunks) > 0 && (until.IsZero() || s.chunks[0].at.Before(until)):
			until = s.chunks[0].at
		case len(s.chunks) == 0 && s.ended:
			s.mu.Unlock()
			return 0, io.EOF
		}
		s.mu.Unlock()
		await(changed, until)
	}
}

// take moves bytes that have arrived to a reader; mu is held.
func (s *stream) take(buf []byte) int {
	n := copy(buf, s.chunks[0].data)
	if s.chunks[0].data = s.chunks[0].data[n:]; len(s.chunks[0].data) == 0 {
		s.chunks = s.chunks[1:]
	}
	s.size -= n
	s.wake()
	return n
}

func (c *conn) Write(data []byte) (int, error) {
	sent := 0
	for s := c.out; sent < len(data); {
		changed := s.news()
		c.mu.Lock()
		deadline, closed := c.writeDeadline, c.closed
		c.mu.Unlock()
		at := c.arrives() // the network's lock is taken before the stream's
		s.mu.Lock()
		switch {
		case closed:
			s.mu.Unlock()
			return sent, net.ErrClosed
		case s.broken != nil && !s.held:
			s.mu.Unlock()
			return sent, s.broken
		case !deadline.IsZero() && !time.Now().Before(deadline):
			s.mu.Unlock()
			return sent, os.ErrDeadlineExceeded
		case s.size < window:
			n := min(len(data)-sent, window-s.size)
			s.chunks = append(s.chunks, chunk{append([]byte(nil), data[sent:sent+n]...), at})
			s.size += n
			sent += n
			s.wake()
			s.mu.Unlock()
			continue
		}
		s.mu.Unlock()
		await(changed, deadline)
	}
	return sent, nil
}

// arrives is when bytes sent now get to the other end.
func (c *conn) arrives() time.Time {
	at := time.Now().Add(c.delay())
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Before(c.arrival) {
		at = c.arrival
	}
	c.arrival = at
	return at
}

func await(changed <-chan struct{}, until time.Time) {
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.out.end()
		c.in.breakOff(syscall.EPIPE) // who goes on writing to it learns so
		c.left()
	})
	return nil
}

// reset is what both ends see when the machine of one has gone.
func (c *conn) reset() {
	c.in.breakOff(syscall.ECONNRESET)
	c.out.breakOff(syscall.ECONNRESET)
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error { return c.setDeadlines(&t, &t) }

func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(&t, nil) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(nil, &t) }

func (c *conn) setDeadlines(read, write *time.Time) error {
	c.mu.Lock()
	if read != nil {
		c.readDeadline = *read
	}
	if write != nil {
		c.writeDeadline = *write
	}
	c.mu.Unlock()
	for _, s := range [...]*stream{c.in, c.out} {
		s.mu.Lock()
		s.wake()
		s.mu.Unlock()
	}
	return nil
}
