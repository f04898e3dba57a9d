package api

import (
	"bytes"
	"context"

	"barnabas/internal/wire"
)

// Ask answers a request that no connection has brought: one that a keeper has for the controller, on behalf of a client
// of ZooKeeper's protocol. Only what the controller alone can do may be asked so. Frame and answer are without
// their sizes.
func (a *API) Ask(ctx context.Context, frame []byte) ([]byte, error) {
	header, _, err := wire.ParseHeader(frame)
	if err != nil {
		return nil, err
	}
	if row := a.row(header.Key); row == nil || !row.controller {
		return nil, wire.ErrUnsupported
	}
	x := &question{frame: frame, done: ctx.Done(), answer: make(chan said, 1)}
	x.client.Address = "zookeeper"
	a.Handle(x)
	select {
	case got := <-x.answer:
		return got.frame, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// question is the exchange of a request that Ask answers.
type question struct {
	frame  []byte
	client wire.Client
	done   <-chan struct{}
	answer chan said
}

type said struct {
	frame []byte
	err   error
}

func (x *question) Frame() []byte         { return x.frame }
func (x *question) Keep()                 {}
func (x *question) Client() *wire.Client  { return &x.client }
func (x *question) Done() <-chan struct{} { return x.done }
func (x *question) Abort(reason error)    { x.answer <- said{err: reason} }

func (x *question) Reply(r wire.Reply) {
	var frame bytes.Buffer
	err := r.SendTo(&frame)
	r.Free()
	if err != nil {
		x.answer <- said{err: err}
		return
	}
	x.answer <- said{frame: frame.Next(frame.Len())[4:]} // without its size
}
