// Package lan makes the wires: a bridge with the hosts of a cluster on it, each host and each pod in a network namespace of
// its own, and on every host the rules that kube-proxy would make. It works in the namespaces of the calling process, which
// are expected to be private ones: nothing of the machine's own network is touched.
//
// Pods have one address and no neighbours, as with Calico: everything they send goes through the host's routing, where
// the addresses of Services are rewritten. Nothing is ever asked by ARP, for all hardware addresses are agreed upon.
package lan

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
)

// Outside is the address, in the bridge's own namespace, of clients outside of the cluster.
var Outside = netip.MustParseAddr("192.168.11.1")

// Pods is where all pods' addresses are from; each host has a /24 of it.
var Pods = netip.MustParsePrefix("10.244.0.0/16")

const (
	gateway  = "169.254.1.1"       // what every pod takes for its router
	hostCard = "ee:ee:ee:ee:ee:ee" // the host's end of every pod's wire
	podCard  = "02:00:00:00:00:02"
)

// LAN is the bridge with all that is on it.
type LAN struct {
	name string

	mu        sync.Mutex
	hosts     []*Host                   // guarded by mu
	wires     int                       // made so far; guarded by mu
	announced map[netip.Addr]netip.Addr // hosts by the load balancers' addresses that lead to them; guarded by mu
}

// made counts those of this process.
var made atomic.Int32

// New makes a bridge.
func New() (*LAN, error) {
	l := &LAN{name: fmt.Sprintf("lan%d", made.Add(1))}
	if err := run("ip", "netns", "add", l.Space()); err != nil {
		return nil, err
	}
	return l, batch(l.Space(), "link set lo up", "link add lan type bridge", "addr add "+Outside.String()+"/24 dev lan", "link set lan up")
}

// Space is the name of the bridge's network namespace, where clients outside of the cluster are.
func (l *LAN) Space() string { return l.name }

// Remove ends the namespaces of the bridge and of all hosts.
func (l *LAN) Remove() {
	for _, h := range l.Hosts() {
		_ = run("ip", "netns", "del", h.Space()) // the process's end does the same
	}
	_ = run("ip", "netns", "del", l.Space())
}

// Announce has load balancers' addresses lead to hosts, as a balancer does that announces each from one of them (MetalLB): what
// arrives there is for the address, and the host's rules say which pod it is led to.
func (l *LAN) Announce(leads map[netip.Addr]netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for address := range l.announced {
		if !leads[address].IsValid() {
			lines = append(lines, "route del "+address.String()+"/32")
		}
	}
	for address, host := range leads {
		if l.announced[address] != host {
			lines = append(lines, "route replace "+address.String()+"/32 via "+host.String())
		}
	}
	l.announced = leads
	if len(lines) == 0 {
		return nil
	}
	return batch(l.Space(), lines...)
}

// Host is a machine of the cluster.
type Host struct {
	Name    string
	Address netip.Addr
	// Pods are the addresses of those that live here.
	Pods netip.Prefix

	lan    *LAN
	number int
	next   int        // last part of the next pod's address; guarded by lan.mu
	rules  sync.Mutex // one change of the rules at a time
}

// AddHost puts a machine on the bridge and tells all others the way to its pods.
func (l *LAN) AddHost(name string, address netip.Addr) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	number := len(l.hosts) + 1
	h := &Host{
		Name: name, Address: address, lan: l, number: number, next: 2,
		Pods: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(number), 0}), 24),
	}
	if err := run("ip", "netns", "add", h.Space()); err != nil {
		return nil, err
	}
	err := batch(l.Space(), "link add "+h.wire()+" type veth peer name eth0 netns "+h.Space(), "link set "+h.wire()+" master lan up")
	if err == nil {
		err = batch(h.Space(), "addr add "+address.String()+"/24 dev eth0", "link set eth0 up", "link set lo up")
	}
	if err == nil {
		err = h.sysctl("ip_forward", "1")
	}
	for _, other := range l.hosts {
		if err == nil {
			err = batch(h.Space(), "route add "+other.Pods.String()+" via "+other.Address.String())
		}
		if err == nil {
			err = batch(other.Space(), "route add "+h.Pods.String()+" via "+address.String())
		}
	}
	if err == nil {
		err = h.nft(base)
	}
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	l.hosts = append(l.hosts, h)
	return h, nil
}

// Hosts are all of them.
func (l *LAN) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Host(nil), l.hosts...)
}

// Space is the name of the host's network namespace.
func (h *Host) Space() string { return h.lan.name + "-" + h.Name }

func (h *Host) wire() string { return fmt.Sprintf("h%d", h.number) }

// Cut takes the host off the bridge, as a pulled cable does; Mend puts it back.
func (h *Host) Cut() error  { return batch(h.lan.Space(), "link set "+h.wire()+" nomaster") }
func (h *Host) Mend() error { return batch(h.lan.Space(), "link set "+h.wire()+" master lan") }

func (h *Host) sysctl(name, value string) error {
	return Enter(h.Space(), func() error { return os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o644) })
}

// Wire is a pod's: its namespace and its address.
type Wire struct {
	Space   string
	Address netip.Addr

	host *Host
	name string
}

// AddPod makes a namespace with an address that no pod has had before.
func (h *Host) AddPod() (*Wire, error) {
	h.lan.mu.Lock()
	h.lan.wires++
	number, last := h.lan.wires, h.next
	h.next++
	h.lan.mu.Unlock()
	if last > 254 {
		return nil, fmt.Errorf("host %s has no addresses left for pods", h.Name)
	}
	p := h.Pods.Addr().As4()
	p[3] = byte(last)
	w := &Wire{Space: fmt.Sprintf("%s-p%d", h.lan.name, number), Address: netip.AddrFrom4(p), host: h, name: fmt.Sprintf("p%d", number)}
	if err := run("ip", "netns", "add", w.Space); err != nil {
		return nil, err
	}
	err := batch(h.Space(),
		"link add "+w.name+" address "+hostCard+" type veth peer name eth0 address "+podCard+" netns "+w.Space,
		"link set "+w.name+" up", "route add "+w.Address.String()+"/32 dev "+w.name,
		"neigh add "+w.Address.String()+" lladdr "+podCard+" dev "+w.name+" nud permanent")
	if err == nil {
		err = batch(w.Space, "link set lo up", "addr add "+w.Address.String()+"/32 dev eth0", "link set eth0 up",
			"neigh add "+gateway+" lladdr "+hostCard+" dev eth0 nud permanent",
			"route add "+gateway+" dev eth0 scope link", "route add default via "+gateway+" dev eth0")
	}
	if err != nil {
		w.Remove()
		return nil, fmt.Errorf("a pod's wire on host %s: %w", h.Name, err)
	}
	return w, nil
}

// Remove ends the namespace, and its wire with it.
func (w *Wire) Remove() {
	// Both may be gone already, with a host that was lost.
	_ = batch(w.host.Space(), "link del "+w.name)
	_ = run("ip", "netns", "del", w.Space)
}

// batch has iproute2 do several things in one namespace.
func batch(space string, lines ...string) error {
	c := exec.Command("ip", "-n", space, "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	return complain(c)
}

func run(name string, args ...string) error { return complain(exec.Command(name, args...)) }

func complain(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
