package keeper

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/etcdstore"
)

// A process that is suspended (SIGSTOP, a frozen cgroup, a machine that is being moved) keeps its connections: the kernel goes on
// to acknowledge what is sent to it, so that neither keep-alives nor TCP_USER_TIMEOUT notice, and gRPC asks every ten seconds at
// most. Meanwhile calls wait in vain, and watches on that connection hear of nothing. So where a keeper leaves
// something unanswered for a while, or there is another reason for doubt, it is asked on a new connection, and its links are cut
// when it does not say anything there either.

const (
	// unanswered is how long a link may stay silent after something was sent on it, before the keeper is asked.
	unanswered = time.Second
	// speaksWithin is how long a keeper may take to say the first word on a new connection.
	speaksWithin = 800 * time.Millisecond
)

// http2Greeting is the preface of HTTP/2 with an empty SETTINGS frame (RFC 9113, 3.4): a server answers with its own settings.
const http2Greeting = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// links are a client's connections to keepers. There are as many as there are keepers.
type links struct {
	tls    *tls.Config
	log    *slog.Logger
	within time.Duration // speaksWithin
	// ctx ends with the client; cancel is called under mu, so that nobody begins to ask when asking is waited for.
	ctx    context.Context
	cancel context.CancelFunc
	asking sync.WaitGroup
	mu     sync.Mutex
	linked map[*link]bool  // guarded by mu
	silent map[string]bool // guarded by mu; addresses of which it was said that nobody answers there
}

func newLinks(remote Remote) *links {
	l := &links{tls: remote.TLS, log: remote.Logger, within: speaksWithin, linked: map[*link]bool{}, silent: map[string]bool{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if l.tls != nil {
		l.tls = l.tls.Clone()
		l.tls.InsecureSkipVerify = true // nothing is told to whoever it is, and any word shows that somebody is there
	}
	return l
}

// close ends the asking, and returns when nobody asks any more. The connections are whose who dialled.
func (l *links) close() {
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.asking.Wait()
}

// link is one connection.
type link struct {
	net.Conn
	links *links
	asked bool // guarded by links.mu; the keeper is being asked
	mu    sync.Mutex
	owed  bool        // guarded by mu; something was sent since the other end was heard
	timer *time.Timer // guarded by mu
}

// dial connects to a keeper.
func (l *links) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := dialKeeper(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &link{Conn: conn, links: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.linked[c] = true
	return c, nil
}

// Suspect has the keeper at the other end of every link asked whether it is there.
func (l *links) Suspect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.linked {
		l.ask(c)
	}
}

// ask begins to ask the keeper at the other end of a link, unless that is under way or nobody is asked any more. The caller
// holds mu.
func (l *links) ask(c *link) {
	if c.asked || l.ctx.Err() != nil {
		return
	}
	c.asked = true
	l.asking.Go(c.judge)
}

// Write implements net.Conn.
func (c *link) Write(p []byte) (int, error) {
	c.mu.Lock()
	switch {
	case c.owed:
	case c.timer == nil:
		c.timer = time.AfterFunc(unanswered, c.late)
	default:
		c.timer.Reset(unanswered)
	}
	c.owed = true
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// Read implements net.Conn.
func (c *link) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard()
	}
	return n, err
}

// Close implements net.Conn.
func (c *link) Close() error {
	c.links.mu.Lock()
	delete(c.links.linked, c)
	c.links.mu.Unlock()
	c.heard()
	return c.Conn.Close()
}

func (c *link) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owed {
		c.owed = false
		c.timer.Stop()
	}
}

// late is called when something has been unanswered for a while.
func (c *link) late() {
	c.mu.Lock()
	owed := c.owed
	c.mu.Unlock()
	if !owed {
		return
	}
	c.links.mu.Lock()
	defer c.links.mu.Unlock()
	c.links.ask(c)
}

// judge cuts the link to a keeper that does not say anything. Where it speaks, what is unanswered waits for something else, such as
// a quorum, and calls have deadlines of their own.
func (c *link) judge() {
	address := c.RemoteAddr().String()
	speaks := c.links.speaks(address)
	if c.links.learn(c, address, speaks) {
		c.links.log.Info("a keeper does not answer: connections to it are cut until it does", "keeper", address)
	}
	if speaks {
		c.heard()
	} else {
		c.Close()
	}
}

// learn remembers who is silent, and tells whether that is news. c may be asked again.
func (l *links) learn(c *link, address string, speaks bool) (fallenSilent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.asked = false
	if speaks {
		delete(l.silent, address)
		return false
	}
	fallenSilent = !l.silent[address]
	l.silent[address] = true
	return fallenSilent
}

// speaks tells whether somebody answers at an address. Only one who takes the connection, or at least does not refuse it, and then
// keeps silent does not: an old connection to somebody who refuses new ones may be in order.
func (l *links) speaks(address string) bool {
	ctx, cancel := context.WithTimeout(l.ctx, l.within)
	defer cancel()
	conn, err := dialKeeper(ctx, address)
	if err != nil {
		return l.ctx.Err() != nil || !isTimeout(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if l.tls != nil {
		return !isTimeout(tls.Client(conn, l.tls).Handshake()) // a certificate that is no good is an answer too
	}
	if _, err := conn.Write([]byte(http2Greeting)); err != nil {
		return !isTimeout(err)
	}
	_, err = conn.Read(make([]byte, 1))
	return !isTimeout(err)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// remoteStore is the Store of keepers elsewhere, with the links to them.
type remoteStore struct {
	*etcdstore.Store
	*links
}

var _ metadata.Store = remoteStore{}

// Close implements metadata.Store.
func (r remoteStore) Close() error {
	r.links.close()
	return r.Store.Close()
}
