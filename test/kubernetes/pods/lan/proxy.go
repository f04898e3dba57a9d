package lan

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
)

// Port is one of a Service's, with those who answer there.
type Port struct {
	// Name says whose it is, for the rules' comments.
	Name string
	// Protocol is tcp or udp.
	Protocol string
	// Address and Number are what clients in the cluster use; Address is invalid for a Service without one.
	Address netip.Addr
	Number  int
	// NodePort, unless 0, is open on every host.
	NodePort int
	// External, beside the hosts' own, is a load balancer's address for the same.
	External netip.Addr
	// Local keeps connections from outside on the host that they come to, with the client's address.
	Local bool
	// Sources, if any, are those that the load balancer's address lets in.
	Sources []netip.Prefix
	// Ends are the pods that answer.
	Ends []netip.AddrPort
}

// base are the chains that stay; a change of Services empties and fills those without a hook. Connections that are under
// way keep the pod they have been led to, as with kube-proxy, and pass its guards.
const base = `table ip kube {
 chain sources { }
 chain guards { }
 chain services { }
 chain outside { }
 chain hairpins { }
 chain refusals { }
 chain prerouting {
  type nat hook prerouting priority dstnat;
  jump services
 }
 chain output {
  type nat hook output priority -100;
  jump services
 }
 chain postrouting {
  type nat hook postrouting priority srcnat;
  meta mark 0x4000 masquerade
  jump hairpins
  jump outside
 }
 chain forward {
  type filter hook forward priority filter;
  jump refusals
  ct state established,related accept
  jump guards
 }
 chain arrivals {
  type filter hook prerouting priority mangle;
  jump sources
 }
 chain local {
  type filter hook output priority filter;
  jump refusals
 }
 chain input {
  type filter hook input priority filter;
  jump refusals
 }
}
`

// rules are what leads connections on one host.
func rules(h *Host, ports []Port, guards []Guard) string {
	var b strings.Builder
	for _, chain := range []string{"services", "outside", "hairpins", "refusals", "sources", "guards"} {
		fmt.Fprintf(&b, "flush chain ip kube %s\n", chain)
	}
	rule := func(chain, format string, args ...any) {
		fmt.Fprintf(&b, "add rule ip kube %s %s\n", chain, fmt.Sprintf(format, args...))
	}
	// What pods send to other places than pods goes under their host's address.
	rule("outside", "ip saddr %s ip daddr != %s masquerade", h.Pods, Pods)
	seen := map[netip.Addr]bool{}
	for _, p := range ports {
		for _, end := range p.Ends {
			if !seen[end.Addr()] {
				seen[end.Addr()] = true
				rule("hairpins", "ip saddr %s ip daddr %s masquerade", end.Addr(), end.Addr())
			}
		}
		if p.Address.IsValid() {
			to := fmt.Sprintf("ip daddr %s %s dport %d", p.Address, p.Protocol, p.Number)
			lead(rule, to, p.Ends)
		}
		if p.NodePort == 0 {
			continue
		}
		ends := p.Ends
		if p.Local {
			ends = within(h.Pods, ends)
		}
		doors := []string{fmt.Sprintf("fib daddr type local ip daddr != 127.0.0.0/8 %s dport %d", p.Protocol, p.NodePort)}
		if p.External.IsValid() {
			door := fmt.Sprintf("ip daddr %s %s dport %d", p.External, p.Protocol, p.Number)
			doors = append(doors, door)
			if len(p.Sources) > 0 {
				rule("sources", "%s ip saddr != %s reject", door, set(p.Sources))
			}
		}
		for _, to := range doors {
			if p.Local { // pods may go to any end, wherever they are
				lead(rule, fmt.Sprintf("ip saddr %s %s", Pods, to), p.Ends)
			}
			if !p.Local && len(ends) > 0 {
				rule("services", "%s meta mark set 0x4000", to)
			}
			lead(rule, to, ends)
		}
	}
	for _, g := range guards {
		if h.Pods.Contains(g.Pod) {
			g.rules(rule)
		}
	}
	return b.String()
}

// lead sends connections to one of the ends, each as likely as the others, or refuses them where there are none.
func lead(rule func(chain, format string, args ...any), to string, ends []netip.AddrPort) {
	switch len(ends) {
	case 0:
		rule("refusals", "%s reject", to)
	case 1:
		rule("services", "%s dnat to %s", to, ends[0])
	default:
		var choice []string
		for i, end := range ends {
			choice = append(choice, fmt.Sprintf("%d : %s . %d", i, end.Addr(), end.Port()))
		}
		rule("services", "%s dnat ip to numgen random mod %d map { %s }", to, len(ends), strings.Join(choice, ", "))
	}
}

func within(p netip.Prefix, ends []netip.AddrPort) []netip.AddrPort {
	var out []netip.AddrPort
	for _, end := range ends {
		if p.Contains(end.Addr()) {
			out = append(out, end)
		}
	}
	return out
}

// Lead puts the Services' addresses, and what guards pods, into force on this host.
func (h *Host) Lead(ports []Port, guards []Guard) error {
	h.rules.Lock()
	defer h.rules.Unlock()
	return h.nft(rules(h, ports, guards))
}

func (h *Host) nft(script string) error {
	c := exec.Command("ip", "netns", "exec", h.Space(), "nft", "-f", "-")
	c.Stdin = strings.NewReader(script)
	if err := complain(c); err != nil {
		return fmt.Errorf("%w, given:\n%s", err, script)
	}
	return nil
}
