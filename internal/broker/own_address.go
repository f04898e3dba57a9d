package broker

import (
	"net"
	"net/netip"

	"barnabas/internal/metadata"
)

// ownEndpoints are the listeners as the machine, or pod, itself is reached, beside what is advertised to clients.
func (b *Broker) ownEndpoints() []metadata.Endpoint {
	var own []metadata.Endpoint
	for _, l := range b.config.Listeners {
		bound, ok := b.server.Address(l.Name).(*net.TCPAddr)
		if !ok {
			continue
		}
		host := bound.IP.String()
		if bound.IP.IsUnspecified() {
			if host = b.ownHost(); host == "" {
				continue
			}
		}
		own = append(own, metadata.Endpoint{Listener: l.Name, Host: host, Port: int32(bound.Port), Protocol: l.Protocol})
	}
	return own
}

// ownHost is the address that this machine is seen under when it connects to the keepers; empty where that can't be
// told. No packet is sent.
func (b *Broker) ownHost() string {
	for _, keeper := range append(b.config.Keepers.Servers, "192.0.2.1:9") { // which is nobody's, and lies beyond the gateway
		conn, err := net.Dial("udp", keeper)
		if err != nil {
			continue
		}
		local, err := netip.ParseAddrPort(conn.LocalAddr().String())
		conn.Close()
		if err == nil && !local.Addr().IsUnspecified() {
			return local.Addr().Unmap().WithZone("").String()
		}
	}
	return ""
}
