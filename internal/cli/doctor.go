package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// finding is something that the doctor has to say.
type finding struct {
	// Problem is something to mend; the rest is worth knowing.
	Problem bool `json:"problem"`
	// Where is the address or the broker.
	Where string `json:"where"`
	What  string `json:"what"`
	// Seen is what a client meets.
	Seen string `json:"seen"`
	// Mend is what to set, and where.
	Mend string `json:"mend"`
}

// diagnosis is all that the doctor found out.
type diagnosis struct {
	Bootstrap []probe   `json:"bootstrap"`
	Brokers   []probe   `json:"brokers"`
	Findings  []finding `json:"findings"`
}

func (d *diagnosis) problem(where, what, seen, mend string) {
	d.Findings = append(d.Findings, finding{true, where, what, seen, mend})
}

func (d *diagnosis) note(where, what, seen, mend string) {
	d.Findings = append(d.Findings, finding{false, where, what, seen, mend})
}

func (d *diagnosis) healthy() bool {
	return !slices.ContainsFunc(d.Findings, func(f finding) bool { return f.Problem })
}

// doctor examines a cluster from the outside, as a client meets it: it dials what it is told, and
// then what that tells it to dial.
type doctor struct {
	m       *modern
	timeout time.Duration
	outside bool // judge addresses as a client on another machine would
	diagnosis
}

// doctorCommand is `barnabas doctor`.
func doctorCommand(m *modern) *cobra.Command {
	d := &doctor{m: m}
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find out whether clients can reach every broker, and how to mend it", Args: cobra.NoArgs,
		Long: "It dials the bootstrap addresses and every address that a broker advertises, as a client does, and says\n" +
			"what is wrong, what a client would see of it, and which setting mends it. It ends with code 1 if it finds\n" +
			"a problem. In a broker's pod it asks the broker of that pod, at each of its listeners.",
		Example: "  barnabas doctor -b broker.example.com:9092",
		RunE: func(cmd *cobra.Command, _ []string) error {
			told := cmd.Flags().Changed("bootstrap-server") || m.env.Getenv("BARNABAS_BOOTSTRAP_SERVER") != "" || m.zookeeper != ""
			if own := ownListeners(m.env.Getenv); !told && len(own) > 0 {
				m.bootstrap = strings.Join(own, ",")
				d.examinePod(cmd.Context())
			}
			if err := d.run(cmd.Context()); err != nil {
				return err
			}
			if err := d.show(); err != nil || d.healthy() {
				return err
			}
			return exitFailure
		},
	}
	cmd.Flags().DurationVar(&d.timeout, "timeout", 5*time.Second, "how long to wait for each address")
	cmd.Flags().BoolVar(&d.outside, "outside", false, "judge addresses as a client on another machine would")
	return cmd
}

func (d *doctor) run(ctx context.Context) error {
	to := target{bootstrap: d.m.bootstrap, zookeeper: d.m.zookeeper, config: d.m.commandConfig}
	props, err := to.properties()
	if err != nil {
		return err
	}
	seeds, err := d.m.env.seeds(ctx, to, props)
	if err != nil {
		return err
	}
	for _, seed := range seeds {
		p := d.probe(ctx, seed, -1)
		d.Bootstrap = append(d.Bootstrap, p)
		if p.failure != nil {
			d.judgeFailure(p)
			d.judgeCertificates(p, time.Now())
		}
	}
	d.examineBrokers(ctx)
	return nil
}

// examineBrokers dials every address that a broker advertises, once. Listeners may advertise different ones.
func (d *doctor) examineBrokers(ctx context.Context) {
	seen := map[string]bool{}
	for _, answer := range d.Bootstrap {
		if answer.failure != nil {
			continue
		}
		if len(seen) == 0 {
			d.judgeCluster(answer)
		}
		d.examineAdvertised(ctx, answer, seen)
	}
}

// examineAdvertised dials the addresses that one answer has and that were not seen yet.
func (d *doctor) examineAdvertised(ctx context.Context, answer probe, seen map[string]bool) {
	for _, b := range answer.metadata.Brokers {
		address := net.JoinHostPort(b.Host, fmt.Sprint(b.Port))
		key := fmt.Sprint(b.NodeID, " ", address)
		if seen[key] {
			continue
		}
		seen[key] = true
		p := d.probe(ctx, address, b.NodeID)
		d.Brokers = append(d.Brokers, p)
		d.judgeAddress(p, answer)
		d.judgeCertificates(p, time.Now())
		if p.failure != nil {
			d.judgeFailure(p)
			continue
		}
		d.judgeIdentity(p, answer)
		d.judgeClock(p)
	}
}

// probe is what one address answered.
type probe struct {
	Address   string   `json:"address"`
	Broker    int32    `json:"broker"` // that is said to be there; -1: any
	IPs       []string `json:"ips"`
	Millis    int64    `json:"connectMs"`
	ClusterID string   `json:"clusterId,omitempty"`
	APIs      int      `json:"apis,omitempty"`
	SkewMs    *int64   `json:"clockSkewMs,omitempty"`
	Failure   string   `json:"failure,omitempty"`

	failure      error
	stage        stage
	metadata     *kmsg.MetadataResponse
	certificates []*x509.Certificate // what it shows by TLS
	answered     int32               // the id that the broker itself claims; -1: unknown
}

// stage is how far a probe has come.
type stage int

const (
	resolving stage = iota
	connecting
	talking
	done
)

func (p *probe) fail(err error) probe {
	p.failure, p.Failure = err, errorText(err)
	return *p
}

