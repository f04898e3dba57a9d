package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// evict tells a pod to go unless a budget forbids it now, and says which.
func (c *Cluster) evict(p *pod, now time.Time) error {
	if !p.deleted.IsZero() {
		return nil
	}
	for _, b := range c.budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return err
		}
		covered := c.selected(b.Namespace, selector)
		mine, healthy, expected := false, 0, 0
		owners := map[string]bool{}
		for _, q := range covered {
			mine = mine || q == p
			if q.deleted.IsZero() && q.ready(now) {
				healthy++
			}
			if !owners[q.owner] {
				owners[q.owner] = true
				expected += c.replicas(q.owner)
			}
		}
		if !mine || p.status().Phase == corev1.PodPending {
			continue
		}
		desired := desiredHealthy(b, expected, len(covered))
		if !p.ready(now) {
			always := b.Spec.UnhealthyPodEvictionPolicy != nil && *b.Spec.UnhealthyPodEvictionPolicy == policyv1.AlwaysAllow
			if always || healthy >= desired && desired > 0 {
				continue
			}
		}
		if healthy-desired <= 0 {
			return fmt.Errorf("cannot evict pod %s as it would violate the budget %s: %d healthy, %d wanted", p.object.Name, b.Name, healthy, desired)
		}
	}
	c.remove(p)
	return nil
}

// desiredHealthy is what a budget wants of the pods that their controllers mean to have.
func desiredHealthy(b *policyv1.PodDisruptionBudget, expected, covered int) int {
	if b.Spec.MaxUnavailable != nil {
		return max(0, expected-share(b.Spec.MaxUnavailable, expected, true))
	}
	if b.Spec.MinAvailable != nil {
		return share(b.Spec.MinAvailable, max(expected, covered), true)
	}
	return 0
}

// replicas is how many pods an owner means to have.
func (c *Cluster) replicas(owner string) int {
	for _, d := range c.deployments {
		if d.owner() == owner {
			return int(*d.object.Spec.Replicas)
		}
	}
	for _, s := range c.statefulSets {
		if s.owner() == owner {
			return int(*s.object.Spec.Replicas)
		}
	}
	return 0
}

// Drain keeps new pods away from a node and evicts those that are there, each as soon as the budgets allow it.
func (c *Cluster) Drain(ctx context.Context, name string) error {
	if err := c.Cordon(name); err != nil {
		return err
	}
	for {
		left, err := c.evictAll(name)
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain %s: %d pods are left: %w; the last refusal: %v", name, left, ctx.Err(), err)
		case <-time.After(200 * time.Millisecond): // kubectl's is 5 s
		}
	}
}

func (c *Cluster) evictAll(name string) (left int, refused error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		if p.node == nil || p.node.name != name {
			continue
		}
		left++
		if err := c.evict(p, time.Now()); err != nil {
			refused = err
		}
	}
	return left, refused
}

type budget = policyv1.PodDisruptionBudget
