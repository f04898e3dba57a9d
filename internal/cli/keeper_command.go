package cli

import "github.com/spf13/cobra"

// keeperCommand is `barnabas keeper` in the help and in shell completion. The keeper itself is run by cmd/barnabas, as the
// broker is.
func keeperCommand(*modern) *cobra.Command {
	return &cobra.Command{
		Use: "keeper [zoo.cfg] [--override key=value]...", Short: "Run a keeper: a member of the ensemble that holds the metadata",
		DisableFlagParsing: true,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"cfg"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(*cobra.Command, []string) error { return usagef("keeper has to be the first word") },
	}
}
