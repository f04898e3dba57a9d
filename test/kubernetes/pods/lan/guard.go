package lan

import (
	"fmt"
	"net/netip"
	"strings"
)

// Guard keeps connections away from a pod that nothing allows, as a network plugin does for NetworkPolicies. What the pod's own
// host sends, a kubelet's probes, and what the pod sends itself is always let in. What is not is refused, so that nobody has to
// wait for an answer that does not come; most plugins are silent.
type Guard struct {
	Pod   netip.Addr
	Allow []Allow
}

// Allow is what is let in.
type Allow struct {
	// Protocol is tcp or udp, and empty for all of both.
	Protocol string
	// First to Last are the pod's ports, all where they are 0.
	First, Last int
	// From are the sources, everybody where there are none, without Except.
	From, Except []netip.Prefix
}

func (g Guard) rules(rule func(chain, format string, args ...any)) {
	to := fmt.Sprintf("ip daddr %s", g.Pod)
	rule("guards", "%s ip saddr %s accept", to, g.Pod)
	for _, a := range g.Allow {
		words := []string{to}
		switch {
		case a.Last > 0:
			words = append(words, fmt.Sprintf("%s dport %d-%d", a.Protocol, a.First, a.Last))
		case a.Protocol != "":
			words = append(words, "ip protocol "+a.Protocol)
		}
		if len(a.From) > 0 {
			words = append(words, "ip saddr "+set(a.From))
		}
		if len(a.Except) > 0 {
			words = append(words, "ip saddr != "+set(a.Except))
		}
		rule("guards", "%s accept", strings.Join(words, " "))
	}
	rule("guards", "%s reject", to)
}

func set(prefixes []netip.Prefix) string {
	var words []string
	for _, p := range prefixes {
		words = append(words, p.String())
	}
	return "{ " + strings.Join(words, ", ") + " }"
}
