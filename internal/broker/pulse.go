package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/wire"
)

// pulses notice at once when another broker's process has died: a connection to each, on which nothing is said,
// breaks, and a new one is refused. Its registration is ended then, long before its lease would be. A broker
// that was taken for dead by mistake registers again; that costs an election and no record.
type pulses struct {
	broker  ident.BrokerID
	store   metadata.Store
	image   func() *metadata.Image
	dial    wire.Dial
	logger  *slog.Logger
	ctx     context.Context
	running sync.WaitGroup
	watched map[ident.BrokerID]watchedBroker // the feed's goroutine's
}

// watchedBroker is one registration, and what ends the watch over it.
type watchedBroker struct {
	epoch metadata.Revision
	stop  context.CancelFunc
}

// The pauses between attempts to connect to a broker that neither answers nor refuses.
const (
	firstPulsePause = 20 * time.Millisecond
	maxPulsePause   = time.Second
)

func (b *Broker) startPulses(ctx context.Context) *pulses {
	return &pulses{
		broker: b.id, store: b.meta.store, image: b.feed.Current, dial: b.options.Dial, logger: b.logger, ctx: ctx,
		watched: map[ident.BrokerID]watchedBroker{},
	}
}

// apply is called by the feed.
func (p *pulses) apply(delta *metadata.Delta) {
	for _, change := range delta.Brokers {
		if change.ID == p.broker {
			continue
		}
		if w, ok := p.watched[change.ID]; ok && (change.New == nil || change.New.Epoch != w.epoch) {
			w.stop()
			delete(p.watched, change.ID)
		}
		if _, ok := p.watched[change.ID]; !ok && change.New != nil {
			ctx, stop := context.WithCancel(p.ctx)
			p.watched[change.ID] = watchedBroker{change.New.Epoch, stop}
			p.running.Go(func() { p.watch(ctx, change.New) })
		}
	}
}

// wait returns when all goroutines have ended, after the context has.
func (p *pulses) wait() { p.running.Wait() }

// watch is over one registration.
func (p *pulses) watch(ctx context.Context, b *metadata.Broker) {
	known := false // it has been reached once: the address is right
	for wait := firstPulsePause; ctx.Err() == nil; wait = min(2*wait, maxPulsePause) {
		began := time.Now()
		reached, err := p.hold(ctx, b)
		known = known || reached
		if time.Since(began) > maxPulsePause {
			wait = firstPulsePause
		}
		if known && errors.Is(err, syscall.ECONNREFUSED) && p.accuse(ctx, b) {
			return
		}
		if reached && wait == firstPulsePause {
			continue // see at once whether it is still there
		}
		pause(ctx, wait)
	}
}

// hold connects and returns when the connection has ended.
func (p *pulses) hold(ctx context.Context, b *metadata.Broker) (reached bool, err error) {
	within, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	peer, err := wire.DialPeer(within, p.dial, internalAddress(b), peerName(p.broker))
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, peer.Close)
	defer stop()
	defer peer.Close()
	return true, peer.AwaitClose()
}

// accuse ends the registration of a broker whose process has died, and its election. True when nothing is left to
// be done.
func (p *pulses) accuse(ctx context.Context, b *metadata.Broker) bool {
	image := p.image()
	if now := image.Broker(b.ID); now == nil || now.Epoch != b.Epoch || now.Leaving {
		return false // it has gone by itself, or is about to
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	ended, err := p.store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(b.ID), b.Epoch)},
		Then: []metadata.Op{metadata.Delete(metadata.BrokerKey(b.ID))},
	})
	if err != nil {
		return false
	}
	if ended.OK {
		p.logger.Warn("broker has died: its connections broke, and it refuses new ones", "id", int32(b.ID), "address", internalAddress(b))
	}
	if elected := image.Controller(); elected.Broker == b.ID {
		_, err = p.store.Txn(ctx, metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(metadata.ControllerKey(), elected.Epoch)},
			Then: []metadata.Op{metadata.Delete(metadata.ControllerKey())},
		})
	}
	return err == nil
}
