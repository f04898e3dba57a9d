package api

import (
	"sync"
	"time"

	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Call is one request on its way through a handler.
type Call struct {
	Header wire.Header
	Client *wire.Client

	api      *API
	row      *row
	exchange Exchange
	began    time.Duration // by elapsed
	waited   time.Duration // for others: replicas, records
	ready    time.Duration // when there was an answer
	follower bool          // a replica fetches
}

// calls are used again once they were answered, but for those whose handler may keep them.
var calls = sync.Pool{New: func() any { return new(Call) }}

var counting = time.Now()

// elapsed is a clock for differences. It asks the system once, time.Now twice.
func elapsed() time.Duration { return time.Since(counting) }

// Done is closed when nobody waits for the reply any more: a handler that waits gives up.
func (c *Call) Done() <-chan struct{} { return c.exchange.Done() }

// Reply sends the response in the request's version. A call gets exactly one answer: Reply, ReplyRaw or Abort.
func (c *Call) Reply(response kmsg.Response) {
	response.SetVersion(c.Header.Version)
	c.countErrors(response)
	c.ReplyRaw(wire.NewReply(c.Header, response))
}

// ReplyRaw sends an encoded response. The zero Reply sends nothing (Produce with acks=0).
func (c *Call) ReplyRaw(r wire.Reply) {
	c.ready = elapsed()
	r.OnSent(c)
	c.exchange.Reply(r)
}

// Abort closes the connection in the reply's turn; the reason is logged.
func (c *Call) Abort(reason error) {
	x := c.exchange
	c.ready = elapsed()
	c.Sent() // and c may be another's from here on
	x.Abort(reason)
}

// ReplyNothing takes the call's turn and sends nothing.
func (c *Call) ReplyNothing() { c.ReplyRaw(wire.Reply{}) }
