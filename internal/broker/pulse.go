package broker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
	"barnabas/internal/wire"
)

// pulses notice when another broker has died or vanished, long before its lease would end: a connection to each breaks,
// or what is asked on it stays without an answer. It is asked where nothing was heard of the broker for a while: one
// that is copied from answers all the time. What a broker can't reach it says in the metadata
// store (a metadata.Doubt); the one that is meant may say there that it lives; and when [condemned] says so
// whoever sees it first ends the registration. A broker that was taken for dead by mistake registers again: that
// costs an election and no record.
type pulses struct {
	broker ident.BrokerID
	store  metadata.Store
	image  func() *metadata.Image
	lease  func() metadata.Lease
	*roads
	partitions *replication.Manager
	logger     *slog.Logger
	ctx        context.Context
	running    sync.WaitGroup
	news       chan struct{}                    // one place: doubts have changed
	watched    map[ident.BrokerID]watchedBroker // the feed's goroutine's
}

// watchedBroker is one registration, and what ends the watch over it; nil once that has ended.
type watchedBroker struct {
	*pulse
	stop context.CancelFunc
}

// returns tells whether a registration is that of the process which was watched, and did not answer: it has registered anew,
// and is known already, so that what it may do is not in doubt only when it answers again.
func (w watchedBroker) returns(b *metadata.Broker) bool {
	return w.silent.Load() && w.of.Boot == b.Boot && slices.Equal(w.of.Stores, b.Stores) &&
		slices.Equal(addressesOf(w.of), addressesOf(b))
}

const (
	// pulseAfter is how long after its last answer a broker is asked whether it is there, a little longer than an idle fetch
	// waits by default; pulseWithin is how long it has to answer, pulseLate when that begins to be odd.
	pulseAfter  = 550 * time.Millisecond
	pulseLate   = 300 * time.Millisecond
	pulseWithin = 1150 * time.Millisecond
	// The pauses between attempts to connect to a broker that neither answers nor refuses.
	firstPulsePause = 20 * time.Millisecond
	maxPulsePause   = time.Second
)

func (b *Broker) startPulses(ctx context.Context) *pulses {
	p := &pulses{
		broker: b.id, store: b.meta.store, image: b.feed.Current, lease: b.session.held, roads: b.roads, partitions: b.partitions,
		logger: b.logger, ctx: ctx, news: make(chan struct{}, 1), watched: map[ident.BrokerID]watchedBroker{},
	}
	p.running.Go(p.judge)
	return p
}

// apply is called by the feed.
func (p *pulses) apply(delta *metadata.Delta) {
	for _, change := range delta.Brokers {
		if change.ID == p.broker {
			continue
		}
		old, watched := p.watched[change.ID]
		if watched && change.New != nil && change.New.Epoch == old.of.Epoch {
			continue
		}
		if watched {
			old.stop() // it is remembered for the case that it comes back
		}
		if change.New != nil {
			ctx, stop := context.WithCancel(p.ctx)
			w := &pulse{pulses: p, of: change.New, known: watched && old.returns(change.New)}
			p.watched[change.ID] = watchedBroker{w, stop}
			p.running.Go(func() { w.watch(ctx) })
		}
	}
	if delta.Doubts || len(delta.Brokers) > 0 {
		select {
		case p.news <- struct{}{}:
		default:
		}
	}
}

// wait returns when all goroutines have ended, after the context has.
func (p *pulses) wait() { p.running.Wait() }

// watch is over one registration.
func (w *pulse) watch(ctx context.Context) {
	defer w.trust()
	for wait := firstPulsePause; ctx.Err() == nil; wait = min(2*wait, maxPulsePause) {
		began := time.Now()
		reached, err := w.hold(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.known && err != nil {
			w.lost(err)
		}
		if time.Since(began) > maxPulsePause {
			wait = firstPulsePause
		}
		if reached && wait == firstPulsePause {
			continue // see at once whether it is still there
		}
		pause(ctx, wait)
	}
}

// pulse is the watch over one registration, on its goroutine.
type pulse struct {
	*pulses
	of      *metadata.Broker
	known   bool // it has answered once: the address is right
	doubted bool // it was said that it does not answer
	refused bool // and that it refuses connections
	// silent is that it does not answer, and does not refuse either. The feed's goroutine reads it too.
	silent atomic.Bool
}

// hold connects and asks now and then, until that goes wrong. The first error after a success only says that the
// connection is no more; whether the broker is, the next attempt tells.
func (w *pulse) hold(ctx context.Context) (reached bool, err error) {
	within, cancel := context.WithTimeout(ctx, pulseWithin)
	defer cancel()
	peer, err := w.reach(within, w.of)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, peer.Close)
	defer stop()
	defer peer.Close()
	defer w.watchOver(w.of, peer)()
	for {
		if err := w.ask(peer); err != nil {
			if reached && !isTimeout(err) {
				err = nil
			}
			return reached, err
		}
		reached, w.known = true, true
		w.silent.Store(false)
		w.trust()
		if ended := peer.AwaitClose(pulseAfter); ended {
			return true, nil
		}
	}
}

// ask has the broker say anything. While it does not, its keeper may be as silent, on whose word the verdict waits.
func (w *pulse) ask(peer *wire.Peer) error {
	late := time.AfterFunc(pulseLate, w.suspect)
	defer late.Stop()
	answer, err := wire.Call[*kmsg.ApiVersionsResponse](peer, kmsg.NewPtrApiVersionsRequest(), pulseWithin)
	if err == nil {
		answer.Free()
	}
	return err
}

// suspect has the metadata store look whether those are there whom it talks to.
func (w *pulse) suspect() {
	if store, ok := w.store.(interface{ Suspect() }); ok {
		store.Suspect()
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// lost says in the metadata store that the broker can't be reached.
func (w *pulse) lost(why error) {
	refused := errors.Is(why, syscall.ECONNREFUSED)
	w.silent.Store(!refused)
	if w.doubted && w.refused == refused {
		return
	}
	if now := w.image().Broker(w.of.ID); now == nil || now.Epoch != w.of.Epoch {
		return // it is known to be gone
	}
	ctx, cancel := context.WithTimeout(w.ctx, leaveTime)
	defer cancel()
	said, err := w.store.Txn(ctx, metadata.Txn{
		If: []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(w.of.ID), w.of.Epoch)},
		Then: []metadata.Op{metadata.PutLeased(metadata.DoubtKey(w.of.ID, w.broker),
			metadata.EncodeDoubt(metadata.Doubt{Epoch: w.of.Epoch, Refused: refused}), w.lease().ID())},
	})
	if err != nil || !said.OK {
		return
	}
	w.doubted, w.refused = true, refused
	w.logger.Info("broker can't be reached", "id", int32(w.of.ID), "address", addressesOf(w.of), "why", why)
}

// trust takes that back.
func (w *pulse) trust() {
	if !w.doubted {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), leaveTime)
	defer cancel()
	_, err := w.store.Txn(ctx, metadata.Txn{Then: []metadata.Op{metadata.Delete(metadata.DoubtKey(w.of.ID, w.broker))}})
	w.doubted = err != nil
}
