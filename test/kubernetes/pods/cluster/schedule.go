package cluster

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// schedule gives every pod without a host the best one that it may have.
func (c *Cluster) schedule() {
	for _, p := range c.pods {
		if p.node != nil || !p.deleted.IsZero() {
			continue
		}
		best, score := (*node)(nil), math.MinInt
		for _, n := range c.nodes {
			if !n.usable() || !c.fits(p, n) {
				continue
			}
			if s := c.score(p, n); s > score {
				best, score = n, s
			}
		}
		if best == nil {
			p.waits = "Unschedulable: no node suits"
			continue
		}
		c.launch(p, best)
	}
}

// fits are the rules that must hold.
func (c *Cluster) fits(p *pod, n *node) bool {
	if !labels.SelectorFromSet(p.object.Spec.NodeSelector).Matches(labels.Set(n.labels)) {
		return false
	}
	if a := p.object.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		for _, term := range a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
			if c.beside(p, n, term.TopologyKey, term.LabelSelector) > 0 {
				return false
			}
		}
	}
	for _, spread := range p.object.Spec.TopologySpreadConstraints {
		if spread.WhenUnsatisfiable == corev1.DoNotSchedule && c.skew(p, n, spread) > int(spread.MaxSkew) {
			return false
		}
	}
	return true
}

// score prefers: what the pod asks for, then hosts without pods of its owner, then those with few.
func (c *Cluster) score(p *pod, n *node) int {
	score := -c.count(n)
	for _, q := range c.owned(p.owner) {
		if q.node == n {
			score -= 20
		}
	}
	if a := p.object.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		for _, term := range a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			score -= int(term.Weight) * 10 * c.beside(p, n, term.PodAffinityTerm.TopologyKey, term.PodAffinityTerm.LabelSelector)
		}
	}
	for _, spread := range p.object.Spec.TopologySpreadConstraints {
		score -= 100 * max(0, c.skew(p, n, spread)-int(spread.MaxSkew))
	}
	return score
}

// beside counts the pods that a selector means in the part of the cluster that a node is in.
func (c *Cluster) beside(p *pod, n *node, topology string, selector *metav1.LabelSelector) int {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		panic(fmt.Sprintf("cluster: pod %s: %v", p.object.Name, err))
	}
	count := 0
	for _, q := range c.selected(p.object.Namespace, s) {
		if q != p && q.node != nil && q.node.labels[topology] == n.labels[topology] && n.labels[topology] != "" {
			count++
		}
	}
	return count
}

// skew is how many more such pods the node's part of the cluster would have than the emptiest one.
func (c *Cluster) skew(p *pod, n *node, spread corev1.TopologySpreadConstraint) int {
	least := math.MaxInt
	for _, other := range c.nodes {
		if other.usable() {
			least = min(least, c.beside(p, other, spread.TopologyKey, spread.LabelSelector))
		}
	}
	return c.beside(p, n, spread.TopologyKey, spread.LabelSelector) + 1 - least
}
