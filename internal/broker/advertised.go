package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/kubernetes"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
	"barnabas/internal/wire"
)

// What a broker advertises it can try itself: a connection there must end at this broker. A node port that leads to another
// broker, or an address that nobody has, is otherwise found out by clients.

const (
	// proveWithin bounds one try of an address.
	proveWithin = 5 * time.Second
	// firstProof is how long after its start a broker tries its addresses: Services lead to it a moment later.
	firstProof = 2 * time.Second
	// doubtful is how often in a row an address must have failed before that is said.
	doubtful = 2
	// maxSuspects bounds the brokers that are asked whether they are at a misleading address.
	maxSuspects = 16
)

// proofs is what the broker knows of the addresses that it advertises.
type proofs struct {
	mu   sync.Mutex
	list []proof // guarded by mu
}

// proof is what came of trying one address.
type proof struct {
	listener, address string
	err               error
	failed            int // times in a row
	said              bool
}

// told is the failure, if it has lasted long enough to be told.
func (p *proof) told() error {
	if errors.Is(p.err, errMisled) || p.failed >= doubtful {
		return p.err
	}
	return nil
}

// proveAddresses tries the advertised addresses now and then, until ctx ends.
func (b *Broker) proveAddresses(ctx context.Context) {
	interval := config.AdvertisedCheckInterval.In(b.config.View())
	if interval <= 0 {
		return
	}
	for wait := firstProof; ; {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		if wait = interval; !b.proveAll(ctx) {
			wait = max(interval/10, time.Millisecond)
		}
	}
}

// proveAll tries each address once, and reports whether all lead here.
func (b *Broker) proveAll(ctx context.Context) bool {
	all := true
	var now []proof
	for _, e := range b.elsewhereEndpoints() {
		p := b.proven.of(e.Listener, addressOf(e))
		p.err = b.prove(ctx, e)
		if ctx.Err() != nil {
			return true
		}
		if p.err == nil {
			p.failed = 0
		} else {
			p.failed++
			all = false
		}
		b.sayProof(&p)
		now = append(now, p)
	}
	b.proven.set(now)
	return all
}

func (p *proofs) of(listener, address string) proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.list {
		if known.listener == listener && known.address == address {
			return known
		}
	}
	return proof{listener: listener, address: address}
}

func (p *proofs) set(list []proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = list
}

func (p *proofs) all() []proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

// elsewhereEndpoints are the advertised addresses that are not simply those that the broker listens on.
func (b *Broker) elsewhereEndpoints() []metadata.Endpoint {
	var list []metadata.Endpoint
	own := b.ownEndpoints()
	for _, e := range b.endpoints() {
		if !slices.ContainsFunc(own, func(o metadata.Endpoint) bool { return o.Host == e.Host && o.Port == e.Port }) {
			list = append(list, e)
		}
	}
	return list
}

// prove connects to an address, and looks who is there. The error is errMisled where it is somebody else, with who that is.
func (b *Broker) prove(ctx context.Context, e metadata.Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	err := b.proveIs(ctx, e, b.id)
	if isAlert(err) {
		return nil // somebody is there, and this broker is no client to its taste: who it is can't be told
	}
	if err == nil || !errors.Is(err, errMisled) {
		return err
	}
	return fmt.Errorf("%w: it is %s", errMisled, b.whoIsAt(ctx, e))
}

// proveIs connects to an address, and looks whether a certain broker of this cluster is there.
func (b *Broker) proveIs(ctx context.Context, e metadata.Endpoint, id ident.BrokerID) error {
	peer, err := wire.DialPeer(ctx, b.secrets.prover(e.Protocol, e.Host), addressOf(e), peerName(b.id))
	if err != nil {
		return err
	}
	defer peer.Close()
	stop := context.AfterFunc(ctx, peer.Close)
	defer stop()
	if err := greet(peer, b.cluster, id, proveWithin); err != nil {
		return fmt.Errorf("%s: %w", addressOf(e), err)
	}
	return nil
}

