package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/wire"
)

var (
	errHandshake = errors.New("TLS handshake failed")
	errSlow      = errors.New("it was not over within barnabas.ssl.handshake.timeout.ms")
	errNoTurn    = errors.New("barnabas.ssl.handshakes.max others were under way for barnabas.ssl.handshake.timeout.ms")
)

// encrypted is what lies under the TLS of a connection. Records that belong to one reply are gathered, so that they go out with a system
// call for each gatherBytes instead of one for each 16 KiB.
type encrypted struct {
	net.Conn
	last atomic.Bool // the connection is being closed

	mu     sync.Mutex
	out    *wire.Buffer // guarded by mu; nil unless a reply is being sent
	failed error        // guarded by mu
}

const (
	gatherBytes = 64 << 10
	// gatherRoom holds gatherBytes and the record that goes beyond.
	gatherRoom = 128 << 10
)

// Write is called by crypto/tls, a record at a time.
func (e *encrypted) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.out == nil {
		return e.Conn.Write(b)
	}
	if e.failed != nil {
		return 0, e.failed
	}
	e.out.Bytes = append(e.out.Bytes, b...)
	if len(e.out.Bytes) >= gatherBytes {
		e.flush()
	}
	return len(b), e.failed
}

// flush is called with mu held.
func (e *encrypted) flush() {
	if e.failed == nil && len(e.out.Bytes) > 0 {
		_, e.failed = e.Conn.Write(e.out.Bytes)
	}
	e.out.Bytes = e.out.Bytes[:0]
}

// send writes a reply through the TLS on top.
func (e *encrypted) send(r *wire.Reply, through io.Writer) error {
	if r.Size() <= oneRecord {
		return r.SendTo(through)
	}
	e.mu.Lock()
	e.out = wire.NewBuffer(gatherRoom)
	e.out.Bytes = e.out.Bytes[:0]
	e.mu.Unlock()
	err := r.SendTo(through)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flush()
	e.out.Free()
	e.out = nil
	if err == nil {
		err = e.failed
	}
	return err
}

// oneRecord is how much a record of TLS holds.
const oneRecord = 16 << 10

// farewell bounds the sending of the last record, that nothing follows: a client that does not read does not keep the sweeper.
const farewell = 10 * time.Millisecond

// SetWriteDeadline is called by crypto/tls before the last record.
func (e *encrypted) SetWriteDeadline(t time.Time) error {
	if soon := time.Now().Add(farewell); e.last.Load() && t.After(soon) {
		t = soon
	}
	return e.Conn.SetWriteDeadline(t)
}

// secure puts TLS on a connection that was just accepted.
func (c *conn) secure(config *tls.Config) {
	c.under = &encrypted{Conn: c.socket}
	c.socket = tls.Server(c.under, config)
}

// handshake begins TLS, where the listener speaks it, once it is this connection's turn, and within the time for that.
func (c *conn) handshake() error {
	secured, ok := c.socket.(*tls.Conn)
	if !ok {
		return nil
	}
	within := c.server.handshakeTimeout
	timer := time.NewTimer(within)
	defer timer.Stop()
	deadline := time.Now().Add(within)
	select {
	case c.server.handshakes <- struct{}{}:
		defer func() { <-c.server.handshakes }()
	case <-c.done:
		return net.ErrClosed
	case <-timer.C:
		return fmt.Errorf("%w: %w", errHandshake, errNoTurn)
	}
	if err := c.under.Conn.SetDeadline(deadline); err != nil {
		return err
	}
	if err := secured.Handshake(); err != nil {
		return handshakeError(err)
	}
	c.lastActive.Store(c.server.now())
	return c.under.Conn.SetDeadline(time.Time{})
}

// handshakeError says what a failed handshake means. One that was given up before it began is nothing: whoever looks whether a port is
// open does that.
func handshakeError(err error) error {
	var header tls.RecordHeaderError
	var verification *tls.CertificateVerificationError
	var expired x509.CertificateInvalidError
	switch {
	case err == io.EOF, errors.Is(err, net.ErrClosed):
		return err
	case errors.As(err, &header):
		name := protocolOf(header.RecordHeader[:sizeBytes])
		if name == "" {
			name = "the Kafka protocol without TLS, or something else: give the client security.protocol=SSL, or the port of a PLAINTEXT listener"
		}
		return fmt.Errorf("%w: the client speaks %s", errHandshake, name)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", errHandshake, errSlow)
	case errors.As(err, &verification) && errors.As(err, &expired) && expired.Reason == x509.Expired:
		return fmt.Errorf("%w: the client's certificate has expired: %w", errHandshake, err)
	case errors.As(err, &verification):
		return fmt.Errorf("%w: the client's certificate is not one of those that ssl.truststore.location trusts: %w", errHandshake, err)
	case strings.Contains(err.Error(), "client didn't provide a certificate"):
		return fmt.Errorf("%w: the client shows no certificate, and ssl.client.auth=required: give it a key store", errHandshake)
	case strings.Contains(err.Error(), "remote error") && strings.Contains(err.Error(), "certificate"):
		return fmt.Errorf("%w: the client does not accept this listener's certificate (%w): it wants its issuer in ssl.truststore.location, "+
			"and its own idea of the host name in the certificate", errHandshake, err)
	}
	return fmt.Errorf("%w: %w", errHandshake, err)
}
