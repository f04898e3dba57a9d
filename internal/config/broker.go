package config

import (
	"fmt"
	"strings"
)

// Broker is the configuration of one broker as Load read it. It is immutable.
type Broker struct {
	NodeID    int32  // -1: what the data directory remembers, or else one from the cluster
	Rack      string // "" for none
	ClusterID string // for a birth; "" for a random one
	// Listeners are what the broker listens on, and what it tells clients of it. At least one.
	Listeners []Listener
	// InterBroker is the name of the listener that brokers use among themselves.
	InterBroker string
	LogDirs     []string
	HTTP        string // host:port; "" for none
	// HTTPByDefault tells that nobody chose HTTP: where it is taken, another port of loopback does.
	HTTPByDefault bool
	Keepers       Keepers
	Member        *Keeper    // the member of an ensemble that runs inside; nil for none
	Topics        []NewTopic // to create once the cluster is up
	view          *View
}

// View is every setting of the broker, without what is dynamic.
func (b *Broker) View() *View { return b.view }

// Listener is one address the broker listens on.
type Listener struct {
	Name string // INTERNAL, PLAINTEXT …
	Host string // "" is every address
	Port int
	// AdvertisedHost and AdvertisedPort are what clients are told. A port 0 means the one that was bound.
	AdvertisedHost string
	AdvertisedPort int
	Protocol       string // PLAINTEXT
	// Outside says that the broker finds out itself what it advertises, from Kubernetes.
	Outside bool
}

// Keepers say where the cluster's metadata is held.
type Keepers struct {
	// Servers are host:port; none means a keeper inside the broker's own process.
	Servers []string
	// Chroot is the prefix under which this cluster's keys are: "" or "/name".
	Chroot string
	// Etcd says that the servers are an etcd cluster that others run.
	Etcd bool
	// User and Password are those of an etcd cluster with authentication.
	User, Password string
	// TLS, if given, is spoken with the servers.
	TLS *KeeperTLSFiles
}

// KeeperTLSFiles are PEM files; each may be empty.
type KeeperTLSFiles struct{ CA, Certificate, Key string }

// NewTopic is a topic to be created once the cluster is up.
type NewTopic struct {
	Name       string
	Partitions int
	Replicas   int
	Configs    map[string]string
}

// Notice is something worth saying about a configuration that is not wrong.
type Notice struct {
	Where   string // file:line, or the name of a variable
	Name    string // of the setting
	Message string
	// Known says that it is a setting of Kafka's or of an image's, and there is nothing to mend; otherwise
	// it is nobody's, and likely misspelt.
	Known bool
}

// Problem is something wrong with a configuration.
type Problem struct {
	Where   string // file:line, or the name of a variable
	Name    string // of the setting; "" where it is about more than one
	Message string
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.Message
	}
	return fmt.Sprintf("%s: %s", p.Where, p.Message)
}

// Problems are all that is wrong with a configuration, as one error.
type Problems []Problem

// Error has a line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}