// whoIsAt names the broker, or the cluster, to which a misleading address leads.
func (b *Broker) whoIsAt(ctx context.Context, e metadata.Endpoint) string {
	if cluster := b.clusterAt(ctx, e); cluster != "" && cluster != b.cluster.String() {
		return "a broker of another cluster, " + cluster
	}
	for i, other := range b.feed.Current().Brokers() {
		if i == maxSuspects || ctx.Err() != nil {
			break
		}
		if other.ID != b.id && b.proveIs(ctx, e, other.ID) == nil {
			return fmt.Sprintf("broker %d", other.ID)
		}
	}
	return "another broker of this cluster"
}

// clusterAt is the cluster that answers at an address; empty where that can't be told.
func (b *Broker) clusterAt(ctx context.Context, e metadata.Endpoint) string {
	peer, err := wire.DialPeer(ctx, b.secrets.prover(e.Protocol, e.Host), addressOf(e), peerName(b.id))
	if err != nil {
		return ""
	}
	defer peer.Close()
	stop := context.AfterFunc(ctx, peer.Close)
	defer stop()
	request := kmsg.NewPtrMetadataRequest()
	request.Version, request.Topics = 4, []kmsg.MetadataRequestTopic{} // of no topic
	answer, err := wire.Call[*kmsg.MetadataResponse](peer, request, proveWithin)
	if err != nil {
		return ""
	}
	defer answer.Free()
	if answer.Response.ClusterID == nil {
		return ""
	}
	return strings.Clone(*answer.Response.ClusterID)
}

// sayProof says what is new about an address.
func (b *Broker) sayProof(p *proof) {
	switch err := p.told(); {
	case err == nil && p.said && p.err == nil:
		p.said = false
		b.logger.Info("an advertised address leads to this broker again", "listener", p.listener, "address", p.address)
		b.say(kubernetes.Normal, "AddressReachable", "%s of broker %d is reachable again", p.address, b.id)
	case err == nil || p.said:
	case errors.Is(err, errMisled):
		p.said = true
		b.logger.Error("an advertised address leads to somebody else: clients that want this broker end up there; "+
			"correct advertised.listeners, or the Service", "listener", p.listener, "address", p.address, "why", err)
		b.say(kubernetes.Warning, "AddressMisleads", "%s is told to clients as broker %d, and leads elsewhere: %v", p.address, b.id, err)
	default:
		p.said = true
		b.logger.Warn("an advertised address can't be reached from here, and maybe not by clients either; "+
			"correct advertised.listeners, or the Service", "listener", p.listener, "address", p.address, "why", err)
		b.say(kubernetes.Warning, "AddressUnreachable", "%s is told to clients as broker %d, and can't be reached: %v", p.address, b.id, err)
	}
}

// warnings are what is wrong and does not keep the broker from being ready: a restart would not help.
func (b *Broker) warnings() []string {
	var list []string
	if gone := b.gone.Load(); gone != nil {
		list = append(list, gone.String())
	}
	if l := b.outsideListener(); l != nil && b.around.outside.Load() == nil {
		if why := b.unknown.Load(); why != nil {
			list = append(list, fmt.Sprintf("listener %s is not advertised: %s", l.Name, *why))
		}
	}
	for _, p := range b.proven.all() {
		if err := p.told(); err != nil {
			list = append(list, fmt.Sprintf("listener %s is advertised as %s: %v", p.listener, p.address, err))
		}
	}
	return append(append(list, b.secrets.warnings()...), b.declared.warnings()...)
}

// Registered implements metrics.PodSource.
func (b *Broker) Registered() bool { return b.gone.Load() == nil }

// AdvertisedAddresses implements metrics.PodSource.
func (b *Broker) AdvertisedAddresses() []metrics.Address {
	var list []metrics.Address
	for _, p := range b.proven.all() {
		list = append(list, metrics.Address{Listener: p.listener, Address: p.address, Reachable: p.told() == nil})
	}
	if l := b.outsideListener(); l != nil && b.around.outside.Load() == nil {
		list = append(list, metrics.Address{Listener: l.Name, Address: "unknown"})
	}
	return list
}
