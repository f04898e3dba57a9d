package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

// apiRange is what one broker serves of one request.
type apiRange struct {
	Key       int16  `json:"key"`
	Name      string `json:"name"`
	Min       int16  `json:"min"`
	Max       int16  `json:"max"`
	Usable    int16  `json:"usable"` // the highest version that these tools speak too; -1: none
	Supported bool   `json:"supported"`
}

// brokerOnly are the requests that only brokers and controllers send to each other: a broker that
// doesn't serve them to clients lacks nothing.
var brokerOnly = []int16{4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82}

// apiVersions asks one broker what it serves, in the order of the keys.
func (c *client) apiVersions(ctx context.Context, broker int32) ([]apiRange, *kmsg.ApiVersionsResponse, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "barnabas", "tools"
	resp, err := req.RequestWith(ctx, c.Broker(int(broker)))
	if err == nil {
		err = codeError(resp.ErrorCode, nil)
	}
	if err != nil {
		return nil, nil, err
	}
	served := map[int16]apiRange{}
	for _, k := range resp.ApiKeys {
		served[k.ApiKey] = apiRange{Key: k.ApiKey, Name: apiName(k.ApiKey), Min: k.MinVersion, Max: k.MaxVersion,
			Usable: usableVersion(k.ApiKey, k.MinVersion, k.MaxVersion), Supported: true}
	}
	for key := range int16(kmsg.MaxKey + 1) {
		if _, ok := served[key]; !ok && kmsg.RequestForKey(key) != nil && !slices.Contains(brokerOnly, key) {
			served[key] = apiRange{Key: key, Name: apiName(key), Usable: -1}
		}
	}
	ranges := make([]apiRange, 0, len(served))
	for _, r := range served {
		ranges = append(ranges, r)
	}
	slices.SortFunc(ranges, func(a, b apiRange) int { return int(a.Key) - int(b.Key) })
	return ranges, resp, nil
}

// kafkaSpelling turns the names of kmsg, in Go's spelling, into Kafka's.
var kafkaSpelling = strings.NewReplacer("SASL", "Sasl", "ProducerID", "ProducerId", "ACLs", "Acls", "SCRAM", "Scram",
	"AlterPartitionAssignments", "AlterPartitionReassignments")

func apiName(key int16) string {
	if kmsg.RequestForKey(key) == nil {
		return "UNKNOWN"
	}
	return kafkaSpelling.Replace(kmsg.NameForKey(key))
}

func usableVersion(key, low, high int16) int16 {
	req := kmsg.RequestForKey(key)
	if req == nil || req.MaxVersion() < low {
		return -1
	}
	return min(high, req.MaxVersion())
}

// line is a request as kafka-broker-api-versions shows it.
func (r apiRange) line() string {
	name := fmt.Sprintf("%s(%d): ", r.Name, r.Key)
	versions := fmt.Sprintf("%d to %d", r.Min, r.Max)
	if r.Min == r.Max {
		versions = fmt.Sprint(r.Min)
	}
	switch {
	case !r.Supported:
		return name + "UNSUPPORTED"
	case r.Name == "UNKNOWN":
		return name + versions
	case r.Usable < 0:
		return name + versions + " [unusable: node too new]"
	}
	return fmt.Sprintf("%s%s [usable: %d]", name, versions, r.Usable)
}

// runAPIVersions is kafka-broker-api-versions.
func runAPIVersions(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool shows which requests, in which versions, brokers serve.")
	connect := newConnectOptions(p)
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := connect.required(); err != nil {
		return err
	}
	return connect.run(ctx, env, func(ctx context.Context, c *client) error {
		brokers, err := c.describeCluster(ctx, false)
		if err != nil {
			return err
		}
		for _, b := range brokers.Brokers {
			head := fmt.Sprintf("%s:%d (id: %d rack: %s isFenced: %t) -> ", b.Host, b.Port, b.ID,
				orNullText(b.Rack), b.Fenced)
			ranges, _, err := c.apiVersions(ctx, b.ID)
			if err != nil {
				env.printf("%sERROR: %s: %s\n", head, javaClass(err), errorText(err))
				continue
			}
			lines := make([]string, len(ranges))
			for i, r := range ranges {
				lines[i] = "\t" + r.line()
			}
			env.printf("%s(\n%s\n)\n", head, strings.Join(lines, ",\n"))
		}
		return nil
	})
}

func orNullText(text *string) string {
	value, _ := orNull(text)
	return value
}

// brokersCommand is `barnabas brokers`.
func brokersCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "brokers", Short: "List brokers and what they serve", Aliases: []string{"broker"}}
	var fenced bool
	list := &cobra.Command{
		Use: "list", Short: "List the brokers", Args: cobra.NoArgs, Aliases: []string{"ls"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				cluster, err := c.describeCluster(ctx, fenced)
				if err != nil {
					return err
				}
				return m.show(cluster, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "ID\tHOST\tPORT\tRACK\tFENCED\tCONTROLLER")
					for _, b := range cluster.Brokers {
						fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%t\t%t\n", b.ID, b.Host, b.Port, orEmpty(b.Rack), b.Fenced,
							b.ID == cluster.Controller)
					}
				})
			})
		},
	}
	list.Flags().BoolVar(&fenced, "include-fenced", false, "fenced brokers too")
	versions := &cobra.Command{
		Use: "api-versions", Short: "Show which requests, in which versions, each broker serves", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				return m.showAPIVersions(ctx, c)
			})
		},
	}
	cmd.AddCommand(list, versions)
	return cmd
}

func (m *modern) showAPIVersions(ctx context.Context, c *client) error {
	type answer struct {
		Broker brokerInfo `json:"broker"`
		APIs   []apiRange `json:"apis"`
	}
	cluster, err := c.describeCluster(ctx, false)
	if err != nil {
		return err
	}
	var answers []answer
	for _, b := range cluster.Brokers {
		ranges, _, err := c.apiVersions(ctx, b.ID)
		if err != nil {
			return fmt.Errorf("broker %d: %s", b.ID, errorText(err))
		}
		answers = append(answers, answer{b, ranges})
	}
	return m.show(answers, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "BROKER\tKEY\tREQUEST\tVERSIONS")
		for _, a := range answers {
			for _, r := range a.APIs {
				if r.Supported {
					fmt.Fprintf(w, "%d\t%d\t%s\t%d to %d\n", a.Broker.ID, r.Key, r.Name, r.Min, r.Max)
				}
			}
		}
	})
}
