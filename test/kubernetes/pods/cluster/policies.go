package cluster

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"barnabas/test/kubernetes/pods/lan"
)

// guards are what NetworkPolicies come to: who may connect to each pod that one of them selects.
func (c *Cluster) guards() []lan.Guard {
	var guards []lan.Guard
	for _, p := range c.pods {
		if !p.address().IsValid() {
			continue
		}
		guard, guarded := lan.Guard{Pod: p.address()}, false
		for _, policy := range c.policies {
			if policy.Namespace != p.object.Namespace || !matches(&policy.Spec.PodSelector, p.object.Labels) {
				continue
			}
			guarded = true
			for _, rule := range policy.Spec.Ingress {
				guard.Allow = append(guard.Allow, c.allowed(policy.Namespace, p, rule)...)
			}
		}
		if guarded {
			guards = append(guards, guard)
		}
	}
	return guards
}

// allowed is each of a rule's ports for each of its peers.
func (c *Cluster) allowed(namespace string, p *pod, rule networkingv1.NetworkPolicyIngressRule) []lan.Allow {
	ports := []lan.Allow{{}}
	if len(rule.Ports) > 0 {
		ports = nil
	}
	for _, port := range rule.Ports {
		allow := lan.Allow{Protocol: "tcp"}
		if port.Protocol != nil {
			allow.Protocol = strings.ToLower(string(*port.Protocol))
		}
		if port.Port != nil {
			if allow.First = target(p, *port.Port); allow.First == 0 {
				continue // the pod has no port of that name
			}
			allow.Last = allow.First
			if port.EndPort != nil && port.Port.Type == intstr.Int {
				allow.Last = int(*port.EndPort)
			}
		}
		ports = append(ports, allow)
	}
	if len(rule.From) == 0 {
		return ports
	}
	var out []lan.Allow
	for _, peer := range rule.From {
		from, except := c.peers(namespace, peer)
		if len(from) == 0 {
			continue
		}
		for _, allow := range ports {
			allow.From, allow.Except = from, except
			out = append(out, allow)
		}
	}
	return out
}

// peers are the addresses that a peer stands for.
func (c *Cluster) peers(namespace string, peer networkingv1.NetworkPolicyPeer) (from, except []netip.Prefix) {
	if peer.IPBlock != nil {
		for _, cidr := range peer.IPBlock.Except {
			except = append(except, netip.MustParsePrefix(cidr)) // objects has looked at it
		}
		return []netip.Prefix{netip.MustParsePrefix(peer.IPBlock.CIDR)}, except
	}
	for _, p := range c.pods {
		there := p.object.Namespace == namespace
		if peer.NamespaceSelector != nil {
			there = matches(peer.NamespaceSelector, map[string]string{corev1.LabelMetadataName: p.object.Namespace})
		}
		if !there || peer.PodSelector != nil && !matches(peer.PodSelector, p.object.Labels) || !p.address().IsValid() {
			continue
		}
		if address := netip.PrefixFrom(p.address(), 32); !slices.Contains(from, address) {
			from = append(from, address)
		}
	}
	return from, nil
}

func matches(selector *metav1.LabelSelector, of map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(of))
}
