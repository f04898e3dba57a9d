package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const advertised = "advertised.listeners (KAFKA_ADVERTISED_LISTENERS)"

// where names what a finding is about.
func (p probe) where() string {
	if p.Broker < 0 {
		return "bootstrap " + p.Address
	}
	return fmt.Sprintf("broker %d, advertised as %s", p.Broker, p.Address)
}

// judgeFailure says why an address does not answer, and what can be done.
func (d *diagnosis) judgeFailure(p probe) {
	what, seen, mend := failureOf(p)
	if p.Broker >= 0 {
		seen += " It can bootstrap elsewhere, but fails for every partition that this broker leads."
	}
	d.problem(p.where(), what, seen, mend)
}

func failureOf(p probe) (what, seen, mend string) {
	host, port, _ := net.SplitHostPort(p.Address)
	switch p.stage {
	case resolving:
		mend = "correct the address that was given, or this machine's DNS."
		if p.Broker >= 0 {
			mend = fmt.Sprintf("put a name into %s that every client's DNS knows, or an address; a name of Docker or Kubernetes is known inside only.", advertised)
		}
		return fmt.Sprintf("the name %s has no address here: %s", host, p.Failure), "reports an unknown host, and goes on trying.", mend
	case connecting:
		return connectFailure(p, port)
	}
	return talkFailure(p)
}

func connectFailure(p probe, port string) (what, seen, mend string) {
	switch {
	case errors.Is(p.failure, syscall.ECONNREFUSED):
		return "nothing listens there: the connection is refused",
			"logs that the connection could not be established, and tries again for ever.",
			fmt.Sprintf("see that the broker runs, that its listeners setting has port %s on that address, and that the port is published where it runs in a container; "+
				"or correct %s.", port, p.source())
	case isTimeout(p.failure):
		return "no answer: packets to it are dropped",
			"waits for its connection timeout (socket.connection.setup.timeout.ms), and tries again for ever.",
			fmt.Sprintf("open port %s in the firewall or security group between, or correct %s.", port, p.source())
	}
	return "it can't be reached: " + p.Failure, "can't connect, and tries again for ever.",
		fmt.Sprintf("see that there is a route to it from where clients are, or correct %s.", p.source())
}

// source is where the address comes from.
func (p probe) source() string {
	if p.Broker < 0 {
		return "the address that was given"
	}
	return advertised
}

func talkFailure(p probe) (what, seen, mend string) {
	if what, seen, mend, is := certificateFailure(p); is {
		return what, seen, mend
	}
	var header tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.As(p.failure, &header):
		return "the listener speaks no TLS, and this client does",
			"fails in the TLS handshake.",
			"use security.protocol=PLAINTEXT (or SASL_PLAINTEXT) for this port, or the port of a TLS listener."
	case errors.As(p.failure, &hostname), errors.As(p.failure, &authority):
		return "its certificate is not accepted: " + p.Failure,
			"fails in the TLS handshake.",
			"give the broker a certificate for the advertised name, and the client its issuer in ssl.truststore.location."
	case errors.Is(p.failure, io.EOF), errors.Is(p.failure, syscall.ECONNRESET):
		return "it takes the connection and closes it without an answer",
			"sees its connection closed, and tries again for ever.",
			"this is what a TLS or SASL listener does to a client that speaks neither: give security.protocol in --command-config; or something else than a broker listens there."
	case isTimeout(p.failure):
		return "it takes the connection and does not answer",
			"waits for its request timeout.",
			"see that it is a broker that listens there, and what it logs."
	}
	return "it does not answer as a broker does: " + p.Failure, "fails in the same way.",
		"see that it is a broker that listens there, and that the client's security settings are its listener's."
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// judgeAddress says who can reach an advertised address. How a client outside sees it follows from where
// the bootstrap address lies: whoever came in by a public one is not on the broker's machine.
func (d *doctor) judgeAddress(p, bootstrap probe) {
	host, _, _ := net.SplitHostPort(p.Address)
	mend := fmt.Sprintf("set %s to an address that clients can reach, as PLAINTEXT://broker.example.com:9092.", advertised)
	from := reachOf(bootstrap.IPs)
	if d.outside {
		from = anywhere
	}
	switch reachOf(p.IPs) {
	case nowhere:
		d.problem(p.where(), "it advertises the address of every interface, which is nobody's",
			"connects to its own machine, finds no broker there and tries again for ever.", mend)
	case machine:
		mend = "let the broker listen on an address of the network, as listeners=PLAINTEXT://:9092 (KAFKA_LISTENERS), and " + mend
		seen := "on the broker's machine gets there; any other connects to itself, and finds no broker."
		if from == machine {
			d.note(p.where(), "it is reachable from its own machine only", seen, mend)
		} else {
			d.problem(p.where(), "it advertises an address of its own machine only", seen, mend)
		}
	case network:
		if from == anywhere {
			d.note(p.where(), "it advertises an address of a private network",
				"in that network gets there; any other waits for its connection timeout.", mend)
		}
	}
	if _, err := netip.ParseAddr(host); err != nil && !strings.Contains(host, ".") && host != "localhost" && p.stage > resolving {
		d.note(p.where(), fmt.Sprintf("the name %s has no domain", host),
			"elsewhere may not be able to resolve it: names of Docker and of the hosts file are known inside only.", mend)
	}
}

