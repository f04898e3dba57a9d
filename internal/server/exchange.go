package server

import (
	"barnabas/internal/wire"
)

// Exchange is one request and the place where its reply goes. Its frame is valid until Reply or Abort, and so is the Exchange,
// once its handler has returned: unless it was kept, another request gets its memory.
type Exchange struct {
	conn  *conn
	frame *wire.Buffer
	next  *Exchange // in the order of requests
	kept  bool

	// Guarded by conn.mu.
	answered bool
	handling bool // the connection's goroutine is in Handle with it
	reply    wire.Reply
	abort    error
}

// Frame is the request, header and body, without its four bytes of size.
func (x *Exchange) Frame() []byte { return x.frame.Bytes }

// Keep lets the frame, and the Exchange, outlive the answer: they are left to the garbage collector instead of being used again.
func (x *Exchange) Keep() { x.kept = true }

// Client is who asks.
func (x *Exchange) Client() *wire.Client { return &x.conn.client }

// Done is closed when nobody waits for the reply any more: the connection was closed, or the server stops.
func (x *Exchange) Done() <-chan struct{} { return x.conn.done }

// Reply sends a reply once all earlier requests of the connection have theirs. The zero Reply takes
// the exchange's turn and sends nothing. The server frees the reply.
func (x *Exchange) Reply(r wire.Reply) { x.conn.answer(x, r, nil) }

// Abort closes the connection when the exchange's turn comes, as Kafka does for requests it can't answer.
// The reason goes to the log.
func (x *Exchange) Abort(reason error) { x.conn.answer(x, wire.Reply{}, reason) }
