package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestReachOf(t *testing.T) {
	for ips, want := range map[string]reach{
		"127.0.0.1":           machine,
		"::1":                 machine,
		"::ffff:127.0.0.1":    machine,
		"0.0.0.0":             nowhere,
		"::":                  nowhere,
		"10.1.2.3":            network,
		"192.168.1.1 8.8.8.8": anywhere,
		"fd00::1":             network,
		"169.254.1.1":         network,
		"127.0.0.1 10.1.2.3":  network,
		"":                    onlyNames,
	} {
		if got := reachOf(strings.Fields(ips)); got != want {
			t.Errorf("%s: %d, want %d", ips, got, want)
		}
	}
}

func TestExpectedBroker(t *testing.T) {
	for message, want := range map[string]int32{
		"Unexpected broker id, expected 2 or empty string, but received 1": 2,
		"Unexpected broker id, expected 17, but received 1":                17,
		"Not authorized":  -1,
		", expected what": -1,
	} {
		if got := expectedBroker(message); got != want {
			t.Errorf("%s: %d, want %d", message, got, want)
		}
	}
}

func TestFailuresAreTold(t *testing.T) {
	for _, c := range []struct {
		stage   stage
		err     error
		what    string
		mending string
	}{
		{resolving, &net.DNSError{Err: "no such host", Name: "kafka-0"}, "has no address here", "advertised.listeners"},
		{connecting, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "nothing listens there", "listeners setting has port 9092"},
		{connecting, context.DeadlineExceeded, "packets to it are dropped", "firewall"},
		{connecting, syscall.EHOSTUNREACH, "can't be reached", "route"},
		{talking, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "speaks no TLS", "PLAINTEXT"},
		{talking, fmt.Errorf("read: %w", io.EOF), "closes it without an answer", "security.protocol"},
		{talking, context.DeadlineExceeded, "does not answer", "what it logs"},
		{talking, errors.New("odd"), "not answer as a broker does: odd", "security settings"},
	} {
		p := probe{Address: "kafka-0:9092", Broker: 3, stage: c.stage}
		var d diagnosis
		d.judgeFailure(p.fail(c.err))
		f := d.Findings[0]
		if !strings.Contains(f.What, c.what) || !strings.Contains(f.Mend, c.mending) || d.healthy() {
			t.Errorf("%v at stage %d: %+v", c.err, c.stage, f)
		}
	}
}

func TestAddressesAreJudgedFromOutside(t *testing.T) {
	for _, c := range []struct {
		bootstrap, advertised string
		outside               bool
		problem, note         string
	}{
		{"127.0.0.1", "127.0.0.1", false, "", "its own machine only"},
		{"127.0.0.1", "127.0.0.1", true, "its own machine only", ""},
		{"10.0.0.5", "127.0.0.1", false, "its own machine only", ""},
		{"10.0.0.5", "0.0.0.0", false, "every interface", ""},
		{"127.0.0.1", "0.0.0.0", false, "every interface", ""},
		{"10.0.0.5", "10.0.0.5", false, "", ""},
		{"8.8.8.8", "10.0.0.5", false, "", "private network"},
		{"8.8.8.8", "8.8.4.4", false, "", ""},
	} {
		d := &doctor{outside: c.outside}
		p := probe{Address: c.advertised + ":9092", Broker: 1, IPs: []string{c.advertised}, stage: done}
		d.judgeAddress(p, probe{IPs: []string{c.bootstrap}})
		problem, note := "", ""
		for _, f := range d.Findings {
			if f.Problem {
				problem += f.What
			} else {
				note += f.What
			}
		}
		if !strings.Contains(problem, c.problem) || (c.problem == "") != (problem == "") ||
			!strings.Contains(note, c.note) || (c.note == "") != (note == "") {
			t.Errorf("%+v: problem %q, note %q", c, problem, note)
		}
	}
}

func TestClusterIsJudged(t *testing.T) {
	m := kmsg.NewPtrMetadataResponse()
	m.ControllerID = -1
	for id := range int32(2) {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = id, "same", 9092
		m.Brokers = append(m.Brokers, b)
	}
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic = kmsg.StringPtr("orders")
	for n := range int32(7) {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader = n, -1
		topic.Partitions = append(topic.Partitions, p)
	}
	m.Topics = append(m.Topics, topic)
	var d diagnosis
	d.judgeCluster(probe{Address: "same:9092", Broker: -1, metadata: m})
	var said []string
	for _, f := range d.Findings {
		said = append(said, f.What)
	}
	got := strings.Join(said, "; ")
	want := "there is no controller; both advertise same:9092; " +
		"partitions without a leader: orders-0, orders-1, orders-2, orders-3, orders-4 and 2 more"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestIdentityAndClock(t *testing.T) {
	var d diagnosis
	here := probe{ClusterID: "a"}
	skew := int64(-60_000)
	d.judgeIdentity(probe{ClusterID: "a", Broker: 1, answered: 1}, here)
	d.judgeIdentity(probe{ClusterID: "a", Broker: 1, answered: -1}, here)
	if len(d.Findings) != 0 {
		t.Errorf("found %+v", d.Findings)
	}
	d.judgeIdentity(probe{ClusterID: "a", Broker: 1, answered: 2}, here)
	d.judgeIdentity(probe{ClusterID: "b", Broker: 1, answered: 1}, here)
	d.judgeClock(probe{Broker: 1, SkewMs: &skew})
	for i, want := range []string{"broker 2 answers there", "another cluster answers there", "1m0s behind this machine's"} {
		if !strings.Contains(d.Findings[i].What, want) {
			t.Errorf("%+v, want %s", d.Findings[i], want)
		}
	}
}
