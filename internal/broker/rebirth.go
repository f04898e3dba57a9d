package broker

import (
	"context"
	"errors"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// reborn is called by the feed, and at the start, when the keepers have lost what they held, or a part of it, and live
// again: the registration is made anew if it is among that, and what this broker knows is put back. Meanwhile the
// broker goes on with the roles that it has.
func (b *Broker) reborn(ctx context.Context, known *metadata.Image, before, now metadata.Birth) error {
	b.logger.Warn("the keepers live again after a loss", "ensemble", now.Ensemble, "before", before.Ensemble,
		"kept to revision", int64(now.Kept), "known here to revision", int64(known.Revision()))
	id := b.id
	if b.session != nil {
		if err := b.registerAgain(ctx); err != nil {
			return err
		}
	} else {
		id = b.formerID()
	}
	r := metadata.Restoration{
		Store: b.meta.store, Broker: id, Image: known, Of: before.Ensemble, Birth: now, Source: metadata.FromLife, Logger: b.logger,
	}
	if err := r.Run(ctx); err != nil {
		return err
	}
	b.told.Store(&told{life: now.Ensemble, all: true})
	if b.session == nil || b.session.revision() == 0 {
		return nil // it is not registered yet, or stands by, and says so then
	}
	if err := b.session.tryUpdate(ctx); !errors.Is(err, metadata.ErrLeaseLost) {
		return err
	}
	return nil // it is made anew
}

// told is in which life of the keepers this broker has put back what it knew of those before, and whether that was all that its life
// before had acted on (metadata.Broker.Told).
type told struct {
	life string
	all  bool
}

// putBack is the same for what this broker's life before has left on the disk.
func (b *Broker) putBack(ctx context.Context, known knowledge, now metadata.Birth) error {
	b.logger.Warn("the keepers lost what they held while this broker was down", "ensemble", now.Ensemble, "before", known.ensemble,
		"kept to revision", int64(now.Kept), "known here to revision", int64(known.image.Revision()), "complete", known.complete)
	r := metadata.Restoration{
		Store: b.meta.store, Broker: b.formerID(), Image: known.image, Of: known.ensemble, Birth: now, Source: metadata.FromFile, Logger: b.logger,
	}
	if known.complete {
		r.Source = metadata.FromJournal
	}
	if err := r.Run(ctx); err != nil {
		return err
	}
	b.told.Store(&told{life: now.Ensemble, all: known.complete})
	return nil
}

// formerID is the broker's number, as far as it is known before the metadata are.
func (b *Broker) formerID() ident.BrokerID {
	if id := ident.BrokerID(b.config.NodeID); id >= 0 {
		return id
	}
	return b.store.BrokerID()
}

// registerAgainWithin bounds the wait for the session to be made anew.
const registerAgainWithin = 3 * time.Second

// registerAgain sees to it that this broker is registered before anybody acts on what the keepers know.
func (b *Broker) registerAgain(ctx context.Context) error {
	epoch := b.session.epoch()
	if epoch == 0 {
		return nil // it is not registered yet, or stands by
	}
	kv, found, err := b.meta.store.Get(ctx, metadata.BrokerKey(b.id))
	if err != nil {
		return err
	}
	if found && kv.Created == epoch {
		if kv.Modified == b.session.revision() {
			return nil
		}
		// It is an older one: what this broker has said since, of a log directory for one, is lost.
		if err := b.session.tryUpdate(ctx); !errors.Is(err, metadata.ErrLeaseLost) {
			return err
		}
	}
	select {
	case b.session.evicted <- struct{}{}:
	default:
	}
	for end := time.Now().Add(registerAgainWithin); b.session.epoch() == epoch && time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, unavailablePause/10)
	}
	return ctx.Err()
}
