package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// configsCommand is `barnabas configs`.
func configsCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "configs", Short: "Show and change the settings of topics, brokers " +
		"and groups", Aliases: []string{"config"}}
	cmd.AddCommand(configsGetCommand(m), configsSetCommand(m))
	return cmd
}

// parseEntity reads topic/orders, broker/1, brokers, group/g.
func parseEntity(word string) (entity, error) {
	kindName, name, _ := strings.Cut(word, "/")
	for _, kind := range entityKinds {
		if kindName == kind.plural && name == "" && kindName == "brokers" || kindName == kind.flag && name != "" {
			return entity{kind, name, true}, nil
		}
	}
	return entity{}, usagef("%q: want topic/NAME, broker/ID, brokers, group/ID or client-metrics/NAME",
		word)
}

func configsGetCommand(m *modern) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "get ENTITY", Short: "Show settings of topic/NAME, broker/ID, brokers (all of them), " +
			"group/ID", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := parseEntity(args[0])
			if err != nil {
				return err
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				configs, err := c.ownConfigs(ctx, e, e.name, all)
				if err != nil {
					return err
				}
				return m.show(configs, func(w *tabwriter.Writer) {
					fmt.Fprintln(w, "NAME\tVALUE\tSOURCE")
					for _, config := range configs {
						fmt.Fprintf(w, "%s\t%s\t%s\n", config.Name, config.Value, config.Source)
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those from files and defaults too")
	return cmd
}

func configsSetCommand(m *modern) *cobra.Command {
	var remove []string
	cmd := &cobra.Command{
		Use: "set ENTITY [KEY=VALUE...]", Short: "Set settings, and --unset others", Args: cobra.MinimumNArgs(1),
		Example: "  barnabas configs set topic/orders retention.ms=86400000 --unset segment.ms",
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := parseEntity(args[0])
			if err != nil {
				return err
			}
			values, err := parseAssignments(args[1:])
			if err != nil {
				return err
			}
			if len(values)+len(remove) == 0 {
				return usagef("nothing to set or to unset")
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				return c.changeConfigs(ctx, resource{e.kind, e.name}, values, remove)
			})
		},
	}
	cmd.Flags().StringSliceVar(&remove, "unset", nil, "settings to remove")
	return cmd
}