// probe dials an address and asks what a client asks first.
func (d *doctor) probe(ctx context.Context, address string, broker int32) probe {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	p := &probe{Address: address, Broker: broker, answered: -1, IPs: []string{}}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return p.fail(err)
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return p.fail(err)
	}
	p.IPs, p.stage = ips, connecting
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return p.fail(err)
	}
	p.Millis, p.stage = time.Since(began).Milliseconds(), talking
	conn.Close()
	p.certificates = d.certificates(ctx, address)
	if err := d.talk(ctx, p); err != nil {
		return p.fail(err)
	}
	p.stage = done
	return *p
}

// talk asks the broker at the address for its versions, for the cluster and for itself.
func (d *doctor) talk(ctx context.Context, p *probe) error {
	quiet := *d.m.env
	quiet.Stderr = io.Discard
	c, err := quiet.connect(ctx, target{bootstrap: p.Address, config: d.m.commandConfig})
	if err != nil {
		return err
	}
	defer c.Close()
	seed := c.SeedBrokers()[0]
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "barnabas", "doctor"
	served, err := versions.RequestWith(ctx, seed)
	if err != nil {
		return err
	}
	p.APIs = len(served.ApiKeys)
	if p.metadata, err = kmsg.NewPtrMetadataRequest().RequestWith(ctx, seed); err != nil {
		return err
	}
	p.ClusterID = orEmpty(p.metadata.ClusterID)
	if p.Broker >= 0 {
		p.answered = askIdentity(ctx, seed, p.Broker)
	}
	p.SkewMs = askClock(ctx, seed)
	return nil
}

// requester is a broker that answers.
type requester interface {
	Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
}

// askIdentity finds out which broker answers, which the protocol does not tell: a broker shows its own
// settings only. It returns -1 if that can't be known.
func askIdentity(ctx context.Context, broker requester, id int32) int32 {
	req := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType = kmsg.ConfigResourceTypeBroker
	resource.ResourceName = fmt.Sprint(id)
	resource.ConfigNames = []string{"node.id"}
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, broker)
	if err != nil || len(resp.Resources) != 1 {
		return -1
	}
	r := resp.Resources[0]
	if r.ErrorCode == 0 {
		return id
	}
	return expectedBroker(orEmpty(r.ErrorMessage))
}

// expectedBroker reads the broker's id from the words in which it refuses another's settings:
// "Unexpected broker id, expected 2, but received 1".
func expectedBroker(message string) int32 {
	_, rest, found := strings.Cut(message, ", expected ")
	var id int32
	if !found {
		return -1
	}
	if _, err := fmt.Sscanf(rest, "%d", &id); err != nil {
		return -1
	}
	return id
}

// askClock returns how far the broker's clock is ahead, in milliseconds, or nil if it can't be seen:
// the controller tells when each voter was last up to date, which for itself is now.
func askClock(ctx context.Context, broker requester) *int64 {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	began := time.Now()
	resp, err := req.RequestWith(ctx, broker)
	if err != nil || resp.ErrorCode != 0 {
		return nil
	}
	middle := began.Add(time.Since(began) / 2).UnixMilli()
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, voter := range p.CurrentVoters {
				if voter.ReplicaID == p.LeaderID && voter.LastCaughtUpTimestamp > 0 {
					skew := voter.LastCaughtUpTimestamp - middle
					return &skew
				}
			}
		}
	}
	return nil
}

// show prints the diagnosis.
func (d *doctor) show() error {
	if d.m.output == "json" {
		if d.Findings == nil {
			d.Findings = []finding{}
		}
		return d.m.show(d.diagnosis, nil)
	}
	env := d.m.env
	for _, p := range d.Bootstrap {
		env.printf("bootstrap %s: %s\n", p.Address, p.summary())
	}
	for _, p := range d.Brokers {
		env.printf("broker %d, advertised as %s: %s\n", p.Broker, p.Address, p.summary())
	}
	for _, f := range d.Findings {
		title := "note"
		if f.Problem {
			title = "PROBLEM"
		}
		env.printf("\n%s: %s: %s\n", title, f.Where, f.What)
		env.printf("  A client: %s\n", f.Seen)
		if f.Mend != "" {
			env.printf("  To mend: %s\n", f.Mend)
		}
	}
	if d.healthy() {
		env.printf("\nno problems found\n")
	}
	return nil
}

func (p probe) summary() string {
	if p.failure != nil {
		return "FAILED: " + p.Failure
	}
	plural := "s"
	if len(p.metadata.Brokers) == 1 {
		plural = ""
	}
	return fmt.Sprintf("ok (%s, %d ms, cluster %s, %d broker%s)", strings.Join(p.IPs, " "), p.Millis, p.ClusterID,
		len(p.metadata.Brokers), plural)
}

// reach is how far an address can be reached from.
type reach int

const (
	anywhere  reach = iota
	network         // the same private network
	machine         // the same machine
	nowhere         // no address of anyone: 0.0.0.0
	onlyNames       // unknown: it has no address here
)

// reachOf judges addresses; of several the widest counts.
func reachOf(ips []string) reach {
	best := onlyNames
	for _, text := range ips {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		ip = ip.Unmap()
		r := anywhere
		switch {
		case ip.IsUnspecified():
			r = nowhere
		case ip.IsLoopback():
			r = machine
		case ip.IsPrivate(), ip.IsLinkLocalUnicast():
			r = network
		}
		best = min(best, r)
	}
	return best
}
