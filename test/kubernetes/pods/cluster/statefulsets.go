package cluster

import (
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// statefulSet is one with the revisions that pods still have.
type statefulSet struct {
	object *appsv1.StatefulSet
}

func (s *statefulSet) owner() string {
	return "StatefulSet/" + s.object.Namespace + "/" + s.object.Name
}

func (s *statefulSet) name(ordinal int) string { return s.object.Name + "-" + strconv.Itoa(ordinal) }

func (s *statefulSet) first() int {
	if o := s.object.Spec.Ordinals; o != nil {
		return int(o.Start)
	}
	return 0
}

// reconcileStatefulSet does one step: pods come in order and go in reverse, none beside one of its own name, and a new
// template goes from the highest number down, each ready before the next.
func (c *Cluster) reconcileStatefulSet(s *statefulSet, now time.Time) {
	hash := templateHash(&s.object.Spec.Template)
	first, replicas := s.first(), int(*s.object.Spec.Replicas)
	ordered := s.object.Spec.PodManagementPolicy == appsv1.OrderedReadyPodManagement
	byName := map[string]*pod{}
	for _, p := range c.owned(s.owner()) {
		byName[p.object.Name] = p
	}
	well := func(p *pod) bool {
		return p != nil && p.active() && p.available(now, s.object.Spec.MinReadySeconds)
	}
	for ordinal := first; ordinal < first+replicas; ordinal++ {
		p := byName[s.name(ordinal)]
		delete(byName, s.name(ordinal))
		if p == nil {
			p = c.createMember(s, ordinal, hash)
		} else if p.deleted.IsZero() && !p.active() {
			c.remove(p)
		}
		if ordered && !well(p) {
			return
		}
	}
	// What is left are numbers beyond.
	for ordinal := first + replicas + len(byName) + 100; ordinal >= 0 && len(byName) > 0; ordinal-- {
		p := byName[s.name(ordinal)]
		if p == nil {
			continue
		}
		delete(byName, s.name(ordinal))
		c.remove(p)
		if ordered {
			return
		}
	}
	if s.object.Spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return
	}
	s.update(c, hash, well)
}

// update has the highest pod of an older template go, unless one above it is not ready yet.
func (s *statefulSet) update(c *Cluster, hash string, well func(*pod) bool) {
	lowest := s.first()
	if r := s.object.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		lowest += int(*r.Partition)
	}
	for ordinal := s.first() + int(*s.object.Spec.Replicas) - 1; ordinal >= lowest; ordinal-- {
		for _, p := range c.owned(s.owner()) {
			if p.object.Name != s.name(ordinal) {
				continue
			}
			if p.hash != hash {
				c.remove(p)
				return
			}
			if !well(p) {
				return
			}
		}
	}
}

func (c *Cluster) createMember(s *statefulSet, ordinal int, hash string) *pod {
	p := c.create(s.owner(), hash, s.name(ordinal), s.object.ObjectMeta, s.object.Spec.Template)
	p.object.Spec.Hostname, p.object.Spec.Subdomain = p.object.Name, s.object.Spec.ServiceName
	p.object.Labels["statefulset.kubernetes.io/pod-name"] = p.object.Name
	p.object.Labels["apps.kubernetes.io/pod-index"] = strconv.Itoa(ordinal)
	p.object.Labels["controller-revision-hash"] = hash
	p.claims = map[string]string{}
	for _, claim := range s.object.Spec.VolumeClaimTemplates {
		name := fmt.Sprintf("%s-%s", claim.Name, p.object.Name)
		p.claims[name] = name
		p.object.Spec.Volumes = append(p.object.Spec.Volumes, corev1.Volume{
			Name: claim.Name,
			VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
			},
		})
	}
	return p
}
