package lan

import (
	"net/netip"
	"strings"
	"testing"
)

// Services lead to those that are ready, refuse where there is none, and NodePorts of Local ones stay on their host.
func TestRules(t *testing.T) {
	host := &Host{Name: "node1", Pods: netip.MustParsePrefix("10.244.1.0/24")}
	here, there := netip.MustParseAddrPort("10.244.1.2:9092"), netip.MustParseAddrPort("10.244.2.2:9092")
	port := Port{Protocol: "tcp", Address: netip.MustParseAddr("10.1.0.5"), Number: 9092, NodePort: 30901}
	for name, c := range map[string]struct {
		ends  []netip.AddrPort
		local bool
		want  []string
	}{
		"one": {[]netip.AddrPort{there}, false, []string{
			"add rule ip kube services ip daddr 10.1.0.5 tcp dport 9092 dnat to 10.244.2.2:9092",
			"tcp dport 30901 meta mark set 0x4000",
			"tcp dport 30901 dnat to 10.244.2.2:9092",
			"add rule ip kube hairpins ip saddr 10.244.2.2 ip daddr 10.244.2.2 masquerade",
		}},
		"two":            {[]netip.AddrPort{here, there}, false, []string{"numgen random mod 2 map { 0 : 10.244.1.2 . 9092, 1 : 10.244.2.2 . 9092 }"}},
		"none":           {nil, false, []string{"add rule ip kube refusals ip daddr 10.1.0.5 tcp dport 9092 reject", "tcp dport 30901 reject"}},
		"local, here":    {[]netip.AddrPort{here, there}, true, []string{"tcp dport 30901 dnat to 10.244.1.2:9092"}},
		"local, nowhere": {[]netip.AddrPort{there}, true, []string{"tcp dport 30901 reject"}},
	} {
		p := port
		p.Ends, p.Local = c.ends, c.local
		got := rules(host, []Port{p})
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no rule %q in\n%s", name, want, got)
			}
		}
	}
}
