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

type clusterInfo struct {
	ID         string       `json:"id"`
	Controller int32        `json:"controller"`
	Brokers    []brokerInfo `json:"brokers"`
}

type brokerInfo struct {
	ID     int32   `json:"id"`
	Host   string  `json:"host"`
	Port   int32   `json:"port"`
	Rack   *string `json:"rack"`
	Fenced bool    `json:"fenced"`
}

func (c *client) describeCluster(ctx context.Context, fenced bool) (*clusterInfo, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = 1 // brokers
	req.IncludeFencedBrokers = fenced
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, err
	}
	info := &clusterInfo{ID: resp.ClusterID, Controller: resp.ControllerID}
	for _, b := range resp.Brokers {
		info.Brokers = append(info.Brokers, brokerInfo{b.NodeID, b.Host, b.Port, b.Rack, b.IsFenced})
	}
	slices.SortFunc(info.Brokers, func(a, b brokerInfo) int { return int(a.ID - b.ID) })
	return info, nil
}

func (c *client) unregisterBroker(ctx context.Context, id int32) error {
	req := kmsg.NewPtrUnregisterBrokerRequest()
	req.BrokerID = id
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	return codeError(resp.ErrorCode, resp.ErrorMessage)
}

// action takes the subcommand of a tool that has them from among the words that belong to no
// option; it may come before or after the options.
func action(p *jopt.Parser, name string, known ...string) (string, error) {
	rest := p.Rest()
	switch {
	case len(rest) == 0:
		return "", fmt.Errorf("%s: error: too few arguments", name)
	case len(rest) > 1:
		return "", fmt.Errorf("%s: error: unrecognized arguments: '%s'", name, rest[1])
	case !slices.Contains(known, rest[0]):
		return "", fmt.Errorf("%s: error: invalid choice: '%s' (choose from '%s')", name, rest[0], strings.Join(known, "', '"))
	}
	return rest[0], nil
}

// runCluster is kafka-cluster.
func runCluster(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool shows a cluster's id and endpoints, and unregisters brokers:\n" +
		"kafka-cluster {cluster-id,unregister,list-endpoints} --bootstrap-server …")
	connect := newConnectOptions(p)
	connect.bootstrap.Or("bootstrap-controller").Or("b").Or("C")
	connect.config.Or("c").Deprecates("config")
	id := p.Int("id", "broker id", "With unregister: the broker.")
	fenced := p.Flag("include-fenced-brokers", "With list-endpoints: fenced brokers too.")
	if err := env.parse(p, args, "kafka-cluster: error: too few arguments"); err != nil {
		return err
	}
	what, err := action(p, "kafka-cluster", "cluster-id", "unregister", "list-endpoints")
	if err != nil {
		return p.Usagef("%v", err)
	}
	if err := connect.required(); err != nil {
		return err
	}
	if what == "unregister" {
		if err := p.Required(id); err != nil {
			return err
		}
		if err := jopt.Check(id); err != nil {
			return p.Usagef("%v", err)
		}
	}
	err = connect.run(ctx, env, func(ctx context.Context, c *client) error {
		switch what {
		case "unregister":
			err := c.unregisterBroker(ctx, int32(id.Must()))
			if isUnsupported(err) {
				env.printf("The target cluster does not support the broker unregistration API.\n")
				return nil
			}
			if err == nil {
				env.printf("Broker %d is no longer registered.\n", id.Must())
			}
			return err
		case "list-endpoints":
			return c.printEndpoints(ctx, env, fenced.Set())
		}
		cluster, err := c.describeCluster(ctx, false)
		if err == nil {
			env.printf("Cluster ID: %s\n", cluster.ID)
		}
		return err
	})
	if err != nil {
		env.warnf("%s: %s\n", javaClass(err), errorText(err))
		return exitFailure
	}
	return nil
}

func (c *client) printEndpoints(ctx context.Context, env *Env, fenced bool) error {
	cluster, err := c.describeCluster(ctx, fenced)
	if err != nil {
		return err
	}
	host, rack := 9, 10
	for _, b := range cluster.Brokers {
		host, rack = max(host, len(b.Host)), max(rack, len(orEmpty(b.Rack)))
	}
	row := func(id, h, port, r, state, kind string) {
		env.printf("%-10s %-*s %-10s %-*s %-10s %-15s\n", id, host, h, port, rack, r, state, kind)
	}
	row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")
	for _, b := range cluster.Brokers {
		state := "unfenced"
		if b.Fenced {
			state = "fenced"
		}
		row(fmt.Sprint(b.ID), b.Host, fmt.Sprint(b.Port), orNullText(b.Rack), state, "broker")
	}
	return nil
}

// clusterCommand is `barnabas cluster`.
func clusterCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "cluster", Short: "Show the cluster's id; see which brokers can be stopped, drain them, unregister them"}
	cmd.AddCommand(&cobra.Command{
		Use: "id", Short: "Show the cluster's id", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				cluster, err := c.describeCluster(ctx, false)
				if err != nil {
					return err
				}
				return m.show(map[string]string{"clusterId": cluster.ID}, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, cluster.ID)
				})
			})
		},
	}, &cobra.Command{
		Use: "unregister BROKER", Short: "Forget a broker that will not come back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var id int32
			if _, err := fmt.Sscan(args[0], &id); err != nil {
				return usagef("%q is no broker id", args[0])
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				return c.unregisterBroker(ctx, id)
			})
		},
	})
	cmd.AddCommand(safetyCommands(m)...)
	cmd.AddCommand(clusterQuestions(m)...)
	return cmd
}
