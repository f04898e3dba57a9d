package api

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/wire"
)

// Exchange is a request frame and the place where its reply goes. Server's implements it, and tests' do.
type Exchange interface {
	// Frame is the request, header and body; valid until Reply or Abort, or for ever after Keep.
	Frame() []byte
	Keep()
	Client() *wire.Client
	// Done is closed when nobody waits for the reply any more.
	Done() <-chan struct{}
	// Reply or Abort is called once.
	Reply(wire.Reply)
	Abort(reason error)
}

// API answers requests. It owns the goroutine that makes topics for those who ask for them, until Close.
type API struct {
	Deps
	rows      [numKeys]*row
	sessions  *sessionCache
	waits     sync.Pool // of *fetchWait
	creations *creations
}

// numKeys is one more than the highest key in the table.
const numKeys = 96

// New returns an API over the rooms that its handlers call.
func New(d Deps) *API {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	slots := config.FetchSessionSlots.In(d.Config())
	a := &API{Deps: d, sessions: newSessionCache(slots, d.Clock), waits: sync.Pool{New: newFetchWait}}
	a.creations = newCreations(a)
	name := errorName
	d.Metrics.Requests.ErrorName.Store(&name)
	for _, r := range rows() {
		if a.rows[r.key] != nil {
			panic(fmt.Sprintf("api: key %d has two rows", r.key))
		}
		r.metrics = &requestMetrics{registry: d.Metrics, key: r.key}
		a.rows[r.key] = &r
	}
	return a
}

// Close ends what requests have begun and not waited for.
func (a *API) Close() { a.creations.close() }

// Handle answers one request.
func (a *API) Handle(x Exchange) {
	client := x.Client()
	h, body, err := client.ParseHeader(x.Frame())
	r := a.row(h.Key)
	unknown := r == nil || h.Version < r.min || h.Version > r.max
	switch {
	case unknown && h.Key == wire.KeyApiVersions: // whatever its header has become by then
		a.unknownApiVersions(x, h)
		return
	case err != nil:
		x.Abort(err)
		return
	case unknown: // Kafka closes the connection
		x.Abort(fmt.Errorf("%w: key %d version %d", wire.ErrUnsupported, h.Key, h.Version))
		return
	}
	c := calls.Get().(*Call)
	*c = Call{Header: h, Client: client, api: a, row: r, exchange: x, began: elapsed()}
	a.serve(c, body)
}

// Patient tells of a request, header and body, that it may wait beside many others and has a handler that does not wait itself: what consumers send
// to their coordinator time and again (server.Options).
func Patient(frame []byte) bool {
	if len(frame) < 2 {
		return false
	}
	key := int16(binary.BigEndian.Uint16(frame))
	return key == keyHeartbeat || key == keyOffsetCommit
}

func (a *API) row(key int16) *row {
	if key < 0 || int(key) >= len(a.rows) {
		return nil
	}
	return a.rows[key]
}

func (a *API) serve(c *Call, body []byte) {
	if key := c.Header.Key; key != keyFetch && key != wire.KeyApiVersions {
		a.Cores.Heard()
	}
	if c.row.raw != nil {
		if err := wire.CheckBody(c.Header.Key, c.Header.Version, body); err != nil {
			c.exchange.Abort(err)
			return
		}
		c.row.raw(a, c, body)
		return
	}
	decode := wire.Decode
	switch {
	case c.row.inPlace:
		decode = wire.DecodeInPlace
	case !c.row.copied:
		c.exchange.Keep()
	}
	request, err := decode(c.Header, body)
	if err != nil {
		c.exchange.Abort(err)
		return
	}
	if c.row.controller && a.elsewhere(c) {
		a.forward(c, request, func(a *API) { c.row.handle(a, c, request) })
		return
	}
	c.row.handle(a, c, request)
}

// logger of a call names who asked.
func (c *Call) logger() *slog.Logger {
	return c.api.Logger.With("client", c.Header.ClientID, "address", c.Client.Address)
}
