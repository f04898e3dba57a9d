package broker

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/wire"
)

// forwardPause is between attempts to find the controller and reach it.
const forwardPause = 20 * time.Millisecond

var errNoController = errors.New("the cluster has no controller")

// forward brings a request to the controller in an envelope, and its answer back. It tries again until ctx ends:
// elections are short.
func (b *Broker) forward(ctx context.Context, frame []byte, from *wire.Client) ([]byte, error) {
	for {
		answer, err := b.forwardOnce(ctx, frame, from)
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		pause(ctx, forwardPause)
	}
}

func (b *Broker) forwardOnce(ctx context.Context, frame []byte, from *wire.Client) ([]byte, error) {
	elected := b.feed.Current().ControllerID()
	if elected == ident.NoBroker {
		return nil, errNoController
	}
	registered := b.feed.Current().Broker(elected)
	if registered == nil {
		return nil, errNoController
	}
	within := config.RequestTimeout.In(b.settings.view())
	if deadline, ok := ctx.Deadline(); ok {
		within = time.Until(deadline)
	}
	peer, err := b.roads.reach(ctx, registered)
	if err != nil {
		return nil, err
	}
	defer peer.Close()
	request := kmsg.NewPtrEnvelopeRequest()
	request.RequestData, request.ClientHostAddress = frame, []byte(from.Address)
	answer, err := wire.Call[*kmsg.EnvelopeResponse](peer, request, within)
	if err != nil {
		return nil, err
	}
	defer answer.Free()
	if err := kerr.ErrorForCode(answer.Response.ErrorCode); err != nil {
		return nil, err
	}
	return append([]byte(nil), answer.Response.ResponseData...), nil
}
