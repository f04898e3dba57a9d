package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"barnabas/internal/controller"
	"barnabas/internal/metadata"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Envelope 0 (KIP-590): what only the controller can do comes to it in an envelope from the broker that was asked, and
// the answer goes back in one. Brokers alone send it: it is not among the versions that clients are told. A request
// that came so is not sent on: who is not the controller any more answers NOT_CONTROLLER.

func (a *API) envelope(c *Call, request *kmsg.EnvelopeRequest) {
	if !a.authorized(c, opClusterAction, metadata.BrokerResource, "") {
		response := kmsg.NewPtrEnvelopeResponse()
		response.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		c.Reply(response)
		return
	}
	header, _, err := wire.ParseHeader(request.RequestData)
	if err != nil {
		c.Abort(err)
		return
	}
	if row := a.row(header.Key); row == nil || !row.controller || !a.Controller.Elected() {
		response := kmsg.NewPtrEnvelopeResponse()
		response.ErrorCode = kerr.NotController.Code
		c.Reply(response)
		return
	}
	x := &enclosed{call: c, frame: request.RequestData}
	x.client.Address, x.client.Listener = string(request.ClientHostAddress), c.Client.Listener
	a.Handle(x)
}

// enclosed is the exchange of a request in an envelope.
type enclosed struct {
	call   *Call
	frame  []byte
	client wire.Client
}

func (x *enclosed) Frame() []byte         { return x.frame }
func (x *enclosed) Keep()                 {}
func (x *enclosed) Client() *wire.Client  { return &x.client }
func (x *enclosed) Done() <-chan struct{} { return x.call.Done() }
func (x *enclosed) Abort(reason error)    { x.call.Abort(reason) }

func (x *enclosed) Reply(r wire.Reply) {
	var frame bytes.Buffer
	err := r.SendTo(&frame)
	r.Free()
	if err != nil {
		x.call.Abort(err)
		return
	}
	response := kmsg.NewPtrEnvelopeResponse()
	response.ResponseData = frame.Next(frame.Len())[4:] // without its size
	x.call.Reply(response)
}

var errNotForwarded = errors.New("the request could not be brought to the controller, and another one is elected only while most keepers answer")

// forwardWithin is the least time in which a request is brought to the controller, whatever it gives itself.
const forwardWithin = time.Second

// forward brings a client's request to the controller and its answer back. Where that can't be done within the time that the request
// gives, or request.timeout.ms if that is less, everything in it is refused with REQUEST_TIMED_OUT, as by Kafka: answer does so on an
// API without a controller.
func (a *API) forward(c *Call, request kmsg.Request, answer func(a *API)) {
	ctx, cancel := a.withinDefault()
	defer cancel()
	if r, ok := request.(kmsg.TimeoutRequest); ok {
		ctx, cancel = context.WithTimeout(ctx, max(time.Duration(r.Timeout())*time.Millisecond, forwardWithin))
		defer cancel()
	}
	frame, err := a.Forward(ctx, c.exchange.Frame(), c.Client)
	if err == nil {
		c.ReplyRaw(wire.NewRawReply(frame))
		return
	}
	alone := &API{Deps: a.Deps, rows: a.rows, sessions: a.sessions, creations: a.creations}
	alone.Controller = controller.Unreachable(fmt.Errorf("%w: %w", errNotForwarded, err))
	answer(alone)
}
