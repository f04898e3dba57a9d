package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"barnabas/internal/cli/jopt"
)

// groupsCommand is `barnabas groups`.
func groupsCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "groups", Short: "List and describe consumer groups, reset their " +
		"offsets", Aliases: []string{"group"}}
	cmd.AddCommand(groupsListCommand(m), groupsDescribeCommand(m), groupsDeleteCommand(m), groupsResetCommand(m))
	return cmd
}

func groupsListCommand(m *modern) *cobra.Command {
	var states, types []string
	cmd := &cobra.Command{
		Use: "list", Short: "List groups", Args: cobra.NoArgs, Aliases: []string{"ls"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				groups, err := c.listGroups(ctx, states, types)
				if err != nil {
					return err
				}
				return m.show(groups, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "GROUP\tTYPE\tSTATE")
					for _, g := range groups {
						fmt.Fprintf(w, "%s\t%s\t%s\n", g.Group, g.Type, g.State)
					}
				})
			})
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only groups in these states")
	cmd.Flags().StringSliceVar(&types, "type", nil, "only groups of these types: classic, consumer")
	return cmd
}

func groupsDescribeCommand(m *modern) *cobra.Command {
	return &cobra.Command{
		Use: "describe GROUP...", Short: "Show members, offsets and lag", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: m.completeGroups,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				groups, err := c.describeGroups(ctx, args)
				if err != nil {
					return err
				}
				type described struct {
					groupDescription
					Offsets []offsetRow `json:"offsets"`
				}
				answers := make([]described, len(groups))
				for i, g := range groups {
					answers[i].groupDescription = g
					if answers[i].Offsets, err = c.offsetRows(ctx, g); err != nil {
						return err
					}
				}
				return m.show(answers, func(w *tabwriter.Writer) {
					for _, g := range answers {
						fmt.Fprintf(w, "%s: %s, %s, %d members, coordinator %d\n", g.Group, g.Type, g.State,
							len(g.Members), g.Coordinator.ID)
						fmt.Fprintln(w, "  TOPIC\tPARTITION\tOFFSET\tEND\tLAG\tCONSUMER\tHOST")
						for _, r := range g.Offsets {
							fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Topic, orDash(r.Partition),
								orDash(r.Current),
								orDash(r.End), orDash(r.Lag), r.ConsumerID, r.Host)
						}
					}
				})
			})
		},
	}
}

func groupsDeleteCommand(m *modern) *cobra.Command {
	return &cobra.Command{
		Use: "delete GROUP...", Short: "Delete groups that have no members", Args: cobra.MinimumNArgs(1), Aliases: []string{"rm"},
		ValidArgsFunction: m.completeGroups,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				answers, err := c.adm.DeleteGroups(ctx, args...)
				if err != nil {
					return err
				}
				for _, id := range args {
					if err := answers[id].Err; err != nil {
						return fmt.Errorf("%s: %s", id, errorText(err))
					}
				}
				return nil
			})
		},
	}
}

// groupsResetCommand has the scenarios of kafka-consumer-groups --reset-offsets as one flag.
func groupsResetCommand(m *modern) *cobra.Command {
	var topics []string
	var to string
	var execute bool
	cmd := &cobra.Command{
		Use: "reset GROUP", Short: "Move the offsets of a group that has no members", Args: cobra.ExactArgs(1),
		Long: "Move the offsets of a group that has no members: --to earliest, latest, current, an " +
			"offset, +N or -N\n" +
			"from the current one, a time (2026-01-31T12:00:00.000) or a duration back from now (PT1H).\n" +
			"Without --execute it only shows what would be.",
		ValidArgsFunction: m.completeGroups,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := resetOptions(args[0], to, topics)
			if err != nil {
				return err
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				state, err := c.groupState(ctx, args[0])
				if err != nil {
					return err
				}
				if state != "Empty" && state != "Dead" {
					return fmt.Errorf("group %s is %s: its members have to stop first", args[0], state)
				}
				offsets, err := o.planReset(ctx, m.env, c, args[0])
				if err == nil && execute {
					err = c.commitOffsets(ctx, args[0], offsets)
				}
				if err != nil {
					return err
				}
				return m.showPlan(resetPlan{args[0]: offsets}, execute)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "where to; see above")
	flags.StringArrayVarP(&topics, "topic", "t", nil, "a topic, or topic:0,1; may be repeated "+
		"(default: all that the group has offsets of)")
	flags.BoolVar(&execute, "execute", false, "do it")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// resetOptions are those of kafka-consumer-groups that plan the same.
func resetOptions(group, to string, topics []string) (*groupsOptions, error) {
	words := append([]string{"--reset-offsets", "--group", group}, scenarioWords(to)...)
	for _, topic := range topics {
		words = append(words, "--topic", topic)
	}
	if len(topics) == 0 {
		words = append(words, "--all-topics")
	}
	o := newGroupsOptions()
	if err := o.p.Parse(words); err != nil {
		return nil, err
	}
	if jopt.Check(o.toOffset, o.shiftBy) != nil { // they would be taken for 0
		return nil, usagef("--to %q: want earliest, latest, current, an offset, +N or -N, a time (2026-01-31T12:00:00.000) or a duration (PT1H)", to)
	}
	return o, nil
}

// datetimeLayouts are what a time may look like; without a zone it is UTC.
var datetimeLayouts = []string{"2006-01-02T15:04:05.999Z07:00", "2006-01-02T15:04:05.999Z0700", "2006-01-02T15:04:05.999Z07", "2006-01-02T15:04:05.999"}

func scenarioWords(to string) []string {
	switch {
	case to == "earliest", to == "latest", to == "current":
		return []string{"--to-" + to}
	case len(to) > 1 && (to[0] == '+' || to[0] == '-') && to[1] != 'P':
		return []string{"--shift-by", to}
	}
	if _, err := parseDuration(to); err == nil {
		return []string{"--by-duration", to}
	}
	for _, layout := range datetimeLayouts {
		if at, err := time.Parse(layout, to); err == nil {
			return []string{"--to-datetime", at.UTC().Format("2006-01-02T15:04:05.000Z")}
		}
	}
	return []string{"--to-offset", to}
}

func (m *modern) showPlan(plan resetPlan, done bool) error {
	type move struct {
		Group     string `json:"group"`
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"newOffset"`
		Done      bool   `json:"done"`
	}
	moves := []move{}
	plan.each(func(group string, name partitionName, offset int64) {
		moves = append(moves, move{group, name.topic, name.partition, offset, done})
	})
	return m.show(moves, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "GROUP\tTOPIC\tPARTITION\tNEW-OFFSET")
		for _, p := range moves {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", p.Group, p.Topic, p.Partition, p.Offset)
		}
	})
}

// completeGroups offers the cluster's groups to the shell.
func (m *modern) completeGroups(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	err := m.withClient(cmd, func(ctx context.Context, c *client) error {
		groups, err := c.listGroups(ctx, nil, nil)
		for _, g := range groups {
			names = append(names, g.Group)
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
