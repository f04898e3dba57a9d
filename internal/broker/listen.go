package broker

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"barnabas/internal/api"
	"barnabas/internal/config"
	"barnabas/internal/metadata"
	"barnabas/internal/probes"
	"barnabas/internal/server"
)

// listen binds all ports before anything else is done, so that a port in use is known at once and clients that
// come early wait instead of being refused.
func (b *Broker) listen() error {
	view := b.config.View()
	o := server.Options{
		Limits: serverLimits(view), Logger: b.logger, Watch: &b.registry.Connections,
		MaxQueuedBytes: config.QueuedMaxRequestBytes.In(view), Backlog: config.SocketBacklog.In(view),
		Listen: b.options.Listen, Patient: api.Patient,
	}
	o.HandshakeTimeout, o.MaxHandshakes = config.SSLHandshakeTimeout.In(view), config.SSLHandshakesMax.In(view)
	var err error
	if b.secrets, err = b.openSecrets(view); err != nil {
		return err
	}
	for _, l := range b.config.Listeners {
		o.Listeners = append(o.Listeners, server.Listener{
			Name: l.Name, Address: net.JoinHostPort(l.Host, strconv.Itoa(l.Port)), TLS: b.secrets.of(l.Name),
		})
	}
	s, err := server.Listen(o)
	if err != nil {
		return err
	}
	b.server = s
	if b.config.HTTP == "" {
		return nil
	}
	site := health{alive: b.alive, ready: b.isReady, warnings: b.warnings, safe: b.safeToStop, metrics: b.registry.Handler(), cluster: b.clusterHandler()}
	if b.http, err = probes.Listen(b.config.HTTP, b.config.HTTPByDefault, site.handler(), b.logger); err != nil {
		return fmt.Errorf("http.listener: %w", err)
	}
	return nil
}

// alive is nil while the process does its work: it says no only when a restart would help.
func (b *Broker) alive() error { return nil }

func serverLimits(v *config.View) server.Limits {
	return server.Limits{
		MaxConnections:      config.MaxConnections.In(v),
		MaxConnectionsPerIP: config.MaxConnectionsPerIP.In(v),
		MaxCreationRate:     config.MaxConnectionCreationRate.In(v),
		MaxInFlight:         config.QueuedMaxRequests.In(v),
		PerIPOverrides:      perIP(config.MaxConnectionsPerIPOverrides.In(v)),
		MaxIdle:             max(config.ConnectionsMaxIdle.In(v), 0),
		MaxRequestBytes:     config.SocketRequestMaxBytes.In(v),
		SendBufferBytes:     config.SocketSendBuffer.In(v),
		ReceiveBufferBytes:  config.SocketReceiveBuffer.In(v),
	}
}

// perIP reads the overrides, address:count each; host names are looked up, as Kafka does.
func perIP(overrides []string) map[netip.Addr]int {
	bounds := map[netip.Addr]int{}
	for _, o := range overrides {
		at := strings.LastIndexByte(o, ':')
		if at < 0 {
			continue // the table has refused it
		}
		count, err := strconv.Atoi(strings.TrimSpace(o[at+1:]))
		if err != nil {
			continue
		}
		for _, address := range resolve(strings.Trim(strings.TrimSpace(o[:at]), "[]")) {
			bounds[address] = count
		}
	}
	return bounds
}

func resolve(host string) []netip.Addr {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address.Unmap()}
	}
	found, err := net.LookupHost(host)
	if err != nil {
		return nil
	}
	var addresses []netip.Addr
	for _, text := range found {
		if address, err := netip.ParseAddr(text); err == nil {
			addresses = append(addresses, address.Unmap())
		}
	}
	return addresses
}

// endpoints are what the cluster is told of this broker's listeners. A port 0 is the one that was bound.
func (b *Broker) endpoints() []metadata.Endpoint {
	var endpoints []metadata.Endpoint
	for _, l := range b.config.Listeners {
		port := l.AdvertisedPort
		if bound, ok := b.server.Address(l.Name).(*net.TCPAddr); ok && port == 0 {
			port = bound.Port
		}
		host := l.AdvertisedHost
		if l.Outside {
			found := b.around.outside.Load()
			if found == nil {
				continue // clients that come here are told that others lead, or that nobody does
			}
			host, port = found.host, found.port
		}
		endpoints = append(endpoints, metadata.Endpoint{Listener: l.Name, Host: host, Port: int32(port), Protocol: l.Protocol})
	}
	return endpoints
}

// Addresses are where the broker listens, by listener name.
func (b *Broker) Addresses() map[string]net.Addr {
	bound := map[string]net.Addr{}
	for _, l := range b.config.Listeners {
		bound[l.Name] = b.server.Address(l.Name)
	}
	return bound
}

// addresses is the same for a line of the log, with what clients are told.
func (b *Broker) addresses() string {
	var out []string
	for _, e := range b.endpoints() {
		out = append(out, fmt.Sprintf("%s://%s advertised as %s:%d",
			e.Listener, b.server.Address(e.Listener), e.Host, e.Port))
	}
	return strings.Join(out, ", ")
}
