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
		got := rules(host, []Port{p}, nil)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no rule %q in\n%s", name, want, got)
			}
		}
	}
}

// What a guard does not let in is refused, but for the pod itself; each host guards its own pods.
func TestGuards(t *testing.T) {
	host := &Host{Name: "node1", Pods: netip.MustParsePrefix("10.244.1.0/24")}
	guard := Guard{Pod: netip.MustParseAddr("10.244.1.2"), Allow: []Allow{
		{Protocol: "tcp", First: 8080, Last: 8080},
		{Protocol: "tcp", First: 9092, Last: 9094, From: []netip.Prefix{netip.MustParsePrefix("10.244.2.3/32"), netip.MustParsePrefix("10.244.2.4/32")}},
		{From: []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}, Except: []netip.Prefix{netip.MustParsePrefix("192.168.11.0/24")}},
	}}
	elsewhere := Guard{Pod: netip.MustParseAddr("10.244.2.9")}
	got := rules(host, nil, []Guard{guard, elsewhere})
	_, got, _ = strings.Cut(got, "flush chain ip kube guards\n")
	_, got, _ = strings.Cut(got, "\n") // what pods send elsewhere
	want := `add rule ip kube guards ip daddr 10.244.1.2 ip saddr 10.244.1.2 accept
add rule ip kube guards ip daddr 10.244.1.2 tcp dport 8080-8080 accept
add rule ip kube guards ip daddr 10.244.1.2 tcp dport 9092-9094 ip saddr { 10.244.2.3/32, 10.244.2.4/32 } accept
add rule ip kube guards ip daddr 10.244.1.2 ip saddr { 192.168.0.0/16 } ip saddr != { 192.168.11.0/24 } accept
add rule ip kube guards ip daddr 10.244.1.2 reject
`
	if got != want {
		t.Errorf("the rules are\n%swant\n%s", got, want)
	}
}

// A load balancer's address leads pods to any end and others to one on the host, and turns away whom it is not for.
func TestBalancer(t *testing.T) {
	host := &Host{Name: "node1", Pods: netip.MustParsePrefix("10.244.1.0/24")}
	got := rules(host, []Port{{Protocol: "tcp", Number: 9094, NodePort: 31000, External: netip.MustParseAddr("192.168.11.201"), Local: true,
		Ends: []netip.AddrPort{netip.MustParseAddrPort("10.244.2.2:9094")}, Sources: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}}, nil)
	for _, want := range []string{
		"add rule ip kube sources ip daddr 192.168.11.201 tcp dport 9094 ip saddr != { 203.0.113.0/24 } reject",
		"add rule ip kube services ip saddr 10.244.0.0/16 ip daddr 192.168.11.201 tcp dport 9094 dnat to 10.244.2.2:9094",
		"add rule ip kube refusals ip daddr 192.168.11.201 tcp dport 9094 reject",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no rule %q in\n%s", want, got)
		}
	}
}
