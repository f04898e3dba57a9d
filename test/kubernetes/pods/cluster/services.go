package cluster

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"barnabas/test/kubernetes/pods/kubelet"
	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/names"
)

// addService gives a Service its addresses; one that was there keeps them.
func (c *Cluster) addService(s *corev1.Service) {
	for i, before := range c.services {
		if before.Namespace == s.Namespace && before.Name == s.Name {
			s.Spec.ClusterIP, s.Status = cmp.Or(s.Spec.ClusterIP, before.Spec.ClusterIP), before.Status
			for j := range s.Spec.Ports {
				if j < len(before.Spec.Ports) {
					s.Spec.Ports[j].NodePort = cmp.Or(s.Spec.Ports[j].NodePort, before.Spec.Ports[j].NodePort)
				}
			}
			c.services[i] = s
			c.complete(s)
			return
		}
	}
	c.services = append(c.services, s)
	c.complete(s)
}

func (c *Cluster) complete(s *corev1.Service) {
	if s.Spec.ClusterIP == "" {
		// Scattered, as the API server's are.
		n := c.number()
		s.Spec.ClusterIP = netip.AddrFrom4([4]byte{10, 1, byte(20 + n*37%200), byte(1 + n%250)}).String()
	}
	if s.Spec.Type == corev1.ServiceTypeClusterIP {
		return
	}
	for i := range s.Spec.Ports {
		if s.Spec.Ports[i].NodePort == 0 {
			s.Spec.Ports[i].NodePort = int32(31000 + c.number())
		}
	}
	if c.balancers {
		c.balance(s)
	}
}

// routes are where every Service leads, and all names.
func (c *Cluster) routes() ([]lan.Port, names.Zone) {
	zone := names.Zone{Hosts: map[string][]netip.Addr{}, Services: map[string][]names.Target{}}
	dns := netip.AddrPortFrom(lan.Outside, 53)
	ports := []lan.Port{
		{Name: "kube-dns", Protocol: "udp", Address: resolver, Number: 53, Ends: []netip.AddrPort{dns}},
		{Name: "kube-dns", Protocol: "tcp", Address: resolver, Number: 53, Ends: []netip.AddrPort{dns}},
	}
	ports = append(ports, lan.Port{Name: "kubernetes", Protocol: "tcp", Address: apiService, Number: 443, Ends: []netip.AddrPort{apiServer}})
	for _, s := range c.services {
		ends := c.endpoints(s)
		c.name(s, ends, &zone)
		for _, p := range s.Spec.Ports {
			port := lan.Port{
				Name: s.Name, Protocol: strings.ToLower(string(p.Protocol)), Number: int(p.Port), NodePort: int(p.NodePort),
				Local: s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
			}
			if address, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
				port.Address = address
			}
			for _, ingress := range s.Status.LoadBalancer.Ingress {
				port.External, _ = netip.ParseAddr(ingress.IP)
			}
			for _, source := range s.Spec.LoadBalancerSourceRanges {
				port.Sources = append(port.Sources, netip.MustParsePrefix(source)) // objects has looked at it
			}
			for _, end := range ends {
				if number := target(end, p.TargetPort); number > 0 {
					port.Ends = append(port.Ends, netip.AddrPortFrom(end.address(), uint16(number)))
				}
			}
			if port.Address.IsValid() || port.NodePort > 0 {
				ports = append(ports, port)
			}
		}
	}
	return ports, zone
}

func target(p *pod, port intstr.IntOrString) int {
	if port.Type == intstr.Int {
		return int(port.IntVal)
	}
	return kubelet.Ports(&p.object.Spec)[port.StrVal]
}

func (p *pod) address() netip.Addr {
	address, _ := netip.ParseAddr(p.status().IP)
	return address
}

// endpoints are the pods that a Service leads to: those that are ready, or all where it says so. When none is left, those
// that go and still are ready serve (KEP-1669).
func (c *Cluster) endpoints(s *corev1.Service) []*pod {
	if len(s.Spec.Selector) == 0 {
		return nil
	}
	var ready, leaving []*pod
	for _, p := range c.selected(s.Namespace, labels.SelectorFromSet(s.Spec.Selector)) {
		status := p.status()
		switch {
		case status.IP == "" || status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed:
		case s.Spec.PublishNotReadyAddresses, status.Ready && p.deleted.IsZero():
			ready = append(ready, p)
		case status.Ready:
			leaving = append(leaving, p)
		}
	}
	if len(ready) == 0 && s.Spec.ClusterIP != corev1.ClusterIPNone {
		return leaving
	}
	return ready
}

// name puts a Service into the zone, and its pods if it has no address of its own.
func (c *Cluster) name(s *corev1.Service, ends []*pod, zone *names.Zone) {
	full := fmt.Sprintf("%s.%s.svc.%s", s.Name, s.Namespace, names.Domain)
	var hosts []string
	if address, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
		zone.Hosts[full] = []netip.Addr{address}
		hosts = []string{full}
	} else {
		for _, p := range ends {
			host := strings.ReplaceAll(p.address().String(), ".", "-") + "." + full
			if p.object.Spec.Hostname != "" && p.object.Spec.Subdomain == s.Name {
				host = p.object.Spec.Hostname + "." + full
			}
			zone.Hosts[host] = append(zone.Hosts[host], p.address())
			zone.Hosts[full] = append(zone.Hosts[full], p.address())
			hosts = append(hosts, host)
		}
	}
	for _, p := range s.Spec.Ports {
		if p.Name == "" {
			continue
		}
		service := fmt.Sprintf("_%s._%s.%s", p.Name, strings.ToLower(string(p.Protocol)), full)
		for _, host := range hosts {
			zone.Services[service] = append(zone.Services[service], names.Target{Host: host, Port: uint16(p.Port)})
		}
	}
}

// ServiceLinks implements kubelet.Cluster: the variables that Docker's links had. Those of the API server are for all.
func (c *Cluster) ServiceLinks(namespace string, all bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	env := links("KUBERNETES", apiService.String(), []corev1.ServicePort{{Name: "https", Port: 443, Protocol: corev1.ProtocolTCP}})
	for _, s := range c.services {
		if all && s.Namespace == namespace && s.Spec.ClusterIP != corev1.ClusterIPNone {
			env = append(env, links(variable(s.Name), s.Spec.ClusterIP, s.Spec.Ports)...)
		}
	}
	return env
}

func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }

func links(name, address string, ports []corev1.ServicePort) []string {
	env := []string{name + "_SERVICE_HOST=" + address}
	for i, p := range ports {
		url := fmt.Sprintf("%s://%s:%d", strings.ToLower(string(p.Protocol)), address, p.Port)
		if i == 0 {
			env = append(env, fmt.Sprintf("%s_SERVICE_PORT=%d", name, p.Port), name+"_PORT="+url)
		}
		if p.Name != "" {
			env = append(env, fmt.Sprintf("%s_SERVICE_PORT_%s=%d", name, variable(p.Name), p.Port))
		}
		each := fmt.Sprintf("%s_PORT_%d_%s", name, p.Port, p.Protocol)
		env = append(env, each+"="+url, each+"_PROTO="+strings.ToLower(string(p.Protocol)),
			fmt.Sprintf("%s_PORT=%d", each, p.Port), each+"_ADDR="+address)
	}
	return env
}
