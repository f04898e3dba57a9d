package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// newSession is the broker's presence in the cluster, not begun yet.
func (b *Broker) newSession() *session {
	return &session{
		store: b.meta.store, ttl: config.KeeperSessionTimeout.In(b.config.View()), logger: b.logger,
		current: b.registration, evicted: make(chan struct{}, 1), writing: make(chan struct{}, 1), readmit: b.awaitReturn,
		known: func() metadata.Revision { return b.feed.Current().Revision() }, gone: b.gone.Store,
	}
}

// register enters the broker in the cluster and begins to stand for election.
func (b *Broker) register(ctx context.Context) error {
	enter := func() error { return b.patiently(ctx, func() error { return b.enter(ctx) }) }
	if b.standingBy.Load() {
		enter = func() error { return b.takeOver(ctx) }
	}
	if err := enter(); err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	b.standingBy.Store(false)
	b.proposer.nudge()
	b.controller = controller.Start(controller.Options{
		Broker: b.id, Store: b.meta.store, Feed: b.feed, Lease: b.session.held, View: b.settings.view, Logger: b.logger,
	})
	return nil
}

// enter opens the session. Where the id is taken it waits for as long as the registration of a broker that
// has died may last: after a kill the same id comes back on another disk before that.
func (b *Broker) enter(ctx context.Context) error {
	err := b.session.open(ctx)
	if !errors.Is(err, metadata.ErrBrokerIDTaken) {
		return err
	}
	b.logger.Warn("the broker id is registered on another store: if that broker is dead its registration ends soon",
		"broker", int32(b.id), "within", b.session.ttl.String(), "registration", err)
	for end := time.Now().Add(b.session.ttl + time.Second); time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, unavailablePause)
		if err = b.session.open(ctx); !errors.Is(err, metadata.ErrBrokerIDTaken) {
			return err
		}
	}
	return err
}

// controllerWait is how long a start waits for the cluster to have a controller. Without one, what needs it
// fails until there is.
const controllerWait = 3 * time.Second

// awaitController waits until somebody is elected, so that the first client finds its topic created. A broker
// alone elects itself within milliseconds.
func (b *Broker) awaitController(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, controllerWait)
	defer cancel()
	for ctx.Err() == nil {
		switch elected := b.feed.Current().ControllerID(); elected {
		case ident.NoBroker:
		case b.id:
			if b.controller.Elected() {
				return
			}
		default:
			return
		}
		pause(ctx, time.Millisecond)
	}
	b.logger.Warn("the cluster has no controller yet: topics can't be created and leaders not elected until it has")
}

// registration is what the cluster is told of this broker, as it is now.
func (b *Broker) registration() metadata.Broker {
	r := metadata.Broker{
		ID: b.id, Boot: b.options.Boot, Clean: true, Rack: b.rack(),
		Endpoints: b.endpoints(), Own: b.ownEndpoints(), Version: b.options.Version, Leaving: b.leaving.Load(),
		StartedMs: b.options.Began.UnixMilli(),
	}
	r.Told, r.ToldAll = b.hasTold()
	for _, d := range b.store.Dirs() {
		if d.Err() != nil {
			r.Failed++ // what is on it may come back, so it does not count as destroyed
			continue
		}
		r.Stores = append(r.Stores, d.ID())
		r.Clean = r.Clean && d.Clean()
		if d.Torn() {
			r.Torn, r.TornStores = true, append(r.TornStores, d.ID())
		}
	}
	for _, e := range r.Endpoints {
		if e.Listener == b.config.InterBroker {
			r.Internal = e
		}
	}
	return r
}

// hasTold is what a registration says of what this broker knew of lives of the keepers before. What it has said in this life, before it was
// started again, stays true.
func (b *Broker) hasTold() (life string, all bool) {
	t := b.told.Load()
	if t == nil || t.life == "" {
		return "", false
	}
	m := b.feed.Current().Member(b.id)
	return t.life, t.all || m != nil && m.Told == t.life && m.ToldAll
}
