package broker

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/kubernetes"
)

// Clients outside of the Kubernetes cluster come to a listener whose address only Kubernetes knows: a node port, or a load balancer. The
// broker asks for it, registers what it hears, and goes on asking: load balancers get their address late, and lose it.

const (
	// outsideSoon is how often an address is asked for that is not known yet, outsideLater one that is.
	outsideSoon  = 5 * time.Second
	outsideLater = time.Minute
)

// outsideListener is the listener whose address is found out; nil where there is none.
func (b *Broker) outsideListener() *config.Listener {
	for i := range b.config.Listeners {
		if b.config.Listeners[i].Outside {
			return &b.config.Listeners[i]
		}
	}
	return nil
}

// findOutside asks once. It reports whether the address is another one than before.
func (b *Broker) findOutside(ctx context.Context) (changed bool) {
	s := b.around
	host, port, err := b.lookForOutside(ctx)
	before := s.outside.Load()
	if err != nil {
		b.outsideUnknown(err, before)
		return false
	}
	b.unknown.Store(nil)
	if before != nil && *before == (outsideAddress{host, port}) {
		return false
	}
	s.outside.Store(&outsideAddress{host, port})
	b.logger.Info("the address for clients outside is known", "address", net.JoinHostPort(host, strconv.Itoa(port)))
	return true
}

// outsideUnknown says why the address is not known, each reason once. One that was known stays: the API server may be away.
func (b *Broker) outsideUnknown(err error, before *outsideAddress) {
	text := err.Error()
	if said := b.unknown.Swap(&text); said != nil && *said == text {
		return
	}
	if before != nil {
		b.logger.Warn("the address for clients outside can't be looked up again; the known one stays", "why", err)
		return
	}
	b.logger.Warn("the address for clients outside is not known, and its listener is not advertised until it is",
		"listener", b.outsideListener().Name, "why", err)
	b.say(kubernetes.Warning, "OutsideAddressUnknown", "clients outside can't be told where broker %d is: %v", b.id, err)
}

// lookForOutside gathers what is known, and decides.
func (b *Broker) lookForOutside(ctx context.Context) (host string, port int, err error) {
	s, view := b.around, b.config.View()
	way := kubernetes.Way{
		Access: kubernetes.Access(config.OutsideAccess.In(view)), Broker: int32(b.id), Host: config.OutsideHost.In(view),
		FirstPort: config.OutsideFirstPort.In(view), ListenerPort: b.outsideListener().Port, Pod: s.pod,
	}
	if !s.inside {
		return "", 0, errNotInPod
	}
	if way.NodeError, way.ServiceError = s.why, s.why; s.client == nil {
		return way.Address()
	}
	way.Service, way.ServiceError = s.client.Service(ctx, s.pod.Namespace, s.pod.Name)
	if way.ServiceError != nil {
		way.ServiceError = fmt.Errorf("the Service %s: %w", s.pod.Name, way.ServiceError)
	}
	if way.Access == kubernetes.NodePort && way.Host == "" && s.pod.Node != "" {
		way.Node, way.NodeError = s.client.Node(ctx, s.pod.Node)
	}
	return way.Address()
}

// keepOutside follows the address, until ctx ends.
func (b *Broker) keepOutside(ctx context.Context) {
	for {
		wait := outsideLater
		if b.around.outside.Load() == nil {
			wait = outsideSoon
		}
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		within, cancel := context.WithTimeout(ctx, lookWithin)
		changed := b.findOutside(within)
		cancel()
		if changed {
			b.session.update(ctx)
		}
	}
}
