package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"barnabas/test/launch"
)

// network is a bridge in a namespace of its own, the hub, and nodes' namespaces around it. Nothing of the machine's own
// network is touched. Its clients connect from within the hub.
type network struct {
	t    *testing.T
	name string // prefix of all namespaces
	ids  []int
}

const (
	prefix  = "10.77.0."
	hubHost = 254
)

var networks atomic.Int32

// newNetwork makes a hub and a namespace for each number, the last part of its address.
func newNetwork(t *testing.T, ids ...int) *network {
	if os.Geteuid() != 0 {
		launch.Cannot(t, "network namespaces want root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		launch.Cannot(t, "network namespaces want iproute2: %v", err)
	}
	sweep()
	n := &network{t: t, name: fmt.Sprintf("bz-%d-%d-", os.Getpid(), networks.Add(1)), ids: ids}
	if out, err := exec.Command("ip", "netns", "add", n.hub()).CombinedOutput(); err != nil {
		launch.Cannot(t, "this user can't make network namespaces: %v: %s", err, out)
	}
	t.Cleanup(n.remove)
	if out, err := exec.Command("ip", "-n", n.hub(), "link", "add", "hub", "type", "bridge").CombinedOutput(); err != nil {
		launch.Cannot(t, "this kernel has no bridges: %v: %s", err, out)
	}
	n.ip(n.hub(), "addr", "add", prefix+strconv.Itoa(hubHost)+"/24", "dev", "hub")
	n.ip(n.hub(), "link", "set", "hub", "up")
	for _, id := range ids {
		n.add(id)
	}
	return n
}

// sweep removes what a test that was killed has left behind.
func sweep() {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		parts := strings.Split(name, "-")
		if len(parts) != 4 || parts[0] != "bz" {
			continue
		}
		if _, err := os.Stat("/proc/" + parts[1]); os.IsNotExist(err) {
			exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

func (n *network) hub() string { return n.name + "hub" }

// namespace is that of a node.
func (n *network) namespace(id int) string { return n.name + strconv.Itoa(id) }

func port(id int) string { return "p" + strconv.Itoa(id) }

func (n *network) add(id int) {
	space := n.namespace(id)
	n.run("ip", "netns", "add", space)
	n.ip(n.hub(), "link", "add", port(id), "type", "veth", "peer", "name", "eth0", "netns", space)
	n.ip(n.hub(), "link", "set", port(id), "master", "hub", "up")
	n.ip(space, "addr", "add", prefix+strconv.Itoa(id)+"/24", "dev", "eth0")
	n.ip(space, "link", "set", "eth0", "up")
	n.ip(space, "link", "set", "lo", "up")
}

func (n *network) remove() {
	for _, id := range n.ids {
		exec.Command("ip", "netns", "del", n.namespace(id)).Run()
	}
	exec.Command("ip", "netns", "del", n.hub()).Run()
}

// ip runs a command of iproute2 in a namespace.
func (n *network) ip(space string, args ...string) {
	n.t.Helper()
	n.run("ip", append([]string{"-n", space}, args...)...)
}

func (n *network) run(name string, args ...string) {
	n.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		n.t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// isolate takes a node off the hub, as a pulled cable does; rejoin puts it back.
func (n *network) isolate(id int) { n.ip(n.hub(), "link", "set", port(id), "nomaster") }
func (n *network) rejoin(id int)  { n.ip(n.hub(), "link", "set", port(id), "master", "hub") }

// nobody is a hardware address that no frame is taken at.
const nobody = "02:00:00:00:00:99"

// mute has what a node sends to another vanish, one way; unmute ends that.
func (n *network) mute(from, to int) {
	n.ip(n.namespace(from), "neigh", "replace", prefix+strconv.Itoa(to), "lladdr", nobody, "nud", "permanent", "dev", "eth0")
}

func (n *network) unmute(from, to int) {
	n.ip(n.namespace(from), "neigh", "del", prefix+strconv.Itoa(to), "dev", "eth0")
}

// part cuts the link between two nodes both ways; unite mends it.
func (n *network) part(a, b int) {
	n.mute(a, b)
	n.mute(b, a)
}

func (n *network) unite(a, b int) {
	n.unmute(a, b)
	n.unmute(b, a)
}

// slow bounds what a node sends to so many kbit/s.
func (n *network) slow(id, kbit int) {
	n.run("tc", "-n", n.namespace(id), "qdisc", "replace", "dev", "eth0", "root", "tbf",
		"rate", strconv.Itoa(kbit)+"kbit", "burst", "16kb", "latency", "400ms")
}

// fast ends that.
func (n *network) fast(id int) {
	n.run("tc", "-n", n.namespace(id), "qdisc", "del", "dev", "eth0", "root")
}

// starve bounds what a node gets from a port of the others to so many kbit/s, and nothing else; feed ends that.
func (n *network) starve(id, from, kbit int) {
	tc := func(args ...string) error {
		out, err := exec.Command("tc", append([]string{"-n", n.hub()}, args...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("tc %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	at := port(id)
	if err := errors.Join(
		tc("qdisc", "add", "dev", at, "root", "handle", "1:", "htb", "default", "1"),
		tc("class", "add", "dev", at, "parent", "1:", "classid", "1:1", "htb", "rate", "1gbit"),
		tc("class", "add", "dev", at, "parent", "1:", "classid", "1:2", "htb", "rate", "1gbit"),
		tc("qdisc", "add", "dev", at, "parent", "1:2", "handle", "2:", "tbf", "rate", strconv.Itoa(kbit)+"kbit", "burst", "16kb", "latency", "400ms"),
		tc("filter", "add", "dev", at, "parent", "1:", "protocol", "ip", "u32", "match", "ip", "sport", strconv.Itoa(from), "0xffff", "flowid", "1:2"),
	); err != nil {
		launch.Cannot(n.t, "this kernel can't bound a part of a link's traffic: %v", err)
	}
}

func (n *network) feed(id int) { n.run("tc", "-n", n.hub(), "qdisc", "del", "dev", port(id), "root") }

// dial connects from within the hub: a socket belongs to the namespace of the thread that has made it.
func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()
	hub, err := os.Open("/run/netns/" + n.hub())
	if err != nil {
		return nil, err
	}
	defer hub.Close()
	if err := unix.Setns(int(hub.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter the namespace %s: %w", n.hub(), err)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, network, address)
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return nil, fmt.Errorf("leave the namespace %s: %w", n.hub(), back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return conn, err
}
