package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/test/trials/numbers"
)

// Node is a place where a broker runs, and perhaps a keeper beside it.
type Node struct {
	ID     int
	Host   string
	Broker *Process
	// Keeper is a process of its own, nil where the keeper is inside the broker or elsewhere.
	Keeper *Process
	// Prepare, if given, is run on an empty directory before the broker starts.
	Prepare func() error
	health  string // host:port of /readyz, empty for a broker that has none
	keeper  string // host:port of the keeper's /readyz, empty for none

	front   string   // address of the Service before it, empty for none
	service *service // nil while there is none
	lives   int      // how often its processes have been succeeded
	before  string   // the address before that
	succeed func(n *Node, broker, keeper bool)
}

// Address is where clients reach the node's broker.
func (n *Node) Address() string { return net.JoinHostPort(cmp.Or(n.front, n.Host), brokerPort) }

// life tells the processes of a node apart.
func (n *Node) life() string {
	if n.lives == 0 {
		return ""
	}
	return "." + strconv.Itoa(n.lives)
}

// Succeed starts an empty process with the same number beside each of those meant, and returns the incumbents. Until Lead is
// called nobody is led to the newcomers.
func (n *Node) Succeed(broker, keeper bool) (old []*Process, err error) {
	if n.service == nil {
		return nil, fmt.Errorf("node %d has no Service: two processes can't have its address", n.ID)
	}
	was := *n
	n.succeed(n, broker, keeper)
	if keeper {
		old = append(old, was.Keeper)
		err = n.Keeper.Start()
	}
	if broker && err == nil {
		old = append(old, was.Broker)
		err = n.Broker.Start()
	}
	return old, err
}

// Lead has the Service lead to the newcomers, and to those before them too while they serve.
func (n *Node) Lead(broker, keeper, both bool) {
	hosts := []string{n.Host}
	if both {
		hosts = append(hosts, n.before)
	}
	if broker {
		n.service.lead(brokerPorts, hosts...)
	}
	if keeper {
		n.service.lead(keeperPorts, hosts...)
	}
}

// Processes are the node's, the broker first.
func (n *Node) Processes() []*Process {
	if n.Keeper == nil {
		return []*Process{n.Broker}
	}
	return []*Process{n.Broker, n.Keeper}
}

// Start runs what is to run on the node.
func (n *Node) Start() error {
	if _, err := os.Stat(n.Broker.Data); n.Prepare != nil && errors.Is(err, os.ErrNotExist) {
		if err := n.Prepare(); err != nil {
			return err
		}
	}
	if n.Keeper != nil && !n.Keeper.Running() {
		if err := n.Keeper.Start(); err != nil {
			return err
		}
	}
	return n.Broker.Start()
}

// Cluster is a set of nodes, and perhaps a keeper that stays.
type Cluster struct {
	Name  string
	Nodes []*Node
	// Apart is a keeper outside of all nodes, or nil.
	Apart *Process
	// Losses counts the entries of the loss ledger; nil where there is none.
	Losses func(ctx context.Context) (int, error)
	// ReadyByMetadata: a node is ready when it answers Metadata, though it may say better.
	ReadyByMetadata bool
	// Dial, if given, is the way to the nodes.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	dir  string
}

// Start starts everything and waits until all is ready.
func (c *Cluster) Start(ctx context.Context) error {
	if c.Apart != nil {
		if err := c.Apart.Start(); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if n.front != "" {
			var err error
			if n.service, err = startService(n.front); err != nil {
				return err
			}
			n.Lead(true, true, false)
		}
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if err := c.AwaitReady(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// Close kills everything and removes what it wrote, except what was printed, if keep is given.
func (c *Cluster) Close(keep bool) {
	for _, n := range c.Nodes {
		for _, p := range n.Processes() {
			p.Kill()
		}
	}
	if c.Apart != nil {
		c.Apart.Kill()
	}
	for _, n := range c.Nodes {
		if n.service != nil {
			n.service.close()
		}
	}
	if !keep {
		os.RemoveAll(c.dir)
		return
	}
	for _, p := range c.Processes() {
		p.Wipe()
	}
}

// Processes are all.
func (c *Cluster) Processes() []*Process {
	var all []*Process
	for _, n := range c.Nodes {
		all = append(all, n.Processes()...)
	}
	if c.Apart != nil {
		all = append(all, c.Apart)
	}
	return all
}

// Target is the cluster for clients: all nodes.
func (c *Cluster) Target() numbers.Target {
	t := numbers.Target{Dial: c.Dial}
	for _, n := range c.Nodes {
		t.Bootstrap = append(t.Bootstrap, n.Address())
	}
	return t
}

// Dir is where the cluster's processes keep what they print.
func (c *Cluster) Dir() string { return c.dir }

// Resident is the memory of all processes, in bytes.
func (c *Cluster) Resident() (int64, error) {
	total := int64(0)
	for _, p := range c.Processes() {
		bytes, err := p.Resident()
		if err != nil {
			return 0, err
		}
		total += bytes
	}
	return total, nil
}

// readyPoll is how often a node is asked whether it is ready.
const readyPoll = 10 * time.Millisecond

// AwaitReady waits until the node says that it is ready, or ctx ends.
func (c *Cluster) AwaitReady(ctx context.Context, n *Node) error {
	for {
		if !n.Broker.Running() {
			return fmt.Errorf("%s ended while starting; see %s:\n%s", n.Broker.Name, n.Broker.Log, n.Broker.Tail())
		}
		err := c.ready(ctx, n)
		if err == nil && n.keeper != "" && !c.ReadyByMetadata {
			err = c.probe(ctx, n.keeper)
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; see %s", n.Broker.Name, err, n.Broker.Log)
		case <-time.After(readyPoll):
		}
	}
}

func (c *Cluster) ready(ctx context.Context, n *Node) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if c.ReadyByMetadata || n.health == "" {
		return c.answersMetadata(ctx, n.Address())
	}
	return c.probe(ctx, n.health)
}

// probe asks /readyz.
func (c *Cluster) probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	prober := http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}}
	response, err := prober.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz says %q", said)
	}
	return nil
}

// answersMetadata is how a Kafka's readiness is seen: a probe of its port that speaks the protocol.
func (c *Cluster) answersMetadata(ctx context.Context, address string) error {
	t := c.Target()
	t.Bootstrap = []string{address}
	client, err := t.Client(kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	return err
}

func newProcess(dir, name string) *Process {
	return &Process{Name: name, Data: filepath.Join(dir, name, "data"), Log: filepath.Join(dir, name, "log")}
}
