package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/wire"
)

// roads lead to the other brokers of the cluster. A broker is reached by its own machine's, or pod's, address first: what it
// advertises is for clients, and may be the long way round, or a Service that leads to another process.
// Whoever answers has to be the broker that was meant.
type roads struct {
	broker  ident.BrokerID
	cluster ident.ClusterID
	secrets *secrets
	logger  *slog.Logger

	mu    sync.Mutex
	known map[registered]*road // guarded by mu; of brokers that are registered now, or were
	// watches are the connections over which registrations are watched. Guarded by mu.
	watches map[registered]*wire.Peer
}

// registered names one registration.
type registered struct {
	id    ident.BrokerID
	epoch metadata.Revision
}

// road is what is known of the ways to one registration.
type road struct {
	good       string          // the address that led there last
	misleading map[string]bool // those that lead elsewhere, so that each is said once
}

const (
	// ownWithin bounds the attempt at the first of two addresses.
	ownWithin = 500 * time.Millisecond
	// keptRoads bounds how many registrations are remembered.
	keptRoads = 1000
	// peerVersions is the version of ApiVersions that names who is meant (KIP-1242).
	peerVersions = 5
)

var errMisled = errors.New("another broker, or another cluster, answers there")

func (b *Broker) newRoads() *roads {
	return &roads{
		broker: b.id, cluster: b.cluster, secrets: b.secrets, logger: b.logger, known: map[registered]*road{},
		watches: map[registered]*wire.Peer{},
	}
}

// reach connects to a broker. The error is that of the address that was tried first.
func (r *roads) reach(ctx context.Context, b *metadata.Broker) (*wire.Peer, error) {
	addresses := r.order(b)
	var first error
	for i, address := range addresses {
		peer, err := r.try(ctx, b, address, i < len(addresses)-1)
		if err == nil {
			r.found(b, address)
			return peer, nil
		}
		if first == nil {
			first = err
		}
		if errors.Is(err, errMisled) {
			r.misled(b, address)
		}
	}
	return nil, first
}

// watchOver notes over which connection a registration is watched, until that has ended.
func (r *roads) watchOver(b *metadata.Broker, over *wire.Peer) (end func()) {
	key := registered{b.ID, b.Epoch}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watches[key] = over
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.watches[key] == over {
			delete(r.watches, key)
		}
	}
}

// answered notes that the process of a registration has answered on another connection: it lives, and need not be asked.
func (r *roads) answered(who registered) {
	r.mu.Lock()
	watch := r.watches[who]
	r.mu.Unlock()
	if watch != nil {
		watch.Prolong(pulseAfter)
	}
}

// try connects to one address, and makes sure who is there.
func (r *roads) try(ctx context.Context, b *metadata.Broker, address string, short bool) (*wire.Peer, error) {
	within := dialWithin
	if short {
		within = ownWithin
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	peer, err := wire.DialPeer(ctx, r.secrets.dialler(b.Internal.Protocol, namesOf(b.Internal)...), address, peerName(r.broker))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, peer.Close)
	defer stop()
	if err := greet(peer, r.cluster, b.ID, within); err != nil {
		peer.Close()
		return nil, fmt.Errorf("broker %d at %s: %w", b.ID, address, err)
	}
	return peer, nil
}

// greet asks whether a certain broker of the cluster is there.
func greet(peer *wire.Peer, cluster ident.ClusterID, id ident.BrokerID, within time.Duration) error {
	request := kmsg.NewPtrApiVersionsRequest()
	request.Version = peerVersions
	request.ClientSoftwareName, request.ClientSoftwareVersion = "barnabas", "1"
	name := cluster.String()
	request.ClusterID, request.NodeID = &name, int32(id)
	answer, err := wire.Call[*kmsg.ApiVersionsResponse](peer, request, within)
	if err != nil {
		return err
	}
	defer answer.Free()
	switch err := kerr.ErrorForCode(answer.Response.ErrorCode); {
	case errors.Is(err, kerr.RebootstrapRequired):
		return errMisled
	default:
		return err
	}
}

// order is in which order the addresses are tried: the one that led there last, the broker's own, the advertised.
func (r *roads) order(b *metadata.Broker) []string {
	addresses := addressesOf(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.known[registered{b.ID, b.Epoch}]; known != nil && len(addresses) == 2 && known.good == addresses[1] {
		addresses[0], addresses[1] = addresses[1], addresses[0]
	}
	return addresses
}

func (r *roads) found(b *metadata.Broker, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to(b).good = address
}

// misled says, once, that an address leads to somebody else.
func (r *roads) misled(b *metadata.Broker, address string) {
	r.mu.Lock()
	road := r.to(b)
	said := road.misleading[address]
	road.misleading[address] = true
	r.mu.Unlock()
	if !said {
		r.logger.Error("an address that a broker has registered leads to another broker, or to another cluster: "+
			"clients end up there too; correct its advertised.listeners", "broker", int32(b.ID), "address", address)
	}
}

// to is what is known of a registration. The caller holds mu.
func (r *roads) to(b *metadata.Broker) *road {
	key := registered{b.ID, b.Epoch}
	if r.known[key] == nil {
		if len(r.known) >= keptRoads {
			clear(r.known)
		}
		r.known[key] = &road{misleading: map[string]bool{}}
	}
	return r.known[key]
}

// addressesOf are where brokers reach another one: its own address first, then the one that it advertises.
func addressesOf(b *metadata.Broker) []string {
	advertised := addressOf(b.Internal)
	for _, e := range b.Own {
		if own := addressOf(e); e.Listener == b.Internal.Listener && own != advertised {
			return []string{own, advertised}
		}
	}
	return []string{advertised}
}

func addressOf(e metadata.Endpoint) string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}
