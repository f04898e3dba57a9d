package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"barnabas/internal/cli/argp"
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

const storageIntro = "usage: kafka-storage [-h]\n" +
	"                     {info,format,version-mapping,feature-dependencies,random-uuid}\n" +
	"                     ...\n"

// storageCommands are the subcommands of kafka-storage, in the order of its help.
var storageCommands = []struct {
	name, help string
	run        func(env *Env, args []string) error
}{
	{"info", "Show the log directories of this broker and who they belong to.", runStorageInfo},
	{"format", "Give the log directories of this broker an identity and a cluster.", runStorageFormat},
	{"version-mapping", "Show the levels of features that a release has.", runStorageMapping},
	{"feature-dependencies", "Show what a level of a feature needs.", runStorageDependencies},
	{"random-uuid", "Print a random id, for a cluster.", runRandomUUID},
}

// runStorage is kafka-storage. Barnabas needs no formatting: a broker does it at its first start.
// Formatting ahead fixes the cluster's id, and tells whether directories belong together.
func runStorage(_ context.Context, env *Env, args []string) error {
	if len(args) == 0 {
		env.warnf("%skafka-storage: error: too few arguments\n", storageIntro)
		return exitFailure
	}
	switch args[0] {
	case "-h", "--help":
		env.printf("%s\nThe tool for a broker's log directories.\n\npositional arguments:\n", storageIntro)
		for _, c := range storageCommands {
			env.printf("    %-20s %s\n", c.name, c.help)
		}
		env.printf("\noptional arguments:\n  -h, --help             show this help message and exit\n")
		return errAnswered
	case "--version":
		return env.parseArguments(argp.New("kafka-storage", ""), args, false)
	}
	var names []string
	for _, c := range storageCommands {
		if c.name == args[0] {
			return c.run(env, args[1:])
		}
		names = append(names, "'"+c.name+"'")
	}
	env.warnf("%s", storageIntro)
	if strings.HasPrefix(args[0], "-") {
		env.warnf("kafka-storage: error: unrecognized arguments: '%s'\n", args[0])
	} else {
		env.warnf("kafka-storage: error: invalid choice: '%s' (choose from %s)\n", args[0], strings.Join(names, ", "))
	}
	return exitFailure
}

func runRandomUUID(env *Env, args []string) error {
	if err := env.parseArguments(argp.New("kafka-storage random-uuid", ""), args, false); err != nil {
		return err
	}
	env.printf("%s\n", ident.NewClusterID())
	return nil
}

// terse prints an error as the tool's last word.
func (env *Env) terse(err error) error {
	if err == nil {
		return nil
	}
	env.warnf("%v\n", err)
	return exitFailure
}

func runStorageMapping(env *Env, args []string) error {
	p := argp.New("kafka-storage version-mapping", "")
	release := p.Text("--release-version", "RELEASE_VERSION", "The release; the latest if none is given.").Or("-r")
	if err := env.parseArguments(p, args, false); err != nil {
		return err
	}
	version := release.Value()
	if version == "" {
		version = metadataVersions[len(metadataVersions)-1]
	}
	return env.terse(printMapping(env, version))
}

func runStorageDependencies(env *Env, args []string) error {
	p := argp.New("kafka-storage feature-dependencies", "")
	features := p.Text("--feature", "FEATURE", "A feature and its level, as feature=level; may be repeated.").Or("-f").Repeated().Required()
	if err := env.parseArguments(p, args, false); err != nil {
		return err
	}
	return env.terse(printDependencies(env, features.Values()))
}

// storageDirs loads a broker's configuration and returns its log directories, sorted.
func (env *Env) storageDirs(file string) (*config.Broker, []string, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, nil, fmt.Errorf("%s: there is no such file", file)
	}
	broker, _, err := config.Load(config.Sources{File: file})
	if err != nil {
		return nil, nil, err
	}
	dirs := make([]string, len(broker.LogDirs))
	for i, dir := range broker.LogDirs {
		if dirs[i], err = filepath.Abs(dir); err != nil {
			return nil, nil, err
		}
	}
	return broker, dirs, nil
}

func configOption(p *argp.Parser) *argp.Option {
	return p.Text("--config", "CONFIG", "The broker's configuration file.").Or("-c").Required()
}

