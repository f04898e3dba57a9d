package nodes

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
)

// Layout says which processes a cluster of Barnabas is made of.
type Layout string

const (
	// Inside: three nodes of one process each, the keepers inside.
	Inside Layout = "inside"
	// Six: three brokers and three keepers, a pair on each node.
	Six Layout = "six"
	// Apart: three brokers, and one keeper that nobody touches.
	Apart Layout = "apart"
	// Services: as Six, with a Service before each process, so that another one may be put beside it.
	Services Layout = "services"
)

// Barnabas says how a cluster of three brokers is run.
type Barnabas struct {
	// Program is bin/barnabas.
	Program string
	Layout  Layout
	// Dir is for data and output, Net the prefix of the nodes' addresses.
	Dir, Net string
	// Settings are overrides for every broker, name=value.
	Settings []string
	// KeeperArgs run a keeper for Apart: a program and its arguments, to which a directory and an address are added.
	KeeperArgs []string
	// Namespace, if given, names the network namespace of the node with that number; a keeper apart is number 100. Dial
	// is the way to the nodes then.
	Namespace func(id int) string
	Dial      func(ctx context.Context, network, address string) (net.Conn, error)
	// Data, if given, is where the broker of that number keeps its logs.
	Data map[int]string
}

// brokers is how many there are in every trial; apart is the number of the keeper that is none of them.
const (
	brokers = 3
	apart   = 100
)

// Cluster is what the description says, not started.
func (b Barnabas) Cluster() *Cluster {
	c := &Cluster{Name: "Barnabas, " + b.name(), dir: b.Dir, Dial: b.Dial}
	var connect []string
	if b.Layout == Apart {
		c.Apart = newProcess(b.Dir, "keeper")
		at := b.Net + strconv.Itoa(apart) + ":2181"
		if b.Namespace != nil {
			c.Apart.Namespace = b.Namespace(apart)
		}
		c.Apart.Args = append(append([]string{}, b.KeeperArgs...), c.Apart.Data, at)
		connect = append(connect, at)
	}
	for i := range brokers {
		n := &Node{ID: i + 1, Host: b.Net + strconv.Itoa(i+1)}
		c.Nodes = append(c.Nodes, n)
		switch b.Layout {
		case Apart:
		case Services:
			n.front = b.frontOf(n.ID)
			connect = append(connect, n.front+":2181")
		default:
			connect = append(connect, n.Host+":2181")
		}
	}
	for _, n := range c.Nodes {
		b.broker(n, connect)
		b.keeper(n)
		n.succeed = func(n *Node, broker, keeper bool) { b.succeed(n, connect, broker, keeper) }
	}
	c.Losses = func(ctx context.Context) (int, error) { return countLosses(ctx, connect) }
	return c
}

func (b Barnabas) name() string {
	switch b.Layout {
	case Inside:
		return "three processes, keepers inside"
	case Six:
		return "three brokers and three keepers"
	case Services:
		return "three brokers and three keepers behind Services"
	default:
		return "three brokers, one keeper apart"
	}
}

// frontOf is the address of the Service before a node.
func (b Barnabas) frontOf(id int) string { return b.Net + strconv.Itoa(frontOffset+id) }

// broker fills in the broker that runs on a node.
func (b Barnabas) broker(n *Node, connect []string) {
	id := strconv.Itoa(n.ID)
	n.Broker = newProcess(b.Dir, "broker-"+id+n.life())
	if dir := b.Data[n.ID]; dir != "" {
		n.Broker.Data = dir
	}
	if b.Namespace != nil {
		n.Broker.Namespace = b.Namespace(n.ID)
	}
	n.health = net.JoinHostPort(n.Host, healthPort)
	settings := append([]string{
		"broker.id=" + id, "listeners=PLAINTEXT://" + net.JoinHostPort(n.Host, brokerPort), "http.listener=" + n.health,
		"log.dirs=" + n.Broker.Data,
	}, b.Settings...)
	if n.front != "" {
		settings = append(settings, "advertised.listeners=PLAINTEXT://"+n.Address())
	}
	if b.Layout == Inside {
		n.Broker.Env = b.ensemble(n)
	} else {
		settings = append(settings, "zookeeper.connect="+strings.Join(connect, ","))
	}
	n.Broker.Args = []string{b.Program, "server"}
	for _, s := range settings {
		n.Broker.Args = append(n.Broker.Args, "--override", s)
	}
}

// keeper fills in the keeper of a node, where it is a process of its own.
func (b Barnabas) keeper(n *Node) {
	if b.Layout != Six && b.Layout != Services {
		return
	}
	n.Keeper = newProcess(b.Dir, "keeper-"+strconv.Itoa(n.ID)+n.life())
	n.keeper = net.JoinHostPort(n.Host, upkeepPort)
	n.Keeper.Args = []string{b.Program, "keeper"}
	n.Keeper.Env = append(b.ensemble(n), "ZOO_DATA_DIR="+n.Keeper.Data, "ZOO_HTTP_LISTENER="+n.keeper)
}

// succeed puts the next processes of a node in the place of those that it has, at another address.
func (b Barnabas) succeed(n *Node, connect []string, broker, keeper bool) {
	host, health, upkeep := n.Host, n.health, n.keeper
	n.lives++
	n.Host = b.Net + strconv.Itoa(n.lives*lifeOffset+n.ID)
	if broker {
		b.broker(n, connect)
	} else {
		n.health = health
	}
	if keeper {
		b.keeper(n)
	} else {
		n.keeper = upkeep
	}
	n.before = host
}

// ensemble are the variables of a keeper, as ZooKeeper's image has them.
func (b Barnabas) ensemble(n *Node) []string {
	servers := ""
	for id := 1; id <= brokers; id++ {
		host := b.Net + strconv.Itoa(id)
		if b.Layout == Services {
			host = b.frontOf(id)
		}
		if id == n.ID {
			host = n.Host
		}
		servers += fmt.Sprintf(" server.%d=%s:2888:3888;%s:2181", id, host, host)
	}
	return []string{"ZOO_MY_ID=" + strconv.Itoa(n.ID), "ZOO_SERVERS=" + servers[1:]}
}

// countLosses reads the ledger where it is kept.
func countLosses(ctx context.Context, keepers []string) (int, error) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := keeper.Dial(keeper.Remote{Servers: keepers, Logger: quiet})
	if err != nil {
		return 0, err
	}
	defer store.Close()
	feed, err := metadata.StartFeed(ctx, store, quiet)
	if err != nil {
		return 0, err
	}
	defer feed.Stop()
	return feed.Current().NumLosses(), nil
}
