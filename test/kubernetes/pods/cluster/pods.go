package cluster

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"barnabas/test/kubernetes/pods/kubelet"
)

// pod is one that is wanted, from its creation until nothing is left of it.
type pod struct {
	object *corev1.Pod
	owner  string // "Deployment/namespace/name"
	hash   string // of the template that it was made from
	claims map[string]string

	node      *node
	run       *kubelet.Pod // once it has a node
	deleted   time.Time    // when it was told to go
	lastReady time.Time    // since when it has been ready without a break
	waits     string       // why it has no node
}

// create makes a pod from a template; the scheduler finds it a place.
func (c *Cluster) create(owner, hash, name string, meta metav1.ObjectMeta, template corev1.PodTemplateSpec) *pod {
	object := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
	object.Name, object.Namespace = name, meta.Namespace
	object.UID = types.UID(fmt.Sprintf("%s-%d", name, c.number()))
	if object.Labels == nil {
		object.Labels = map[string]string{}
	}
	p := &pod{object: object, owner: owner, hash: hash}
	c.pods = append(c.pods, p)
	c.say("pod %s is made", name)
	return p
}

// remove tells a pod to go within its grace period. What was evicted has been told, and an Event says why.
func (c *Cluster) remove(p *pod) {
	if !p.deleted.IsZero() {
		return
	}
	if s := p.status(); s.Reason == kubelet.Evicted {
		c.say("pod %s is evicted: %s", p.object.Name, s.Message)
		c.events = append(c.events, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("%s.evicted.%d", p.object.Name, c.number()), Namespace: p.object.Namespace},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: p.object.Name, Namespace: p.object.Namespace, UID: p.object.UID},
			Type:           corev1.EventTypeWarning, Reason: s.Reason, Message: s.Message,
		})
	}
	p.deleted = time.Now()
	c.say("pod %s is told to go", p.object.Name)
	if p.run != nil && p.node.lost.IsZero() {
		p.run.Stop(time.Duration(*p.object.Spec.TerminationGracePeriodSeconds) * time.Second)
	}
	c.poke()
}

// reap forgets pods of which nothing is left. Of those on a lost host nobody hears, until the host is deleted.
func (c *Cluster) reap() {
	var left []*pod
	for _, p := range c.pods {
		switch {
		case p.run == nil && !p.deleted.IsZero():
			continue
		case p.run != nil && p.node.lost.IsZero() && p.isGone():
			c.say("pod %s is gone after %s", p.object.Name, time.Since(p.deleted).Round(time.Millisecond))
			c.used[p.owner] = c.used[p.owner].Plus(p.run.Memory())
			continue
		case p.run != nil && p.node.removed:
			continue
		}
		left = append(left, p)
	}
	c.pods = left
}

func (p *pod) isGone() bool {
	select {
	case <-p.run.Gone():
		return true
	default:
		return false
	}
}

// status is what the API server knows of a pod.
func (p *pod) status() kubelet.Status {
	switch {
	case p.run == nil:
		return kubelet.Status{Phase: corev1.PodPending, Message: p.waits}
	case !p.node.lost.IsZero():
		s := p.node.last[p]
		s.Ready = s.Ready && p.node.ready
		return s
	}
	return p.run.Status()
}

// ready tells whether it is, and keeps since when.
func (p *pod) ready(now time.Time) bool {
	ready := p.status().Ready
	if !ready {
		p.lastReady = time.Time{}
	} else if p.lastReady.IsZero() {
		p.lastReady = now
	}
	return ready
}

// available is ready for so many seconds.
func (p *pod) available(now time.Time, minReadySeconds int32) bool {
	return p.ready(now) && now.Sub(p.lastReady) >= time.Duration(minReadySeconds)*time.Second
}

// active tells that it is neither told to go nor at its end.
func (p *pod) active() bool {
	phase := p.status().Phase
	return p.deleted.IsZero() && phase != corev1.PodFailed && phase != corev1.PodSucceeded
}

// owned are an owner's pods.
func (c *Cluster) owned(owner string) []*pod {
	var out []*pod
	for _, p := range c.pods {
		if p.owner == owner {
			out = append(out, p)
		}
	}
	return out
}

// selected are a namespace's pods with all of these labels.
func (c *Cluster) selected(namespace string, selector labels.Selector) []*pod {
	var out []*pod
	for _, p := range c.pods {
		if p.object.Namespace == namespace && selector.Matches(labels.Set(p.object.Labels)) {
			out = append(out, p)
		}
	}
	return out
}

// templateHash is another one when anything of the template is.
func templateHash(template *corev1.PodTemplateSpec) string {
	raw, err := json.Marshal(template)
	if err != nil {
		panic("cluster: a template can't be written: " + err.Error())
	}
	h := fnv.New32a()
	h.Write(raw)
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// launch has the pod's host run it.
func (c *Cluster) launch(p *pod, n *node) {
	p.node, p.waits = n, ""
	p.object.Spec.NodeName = n.name
	if zone := n.labels[corev1.LabelTopologyZone]; zone != "" {
		p.object.Labels[corev1.LabelTopologyZone] = zone // as of Kubernetes 1.35
	}
	for _, container := range p.object.Spec.Containers {
		if container.Image != c.options.ImageName {
			p.waits = fmt.Sprintf("ImagePullBackOff: there is no image %q", container.Image)
			return
		}
	}
	for claim, dir := range p.claims {
		p.claims[claim] = filepath.Join(c.options.Dir, "claims", filepath.Base(dir))
	}
	p.run = n.machine.New(p.object, p.claims, c.poke)
}