// judgeIdentity says whether the broker that answers is the one that was advertised.
func (d *diagnosis) judgeIdentity(p, bootstrap probe) {
	if p.ClusterID != bootstrap.ClusterID {
		d.problem(p.where(), fmt.Sprintf("another cluster answers there: %s, not %s", p.ClusterID, bootstrap.ClusterID),
			"writes to and reads from the wrong cluster, or finds no such topic.",
			fmt.Sprintf("give each broker an address of its own in %s.", advertised))
		return
	}
	if p.answered >= 0 && p.answered != p.Broker {
		d.problem(p.where(), fmt.Sprintf("broker %d answers there", p.answered),
			"is told NOT_LEADER_OR_FOLLOWER by the wrong broker, refreshes its metadata and tries again for ever.",
			fmt.Sprintf("a load balancer or port mapping leads to another broker: give each broker an address of its own in %s.", advertised))
	}
}

// maxSkew is by how much clocks may differ before it is worth a word.
const maxSkew = 10 * time.Second

func (d *diagnosis) judgeClock(p probe) {
	if p.SkewMs == nil {
		return
	}
	skew := time.Duration(*p.SkewMs) * time.Millisecond
	if skew.Abs() < maxSkew {
		return
	}
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	d.problem(p.where(), fmt.Sprintf("its clock is %s %s this machine's", skew.Abs().Round(time.Second), direction),
		"has records with timestamps of another time: retention comes early or late, and message.timestamp.after.max.ms may refuse them.",
		"keep the clocks of brokers and clients in step (NTP).")
}

// judgeCluster looks at what the cluster says of itself.
func (d *diagnosis) judgeCluster(p probe) {
	m := p.metadata
	if len(m.Brokers) == 0 {
		d.problem(p.where(), "the cluster names no broker", "has nobody to ask.",
			"see whether brokers are registered: what they log at the start says why not.")
	}
	if m.ControllerID < 0 {
		d.problem(p.where(), "there is no controller", "can't create topics, and partitions that lose their leader stay without.",
			"see what the brokers log about their keepers (zookeeper.connect).")
	}
	seen := map[string]int32{}
	for _, b := range m.Brokers {
		address := net.JoinHostPort(b.Host, fmt.Sprint(b.Port))
		if other, twice := seen[address]; twice {
			d.problem(fmt.Sprintf("brokers %d and %d", other, b.NodeID), "both advertise "+address,
				"reaches one of them for the partitions of both.", fmt.Sprintf("give each broker an address of its own in %s.", advertised))
		}
		seen[address] = b.NodeID
	}
	d.judgePartitions(p.where(), m)
}

// shownPartitions bounds how many partitions a finding names.
const shownPartitions = 5

func (d *diagnosis) judgePartitions(where string, m *kmsg.MetadataResponse) {
	var orphans []string
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				orphans = append(orphans, fmt.Sprintf("%s-%d", orEmpty(t.Topic), p.Partition))
			}
		}
	}
	if len(orphans) == 0 {
		return
	}
	shown := strings.Join(orphans[:min(len(orphans), shownPartitions)], ", ")
	if len(orphans) > shownPartitions {
		shown += fmt.Sprintf(" and %d more", len(orphans)-shownPartitions)
	}
	d.problem(where, "partitions without a leader: "+shown,
		"is told LEADER_NOT_AVAILABLE, and waits.",
		"start the brokers that hold their replicas (barnabas topics describe shows which), and see that their log directories are online.")
}