func runStorageInfo(env *Env, args []string) error {
	p := argp.New("kafka-storage info", "")
	file := configOption(p)
	if err := env.parseArguments(p, args, false); err != nil {
		return err
	}
	_, dirs, err := env.storageDirs(file.Value())
	if err != nil {
		return env.terse(err)
	}
	slices.Sort(dirs)
	return env.printStorage(examine(dirs))
}

// storageState is what is known of a broker's log directories.
type storageState struct {
	Found    []string          `json:"found"`
	Metadata map[string]string `json:"metadata"`
	Problems []string          `json:"problems"`
}

// examine looks at the directories' meta.properties, and whether they agree.
func examine(dirs []string) storageState {
	s := storageState{Found: []string{}, Problems: []string{}}
	var first *storage.MetaProperties
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.problem("%s does not exist", dir)
			continue
		case err != nil || !info.IsDir():
			s.problem("%s is not a directory", dir)
			continue
		}
		s.Found = append(s.Found, dir)
		meta, formatted, err := storage.ReadMetaProperties(vfs.OS, dir)
		switch {
		case err != nil:
			s.problem("Error loading %s", err)
		case !formatted:
			s.problem("%s is not formatted.", dir)
		case first == nil:
			first = &meta
		case meta.ClusterID != first.ClusterID:
			s.problem("Mismatched cluster IDs between storage directories.")
		case meta.BrokerID != first.BrokerID:
			s.problem("Mismatched node IDs between storage directories.")
		}
	}
	if first != nil {
		s.Metadata = map[string]string{"version": "1"}
		if !first.ClusterID.IsZero() {
			s.Metadata["cluster.id"] = first.ClusterID.String()
		}
		if !first.StoreID.IsZero() {
			s.Metadata["directory.id"] = first.StoreID.String()
		}
		if first.BrokerID != ident.NoBroker {
			s.Metadata["node.id"] = fmt.Sprint(first.BrokerID)
		}
	}
	return s
}

func (s *storageState) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

// printStorage prints the state; problems are a failure.
func (env *Env) printStorage(s storageState) error {
	list := func(one, many string, lines []string) {
		if len(lines) == 0 {
			return
		}
		title := many
		if len(lines) == 1 {
			title = one
		}
		env.printf("%s\n  %s\n\n", title, strings.Join(lines, "\n  "))
	}
	list("Found log directory:", "Found log directories:", s.Found)
	if s.Metadata != nil {
		var pairs []string
		for _, name := range []string{"cluster.id", "directory.id", "node.id", "version"} {
			if value, ok := s.Metadata[name]; ok {
				pairs = append(pairs, name+"="+value)
			}
		}
		env.printf("Found metadata: {%s}\n\n", strings.Join(pairs, ", "))
	}
	list("Found problem:", "Found problems:", s.Problems)
	if len(s.Problems) > 0 {
		return exitFailure
	}
	return nil
}

// storageCommand is `barnabas storage`.
func storageCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "storage", Short: "Look at a broker's log directories, and prepare them"}
	var file, cluster string
	var ignore bool
	info := &cobra.Command{
		Use: "info", Short: "Show who the log directories belong to", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, dirs, err := m.env.storageDirs(file)
			if err != nil {
				return err
			}
			slices.Sort(dirs)
			state := examine(dirs)
			if m.output != "json" {
				return m.env.printStorage(state)
			}
			if err := m.show(state, nil); err != nil || len(state.Problems) == 0 {
				return err
			}
			return exitFailure
		},
	}
	format := &cobra.Command{
		Use: "format", Short: "Give the log directories an identity and a cluster", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f := formatting{env: m.env, file: file, cluster: cluster, ignoreFormatted: ignore}
			if f.cluster == "" {
				f.cluster = ident.NewClusterID().String()
			}
			return f.run()
		},
	}
	for _, c := range []*cobra.Command{info, format} {
		c.Flags().StringVarP(&file, "config", "c", "server.properties", "the broker's configuration file")
	}
	format.Flags().StringVar(&cluster, "cluster-id", "", "the cluster's id (default: a random one)")
	format.Flags().BoolVar(&ignore, "ignore-formatted", false, "leave directories alone that are formatted")
	cmd.AddCommand(info, format, &cobra.Command{
		Use: "random-uuid", Short: "Print a random id", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runRandomUUID(m.env, nil) },
	})
	return cmd
}
