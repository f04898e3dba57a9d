package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// A process that finds its id registered by another one, on another store, stands by (ADR 7): it enters itself as
// the successor, relays its clients to the incumbent, and waits. When the incumbent leaves it copies, and takes
// over what the incumbent hands over. When the registration ends it becomes the broker.

const (
	// standbyPoll is how often a process that stands by looks whether it is its turn.
	standbyPoll = 5 * time.Millisecond
	// suspicious is how long two processes may claim an id before that looks like a mistake.
	suspicious = 30 * time.Second
)

// standBy waits beside an incumbent until that leaves or is gone. It returns at once where there is none.
func (b *Broker) standBy(ctx context.Context) error {
	for {
		old := b.incumbent()
		if old == nil {
			return nil
		}
		if !b.holdsPlaceOf(old) {
			break
		}
		if err := b.patiently(ctx, func() error { return b.endDead(ctx, old) }); err != nil {
			return err
		}
	}
	if err := b.patiently(ctx, func() error { return b.announce(ctx) }); err != nil {
		return err
	}
	if b.session.held() == nil {
		return nil // the incumbent has gone meanwhile
	}
	old := b.incumbent()
	if old != nil {
		b.logger.Warn("the broker id is registered by another process, on another store: this one is its successor, "+
			"relays clients to it, and takes its place when it leaves or is found dead",
			"broker", int32(b.id), "incumbent", addressesOf(old))
	}
	b.stopRelay = b.server.Relay(b.dialIncumbent)
	b.standingBy.Store(true)
	complaint := time.AfterFunc(suspicious, func() {
		b.logger.Error("two processes claim one broker id, and the one that came first serves on: if this one is not to "+
			"replace it, give it a node.id (KAFKA_BROKER_ID) of its own", "broker", int32(b.id))
	})
	defer complaint.Stop()
	for {
		old := b.incumbent()
		if old == nil || old.Leaving {
			return nil
		}
		if pause(ctx, standbyPoll); ctx.Err() != nil {
			return fmt.Errorf("%w: broker %d at %s serves on", metadata.ErrBrokerIDTaken, b.id, addressesOf(old)[0])
		}
	}
}

// incumbent is the registration under this broker's id of somebody else, nil where there is none.
func (b *Broker) incumbent() *metadata.Broker {
	old := b.feed.Current().Broker(b.id)
	if old == nil {
		return nil
	}
	for _, d := range b.store.Dirs() {
		if old.HasStore(d.ID()) {
			return nil // what this store's last life left behind
		}
	}
	return old
}

// announce enters this process as successor. Where another one waits already, it waits behind it.
func (b *Broker) announce(ctx context.Context) error {
	said := false
	for {
		err := b.session.announce(ctx)
		if !errors.Is(err, metadata.ErrBrokerIDTaken) {
			return err
		}
		if b.incumbent() == nil {
			return nil
		}
		if !said {
			said = true
			b.logger.Warn("another process waits already to take the broker's place", "broker", int32(b.id))
		}
		if pause(ctx, unavailablePause); ctx.Err() != nil {
			return err
		}
	}
}

// takeOver makes the successor the broker, once the incumbent's registration is gone.
func (b *Broker) takeOver(ctx context.Context) error {
	for {
		if b.feed.Current().Broker(b.id) == nil {
			err := b.patiently(ctx, func() error { return b.session.succeed(ctx) })
			if err == nil {
				break
			}
			if !errors.Is(err, metadata.ErrBrokerIDTaken) {
				return err
			}
		}
		if pause(ctx, standbyPoll); ctx.Err() != nil {
			return fmt.Errorf("%w: broker %d is still there", metadata.ErrBrokerIDTaken, b.id)
		}
	}
	b.partitions.Succeed(false)
	b.stopRelay()
	b.stopRelay, b.succeeded = nil, true
	b.caughtUp.Store(true) // it was ready before, and what it took over it has
	b.logger.Info("this process has taken the broker's place", "broker", int32(b.id))
	return nil
}

var errNoIncumbent = errors.New("there is no incumbent to relay to")

// dialIncumbent connects to the process that this one succeeds, for a client of a listener.
func (b *Broker) dialIncumbent(listener string) (net.Conn, error) {
	old := b.incumbent()
	if old == nil {
		return nil, errNoIncumbent
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	defer cancel()
	for _, e := range old.Own {
		if slices.Contains(b.ownEndpoints(), e) {
			return nil, errNoIncumbent // it would be this process that answers, and relays again
		}
		if e.Listener == listener {
			return b.options.Dial(ctx, addressOf(e))
		}
	}
	return nil, errNoIncumbent
}

// handOver gives what this broker leads to its successor, all at once, as soon as that has everything: clients that find
// a part here and a part there would be sent to and fro.
func (b *Broker) handOver() {
	if b.feed.Current().Successor(b.id) == nil {
		return
	}
	var led []*replication.Partition
	for _, p := range b.partitions.All() {
		switch p.Succession() {
		case replication.NotLeading:
		case replication.Level:
			led = append(led, p)
		case replication.HandingOver:
		default:
			return
		}
	}
	for _, p := range led {
		p.HandOver()
	}
}
