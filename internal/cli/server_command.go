package cli

import "github.com/spf13/cobra"

// serverCommand is `barnabas server` in the help and in shell completion. The broker itself is run by
// cmd/barnabas, which knows it by its first word: this room's tools talk to brokers and hold none.
func serverCommand(*modern) *cobra.Command {
	return &cobra.Command{
		Use: "server [--daemon] [server.properties] [--override key=value]...", Short: "Run a broker",
		DisableFlagParsing: true,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"properties"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(*cobra.Command, []string) error { return usagef("server has to be the first word") },
	}
}
