package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// topicsCommand is `barnabas topics`.
func topicsCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "topics", Short: "Create, list, describe, change and delete topics", Aliases: []string{"topic"}}
	cmd.AddCommand(topicsCreateCommand(m), topicsListCommand(m), topicsDescribeCommand(m),
		topicsGrowCommand(m), topicsDeleteCommand(m))
	return cmd
}

// withClient runs f against the cluster of the global flags, bounded by apiTimeout.
func (m *modern) withClient(cmd *cobra.Command, f func(ctx context.Context, c *client) error) error {
	c, err := m.client(cmd.Context(), nil)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), apiTimeout)
	defer cancel()
	if err = f(ctx, c); err == nil {
		return nil
	}
	if text := errorText(err); text != err.Error() {
		return errors.New(text)
	}
	return err
}

func topicsCreateCommand(m *modern) *cobra.Command {
	var partitions int32
	var replication int16
	var configs []string
	var assignment string
	var ifNotExists bool
	cmd := &cobra.Command{
		Use: "create TOPIC...", Short: "Create topics", Args: cobra.MinimumNArgs(1),
		Example: "  barnabas topics create orders -p 3 -r 1 -c retention.ms=86400000",
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := parseAssignments(configs)
			if err != nil {
				return err
			}
			replicas, err := parseAssignment(assignment)
			if err != nil {
				return err
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				var created []string
				for _, name := range args {
					topic := newTopic{name, partitions, replication, replicas, values}
					ok, err := c.createTopic(ctx, topic, ifNotExists)
					if err != nil {
						return fmt.Errorf("%s: %s", name, errorText(err))
					}
					if ok {
						created = append(created, name)
					}
				}
				return m.show(map[string]any{"created": created}, func(w *tabwriter.Writer) {
					for _, name := range created {
						fmt.Fprintf(w, "created %s\n", name)
					}
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.Int32VarP(&partitions, "partitions", "p", -1, "number of partitions (default: the broker's)")
	flags.Int16VarP(&replication, "replication-factor", "r", -1, "replicas of each partition "+
		"(default: the broker's)")
	flags.StringArrayVarP(&configs, "config", "c", nil, "a topic setting, key=value; may be repeated")
	flags.StringVar(&assignment, "replica-assignment", "", "brokers of each partition, 1:2,2:3")
	flags.BoolVar(&ifNotExists, "if-not-exists", false, "a topic that exists is no error")
	cmd.MarkFlagsMutuallyExclusive("replica-assignment", "partitions")
	cmd.MarkFlagsMutuallyExclusive("replica-assignment", "replication-factor")
	return cmd
}

func topicsListCommand(m *modern) *cobra.Command {
	var skipInternal bool
	cmd := &cobra.Command{
		Use: "list [PATTERN]", Short: "List topics", Args: cobra.MaximumNArgs(1), Aliases: []string{"ls"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				names, err := c.topicNames(ctx, strings.Join(args, ""), skipInternal)
				if err != nil {
					return err
				}
				topics := []topicDescription{}
				if len(names) > 0 {
					if topics, err = c.describeTopics(ctx, names, 2000); err != nil {
						return err
					}
				}
				return m.show(topicRows(topics), func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "TOPIC\tPARTITIONS\tREPLICAS\tUNDER-REPLICATED\tWITHOUT-LEADER")
					for _, t := range topicRows(topics) {
						fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", t.Name, t.Partitions, t.Replicas, t.UnderReplicated,
							t.WithoutLeader)
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&skipInternal, "exclude-internal", false, "leave out internal topics")
	return cmd
}

type topicRow struct {
	Name            string `json:"name"`
	ID              string `json:"id"`
	Internal        bool   `json:"internal"`
	Partitions      int    `json:"partitions"`
	Replicas        int    `json:"replicationFactor"`
	UnderReplicated int    `json:"underReplicatedPartitions"`
	WithoutLeader   int    `json:"partitionsWithoutLeader"`
}

func topicRows(topics []topicDescription) []topicRow {
	rows := make([]topicRow, len(topics))
	for i, t := range topics {
		rows[i] = topicRow{Name: t.Name, ID: t.ID.String(), Internal: t.Internal, Partitions: len(t.Partitions)}
		for _, p := range t.Partitions {
			rows[i].Replicas = max(rows[i].Replicas, len(p.Replicas))
			if len(p.ISR) < len(p.Replicas) {
				rows[i].UnderReplicated++
			}
			if p.Leader < 0 {
				rows[i].WithoutLeader++
			}
		}
	}
	return rows
}

func topicsDescribeCommand(m *modern) *cobra.Command {
	return &cobra.Command{
		Use: "describe TOPIC...", Short: "Show the partitions and settings of topics", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: m.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				topics, err := c.describeTopics(ctx, args, 2000)
				if err != nil {
					return err
				}
				configs, err := c.topicConfigs(ctx, topics)
				if err != nil {
					return err
				}
				type described struct {
					topicDescription
					Configs []configEntry `json:"configs"`
				}
				answers := make([]described, len(topics))
				for i, t := range topics {
					answers[i] = described{t, configs[t.Name]}
				}
				return m.show(answers, func(w *tabwriter.Writer) {
					for _, t := range answers {
						fmt.Fprintf(w, "%s (id %s)\n", t.Name, t.ID)
						for _, config := range nonDefault(t.Configs) {
							fmt.Fprintf(w, "  %s = %s\n", config.Name, config.Value)
						}
						fmt.Fprintln(w, "  PARTITION\tLEADER\tEPOCH\tREPLICAS\tIN-SYNC")
						for _, p := range t.Partitions {
							fmt.Fprintf(w, "  %d\t%d\t%d\t%s\t%s\n", p.Partition, p.Leader, p.LeaderEpoch,
								joinIDs(p.Replicas), joinIDs(p.ISR))
						}
					}
				})
			})
		},
	}
}

func topicsGrowCommand(m *modern) *cobra.Command {
	var partitions int32
	cmd := &cobra.Command{
		Use: "alter TOPIC...", Short: "Raise the number of partitions (settings: barnabas configs)", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: m.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				return c.addPartitions(ctx, args, partitions, nil)
			})
		},
	}
	cmd.Flags().Int32VarP(&partitions, "partitions", "p", 0, "how many there are to be")
	_ = cmd.MarkFlagRequired("partitions")
	return cmd
}

func topicsDeleteCommand(m *modern) *cobra.Command {
	return &cobra.Command{
		Use: "delete TOPIC...", Short: "Delete topics", Args: cobra.MinimumNArgs(1), Aliases: []string{"rm"},
		ValidArgsFunction: m.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				return c.deleteTopics(ctx, args)
			})
		},
	}
}

// completeTopics offers the cluster's topics to the shell.
func (m *modern) completeTopics(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	err := m.withClient(cmd, func(ctx context.Context, c *client) error {
		all, err := c.topicNames(ctx, "", false)
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
