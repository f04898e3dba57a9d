package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errNoBootstrap is what a tool says when it was told no server.
var errNoBootstrap = errors.New("--bootstrap-server must be specified")

// apiTimeout bounds an administrative call, as default.api.timeout.ms does.
const apiTimeout = time.Minute

// target says which cluster to talk to and how.
type target struct {
	bootstrap string // host:port with commas
	zookeeper string // keepers, with an optional /chroot; used when bootstrap is empty
	config    string // a client properties file
	overrides properties
	defaults  properties // for keys that neither the file nor the overrides set
}

// client is a connection to a cluster.
type client struct {
	*kgo.Client
	adm   *kadm.Client
	props properties
}

// connect resolves the target and builds a client. Nothing is dialled before the first request.
func (env *Env) connect(ctx context.Context, t target, opts ...kgo.Opt) (*client, error) {
	props, err := t.properties()
	if err != nil {
		return nil, err
	}
	seeds, err := env.seeds(ctx, t, props)
	if err != nil {
		return nil, err
	}
	mapped, unknown, err := props.options()
	if err != nil {
		return nil, err
	}
	for _, name := range unknown {
		env.warnf("WARN The configuration '%s' was supplied but isn't a known config.\n", name)
	}
	base := []kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.SoftwareNameAndVersion("barnabas", strings.TrimPrefix(Version, "v")),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DisableClientMetrics(),
		kgo.WithHooks(&dialWarner{env: env}),
	}
	cl, err := kgo.NewClient(append(append(base, mapped...), opts...)...)
	if err != nil {
		return nil, err
	}
	adm := kadm.NewClient(cl)
	adm.SetTimeoutMillis(int32(apiTimeout.Milliseconds()))
	return &client{Client: cl, adm: adm, props: props}, nil
}

// timeout is how long an administrative call may take in all.
func (c *client) timeout() time.Duration {
	n, err := strconv.ParseInt(c.props["default.api.timeout.ms"], 10, 64)
	if err != nil || n <= 0 {
		return apiTimeout
	}
	return time.Duration(n) * time.Millisecond
}

// alert is the operation of errors by which the other end refuses TLS.
const alert = "remote error"

// await waits for the first broker that takes a connection: as Kafka's, a tool may be started
// before its broker.
func (c *client) await(ctx context.Context) error {
	pause := 50 * time.Millisecond
	for {
		err := c.Ping(ctx)
		var network *net.OpError
		if err == nil || !errors.As(err, &network) || network.Op == alert {
			return err
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t target) properties() (properties, error) {
	props := properties{}
	if t.config != "" {
		fromFile, err := loadProperties(t.config)
		if err != nil {
			return nil, err
		}
		props = fromFile
	}
	for key, value := range t.overrides {
		props[key] = value
	}
	for key, value := range t.defaults {
		if _, ok := props[key]; !ok {
			props[key] = value
		}
	}
	return props, nil
}

func (env *Env) seeds(ctx context.Context, t target, props properties) ([]string, error) {
	bootstrap := t.bootstrap
	if bootstrap == "" && t.zookeeper != "" {
		return env.seedsFromKeeper(ctx, t.zookeeper, props["security.protocol"])
	}
	if bootstrap == "" {
		bootstrap = props["bootstrap.servers"]
	}
	delete(props, "bootstrap.servers")
	if bootstrap == "" {
		return nil, errNoBootstrap
	}
	return splitAddresses(bootstrap)
}

// splitAddresses reads host:port with commas between. A port is required, as Kafka requires it.
func splitAddresses(list string) ([]string, error) {
	var seeds []string
	for _, address := range strings.Split(list, ",") {
		address = strings.TrimSpace(address)
		if address == "" {
			continue
		}
		if at := strings.Index(address, "://"); at >= 0 {
			address = address[at+len("://"):]
		}
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			return nil, sayf("Invalid url in bootstrap.servers: %s", address)
		}
		seeds = append(seeds, address)
	}
	if len(seeds) == 0 {
		return nil, sayf("No resolvable bootstrap urls given in bootstrap.servers")
	}
	return seeds, nil
}

// seedsFromKeeper reads the broker list from an ensemble: A:2181,B:2181/chroot. A keeper without
// a port means ZooKeeper's 2181.
func (env *Env) seedsFromKeeper(ctx context.Context, connect, protocol string) ([]string, error) {
	if protocol == "" {
		protocol = "PLAINTEXT"
	}
	servers, chroot, hasChroot := strings.Cut(connect, "/")
	if hasChroot {
		chroot = "/" + chroot
	}
	var keepers []string
	for _, address := range strings.Split(servers, ",") {
		address = strings.TrimSpace(address)
		if address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), "2181")
		}
		keepers = append(keepers, address)
	}
	if len(keepers) == 0 {
		return nil, fmt.Errorf("--zookeeper %s names no keeper", connect)
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout/2)
	defer cancel()
	brokers, err := env.FindBrokers(ctx, keepers, chroot, protocol)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the brokers: %w", connect, err)
	}
	if len(brokers) == 0 {
		return nil, fmt.Errorf("no broker with a %s listener is registered at %s", protocol, connect)
	}
	return brokers, nil
}

// dialWarner says on standard error, once for each address, that a broker can't be reached:
// otherwise a tool that waits for one would do so in silence.
type dialWarner struct {
	env  *Env
	mu   sync.Mutex
	said map[string]bool
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (d *dialWarner) OnBrokerConnect(b kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	address := net.JoinHostPort(b.Host, fmt.Sprint(b.Port))
	d.mu.Lock()
	said := d.said[address]
	if d.said == nil {
		d.said = map[string]bool{}
	}
	d.said[address] = true
	d.mu.Unlock()
	if !said {
		d.env.warnf("WARN Connection to node %d (%s) could not be established. "+
			"Node may not be available. (%v)\n", max(b.NodeID, -1), address, err)
	}
}
