package cluster

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// deployment is one with its replica sets, the newest last.
type deployment struct {
	object *appsv1.Deployment
	sets   []*replicaSet
}

// replicaSet keeps so many pods of one template.
type replicaSet struct {
	hash     string
	template corev1.PodTemplateSpec
	desired  int
}

func (d *deployment) owner() string {
	return "Deployment/" + d.object.Namespace + "/" + d.object.Name
}

// newest is the replica set of the template as it is now.
func (d *deployment) newest() *replicaSet {
	hash := templateHash(&d.object.Spec.Template)
	if at := slices.IndexFunc(d.sets, func(s *replicaSet) bool { return s.hash == hash }); at >= 0 {
		set := d.sets[at]
		d.sets = append(slices.Delete(d.sets, at, at+1), set)
		return set
	}
	set := &replicaSet{hash: hash, template: *d.object.Spec.Template.DeepCopy()}
	d.sets = append(d.sets, set)
	return set
}

// share resolves a number or a percentage, which is rounded up for a surge and down for what may be away.
func share(value *intstr.IntOrString, of int, up bool) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(value, of, up)
	if err != nil {
		panic(fmt.Sprintf("cluster: %v: %v", value, err))
	}
	return n
}

// reconcileDeployment moves the replica sets towards the newest template, and each to its number of pods.
func (c *Cluster) reconcileDeployment(d *deployment, now time.Time) {
	newest := d.newest()
	mine := c.owned(d.owner())
	if d.object.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		d.recreate(newest, mine)
	} else {
		d.roll(newest, mine, now)
	}
	for _, set := range d.sets {
		c.reconcileSet(d, set, mine, now)
	}
	d.sets = slices.DeleteFunc(d.sets, func(s *replicaSet) bool { return s != newest && s.desired == 0 })
}

// recreate lets the old go before the new come.
func (d *deployment) recreate(newest *replicaSet, mine []*pod) {
	for _, set := range d.sets[:len(d.sets)-1] {
		set.desired = 0
	}
	if !slices.ContainsFunc(mine, func(p *pod) bool { return p.hash != newest.hash }) {
		newest.desired = int(*d.object.Spec.Replicas)
	}
}

// roll lets as many new come as the surge allows, and as many old go as are not needed: those that are not ready first.
func (d *deployment) roll(newest *replicaSet, mine []*pod, now time.Time) {
	replicas, rolling := int(*d.object.Spec.Replicas), d.object.Spec.Strategy.RollingUpdate
	surge, away := share(rolling.MaxSurge, replicas, true), share(rolling.MaxUnavailable, replicas, false)
	if surge == 0 && away == 0 {
		away = 1
	}
	total := 0
	for _, set := range d.sets {
		total += set.desired
	}
	if newest.desired > replicas {
		newest.desired = replicas
	} else if room := replicas + surge - total; newest.desired < replicas && room > 0 {
		newest.desired += min(room, replicas-newest.desired)
		total += min(room, replicas-newest.desired)
	}
	available := func(hash string) int {
		count := 0
		for _, p := range mine {
			if p.hash == hash && p.active() && p.available(now, d.object.Spec.MinReadySeconds) {
				count++
			}
		}
		return count
	}
	all := available(newest.hash)
	for _, set := range d.sets[:len(d.sets)-1] {
		all += available(set.hash)
	}
	least := replicas - away
	for _, set := range d.sets[:len(d.sets)-1] {
		unhealthy := set.desired - available(set.hash)
		mayGo := sum(d.sets) - least - (newest.desired - available(newest.hash))
		sick := max(0, min(unhealthy, mayGo))
		set.desired -= sick
		well := max(0, min(set.desired, all-least))
		set.desired -= well
		all -= well
	}
}

func sum(sets []*replicaSet) int {
	total := 0
	for _, s := range sets {
		total += s.desired
	}
	return total
}

// reconcileSet makes pods that are missing, and has those go that are too many: not ready ones first, then the newest.
func (c *Cluster) reconcileSet(d *deployment, set *replicaSet, mine []*pod, now time.Time) {
	var active []*pod
	for _, p := range mine {
		if p.hash != set.hash {
			continue
		}
		if p.active() {
			active = append(active, p)
		} else if p.deleted.IsZero() {
			c.remove(p) // it has ended, or was evicted for the room it took
		}
	}
	for i := len(active); i < set.desired; i++ {
		name := fmt.Sprintf("%s-%s-%d", d.object.Name, set.hash, c.number())
		p := c.create(d.owner(), set.hash, name, d.object.ObjectMeta, set.template)
		p.object.Labels["pod-template-hash"] = set.hash
	}
	slices.SortStableFunc(active, func(a, b *pod) int {
		switch {
		case a.ready(now) == b.ready(now):
			return 0
		case b.ready(now):
			return -1
		}
		return 1
	})
	for i := 0; i < len(active)-set.desired; i++ {
		c.remove(active[i])
	}
}
