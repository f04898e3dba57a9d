package cluster

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// balancerAddresses are given to Services of type LoadBalancer, one after another.
var balancerAddresses = netip.MustParseAddr("192.168.11.200")

// Balancers has a cloud's controller give addresses to load balancers, or, as long as it is away, none to new ones. It is there
// unless a test says otherwise.
func (c *Cluster) Balancers(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.balancers = on
	for _, s := range c.services {
		if on {
			c.balance(s)
		}
	}
	c.poke()
}

// balance gives a Service that waits for one an address that no other has.
func (c *Cluster) balance(s *corev1.Service) {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(s.Status.LoadBalancer.Ingress) > 0 {
		return
	}
	address := balancerAddresses
	for _, other := range c.services {
		for _, ingress := range other.Status.LoadBalancer.Ingress {
			if given, err := netip.ParseAddr(ingress.IP); err == nil && !given.Less(address) {
				address = given.Next()
			}
		}
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address.String()}}
	c.say("the load balancer of Service %s has the address %s", s.Name, address)
}

// announcements are the hosts that load balancers' addresses lead to: of those that may be led to, one that has an end itself where the
// Service keeps connections on their host, and any other one else.
func (c *Cluster) announcements() map[netip.Addr]netip.Addr {
	leads := map[netip.Addr]netip.Addr{}
	for _, s := range c.services {
		for _, ingress := range s.Status.LoadBalancer.Ingress {
			if host := c.announcer(s); host != nil {
				leads[netip.MustParseAddr(ingress.IP)] = host.host.Address
			}
		}
	}
	return leads
}

func (c *Cluster) announcer(s *corev1.Service) *node {
	ends := c.endpoints(s)
	for _, n := range c.nodes {
		if n.removed || !n.ready {
			continue
		}
		if s.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
			return n
		}
		for _, p := range ends {
			if p.node == n {
				return n
			}
		}
	}
	return nil
}
