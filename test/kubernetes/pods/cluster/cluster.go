// Package cluster is the part of Kubernetes that decides: what `kubectl apply` has been given becomes pods, the scheduler puts
// them on hosts, Deployments and StatefulSets replace them, Services lead to those that are ready, budgets hold evictions
// back, and hosts are lost. Package kubelet keeps the pods, package lan makes the wires.
//
// One goroutine, the manager, does what all of Kubernetes' controllers do; verbs change what is wanted and wake it.
package cluster

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"barnabas/test/kubernetes/pods/image"
	"barnabas/test/kubernetes/pods/kubelet"
	"barnabas/test/kubernetes/pods/lan"
	"barnabas/test/kubernetes/pods/limits"
	"barnabas/test/kubernetes/pods/names"
)

// Options say what cluster it is.
type Options struct {
	// Dir takes all that the cluster writes.
	Dir string
	// Runtime is the program of package container.
	Runtime string
	// Image is what containers run whose image is named ImageName; others can't be pulled.
	Image     *image.Image
	ImageName string
	// Hosts are the machines' names, the first at 192.168.11.113; zone labels go round by Zones.
	Hosts []string
	Zones []string
	// BackOff is a kubelet's first wait for a container that fails again and again.
	BackOff time.Duration
	// NotReadyAfter is how long a host may be silent until its pods are led to no more, EvictAfter until they are replaced
	// elsewhere. Kubernetes' own are 40 s and five minutes more.
	NotReadyAfter, EvictAfter time.Duration
	// Limits, if not nil, is where memory is bounded.
	Limits *limits.Tree
	// Logf takes a line for what happens.
	Logf func(format string, args ...any)
}

// Resolver is where pods find the cluster's DNS server.
var resolver = netip.MustParseAddr("10.1.0.10")

// Cluster is one that runs.
type Cluster struct {
	options Options
	lan     *lan.LAN
	Names   *names.Server
	api     *api

	wake, quit, ended chan struct{}

	mu           sync.Mutex // guards all below
	nodes        []*node
	deployments  []*deployment
	statefulSets []*statefulSet
	services     []*corev1.Service
	configs      map[string]*corev1.ConfigMap
	secrets      map[string]*corev1.Secret
	budgets      []*budget
	policies     []*networkingv1.NetworkPolicy
	balancers    bool // load balancers get their addresses
	rights       rights
	tokens       map[string]string // service accounts by what pods are given
	events       []*corev1.Event
	used         map[string]kubelet.Memory // by pods that are gone, by owner
	pods         []*pod
	made         int    // numbers given out
	led          string // the rules in force
	failures     []error
}

// Start makes the hosts and begins to manage.
func Start(o Options) (*Cluster, error) {
	wires, err := lan.New()
	if err != nil {
		return nil, err
	}
	udp, tcp, err := wires.Listen(netip.AddrPortFrom(lan.Outside, 53).String())
	if err != nil {
		return nil, fmt.Errorf("the DNS server: %w", err)
	}
	c := &Cluster{
		options: o, lan: wires, Names: names.Start(udp, tcp),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		configs: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{},
		rights: newRights(), tokens: map[string]string{}, balancers: true,
		used: map[string]kubelet.Memory{},
	}
	if err := c.startAPI(); err != nil {
		return nil, err
	}
	for _, name := range o.Hosts {
		if err := c.AddNode(name); err != nil {
			return nil, err
		}
	}
	go c.manage()
	return c, nil
}

// Outside is the network namespace of clients outside of the cluster.
func (c *Cluster) Outside() string { return c.lan.Space() }

// Close ends all pods at once, the manager, and all namespaces.
func (c *Cluster) Close() {
	close(c.quit)
	<-c.ended
	c.mu.Lock()
	pods := slices.Clone(c.pods)
	c.mu.Unlock() // what ends may still ask for something
	for _, p := range pods {
		if p.run != nil {
			p.run.Kill()
		}
	}
	for _, p := range pods {
		if p.run != nil {
			<-p.run.Gone()
		}
	}
	c.Names.Close()
	_ = c.api.http.Close()
	c.lan.Remove()
}

func (c *Cluster) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// manage is the one goroutine of all controllers.
func (c *Cluster) manage() {
	defer close(c.ended)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
		case <-tick.C:
		}
		c.mu.Lock()
		now := time.Now()
		c.watchNodes(now)
		c.reap()
		for _, d := range c.deployments {
			c.reconcileDeployment(d, now)
		}
		for _, s := range c.statefulSets {
			c.reconcileStatefulSet(s, now)
		}
		c.schedule()
		ports, zone := c.routes()
		guards, announced := c.guards(), c.announcements()
		c.mu.Unlock()
		c.lead(ports, guards)
		if err := c.lan.Announce(announced); err != nil {
			c.fail(fmt.Errorf("the addresses of load balancers: %w", err))
		}
		c.Names.Serve(zone)
	}
}

// lead puts routes and guards into force on every host, if they are others than before.
func (c *Cluster) lead(ports []lan.Port, guards []lan.Guard) {
	said := fmt.Sprint(ports, guards)
	c.mu.Lock()
	known := said == c.led
	c.led = said
	c.mu.Unlock()
	if known {
		return
	}
	for _, h := range c.lan.Hosts() {
		if err := h.Lead(ports, guards); err != nil {
			c.fail(fmt.Errorf("routes of host %s: %w", h.Name, err))
		}
	}
}

func (c *Cluster) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, err)
	c.options.Logf("the harness itself: %v", err)
}

func (c *Cluster) say(format string, args ...any) { c.options.Logf(format, args...) }

// number is one that was not given out before.
func (c *Cluster) number() int {
	c.made++
	return c.made
}

// Config implements kubelet.Cluster.
func (c *Cluster) Config(namespace, name string, secret bool) (map[string][]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if secret {
		s, there := c.secrets[namespace+"/"+name]
		if !there {
			return nil, false
		}
		return s.Data, true
	}
	m, there := c.configs[namespace+"/"+name]
	if !there {
		return nil, false
	}
	data := map[string][]byte{}
	for key, value := range m.Data {
		data[key] = []byte(value)
	}
	for key, value := range m.BinaryData {
		data[key] = value
	}
	return data, true
}

func (c *Cluster) machine(n *lan.Host, labels map[string]string) *kubelet.Machine {
	return &kubelet.Machine{
		Host: n, Dir: filepath.Join(c.options.Dir, n.Name), Runtime: c.options.Runtime, Image: c.options.Image,
		Resolver: resolver.String(), Cluster: c, Limits: c.options.Limits, BackOff: c.options.BackOff, BackOffMax: 30 * c.options.BackOff, Labels: labels,
	}
}
