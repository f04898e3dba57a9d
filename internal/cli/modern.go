package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// modern is what the subcommands of barnabas share: the global flags and the world.
type modern struct {
	env           *Env
	bootstrap     string
	zookeeper     string
	commandConfig string
	output        string
	running       bool // the words were in order, and a command began
}

// wordsError is a mistake in the words of a modern command: exit code 2, as shells have it.
type wordsError struct{ message string }

func (e *wordsError) Error() string { return e.message }

func usagef(format string, args ...any) error { return &wordsError{fmt.Sprintf(format, args...)} }

// runModern runs `barnabas …`.
func (env *Env) runModern(ctx context.Context, args []string) int {
	m := &modern{env: env}
	root := m.root()
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		var status exitStatus
		var words *wordsError
		if errors.As(err, &status) {
			return int(status)
		}
		env.warnf("barnabas: %v\n", err)
		if errors.As(err, &words) || !m.running {
			return 2
		}
		return 1
	}
	return 0
}

func (m *modern) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "barnabas",
		Short:         "A message queue that speaks Kafka, and the tools for it",
		Version:       Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if m.output != "table" && m.output != "json" {
				return fmt.Errorf("--output %s: want table or json", m.output)
			}
			if m.zookeeper != "" && !cmd.Flags().Changed("bootstrap-server") {
				m.bootstrap = ""
			}
			m.running = true
			return nil
		},
	}
	bootstrap := m.env.Getenv("BARNABAS_BOOTSTRAP_SERVER")
	if bootstrap == "" {
		bootstrap = "localhost:9092"
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&m.bootstrap, "bootstrap-server", "b", bootstrap,
		"brokers to ask, host:port with commas ($BARNABAS_BOOTSTRAP_SERVER)")
	flags.StringVar(&m.zookeeper, "zookeeper", "", "keepers to ask for the brokers instead")
	flags.StringVar(&m.commandConfig, "command-config", "", "client properties file (security …)")
	flags.StringVarP(&m.output, "output", "o", "table", "table or json")
	_ = root.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	for _, tool := range registry() {
		if tool.Command != nil {
			root.AddCommand(tool.Command(m))
		}
	}
	root.AddCommand(installLinksCommand(m))
	return root
}

// client dials the cluster that the global flags name; add sets properties over the file's.
func (m *modern) client(ctx context.Context, add properties) (*client, error) {
	return m.env.connect(ctx, target{
		bootstrap: m.bootstrap, zookeeper: m.zookeeper, config: m.commandConfig, overrides: add,
	})
}

// show writes value as JSON, or calls table for the human form.
func (m *modern) show(value any, table func(w *tabwriter.Writer)) error {
	if m.output == "json" {
		encoder := json.NewEncoder(m.env.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	}
	w := tabwriter.NewWriter(m.env.Stdout, 0, 0, 3, ' ', 0)
	table(w)
	return w.Flush()
}

// parseAssignments reads key=value words.
func parseAssignments(words []string) (map[string]string, error) {
	values := make(map[string]string, len(words))
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok || strings.TrimSpace(key) == "" {
			return nil, usagef("%q: want key=value", word)
		}
		values[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return values, nil
}

// isTerminal says whether the file is a terminal and not a pipe or a file.
func isTerminal(v any) bool {
	file, ok := v.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && file.Name() != os.DevNull
}
