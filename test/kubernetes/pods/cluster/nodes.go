package cluster

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"barnabas/test/kubernetes/pods/kubelet"
	"barnabas/test/kubernetes/pods/lan"
)

// node is a host as the cluster sees it.
type node struct {
	name     string
	host     *lan.Host
	machine  *kubelet.Machine
	labels   map[string]string
	cordoned bool
	ready    bool
	lost     time.Time // since when nobody has heard of it
	removed  bool
	last     map[*pod]kubelet.Status // what was known of its pods when it was lost
}

// firstHost is the recipe's own master.
var firstHost = netip.MustParseAddr("192.168.11.113")

// AddNode has another host join.
func (c *Cluster) AddNode(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	address := firstHost
	for range c.nodes {
		address = address.Next()
	}
	host, err := c.lan.AddHost(name, address)
	if err != nil {
		return err
	}
	labels := map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
	if zones := c.options.Zones; len(zones) > 0 {
		labels["topology.kubernetes.io/zone"] = zones[len(c.nodes)%len(zones)]
	}
	n := &node{name: name, host: host, labels: labels, ready: true, machine: c.machine(host, labels)}
	if err := os.MkdirAll(n.machine.Dir, 0o755); err != nil {
		return err
	}
	c.nodes = append(c.nodes, n)
	c.led = "" // its rules are still to be made
	return nil
}

func (c *Cluster) node(name string) (*node, error) {
	for _, n := range c.nodes {
		if n.name == name && !n.removed {
			return n, nil
		}
	}
	return nil, fmt.Errorf("there is no node %s", name)
}

// LoseNode cuts a host's power: it is off the network at once, and nobody is told.
func (c *Cluster) LoseNode(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(name)
	if err != nil {
		return err
	}
	n.last = map[*pod]kubelet.Status{}
	for _, p := range c.pods {
		if p.node == n {
			n.last[p] = p.status()
		}
	}
	n.lost = time.Now()
	if err := n.host.Cut(); err != nil {
		return err
	}
	for _, p := range c.pods {
		if p.node == n && p.run != nil {
			p.run.Kill()
		}
	}
	c.say("node %s is lost", name)
	return nil
}

// DeleteNode takes a host that is lost out of the cluster, and its pods with it.
func (c *Cluster) DeleteNode(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(name)
	if err != nil {
		return err
	}
	n.removed, n.cordoned = true, true
	c.poke()
	return nil
}

// watchNodes is the node controller: what is silent is not ready, and after a while its pods are replaced elsewhere.
func (c *Cluster) watchNodes(now time.Time) {
	for _, n := range c.nodes {
		if n.lost.IsZero() {
			continue
		}
		if n.ready && now.Sub(n.lost) > c.options.NotReadyAfter {
			n.ready = false
			c.say("node %s is not ready", n.name)
		}
		if now.Sub(n.lost) < c.options.NotReadyAfter+c.options.EvictAfter {
			continue
		}
		for _, p := range c.pods {
			if p.node == n {
				c.remove(p)
			}
		}
	}
}

// Cordon keeps new pods away from a node; Uncordon ends that.
func (c *Cluster) Cordon(name string) error   { return c.cordon(name, true) }
func (c *Cluster) Uncordon(name string) error { return c.cordon(name, false) }

func (c *Cluster) cordon(name string, on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.node(name)
	if err == nil {
		n.cordoned = on
		c.poke()
	}
	return err
}

// usable tells that new pods may come.
func (n *node) usable() bool { return !n.cordoned && n.ready && n.lost.IsZero() && !n.removed }

// count is how many pods it has.
func (c *Cluster) count(n *node) int {
	count := 0
	for _, p := range c.pods {
		if p.node == n && p.status().Phase != corev1.PodFailed {
			count++
		}
	}
	return count
}
