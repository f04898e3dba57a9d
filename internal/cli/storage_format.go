package cli

import (
	"fmt"
	"path/filepath"

	"barnabas/internal/cli/argp"
	"barnabas/internal/ident"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// formatting is one run of kafka-storage format.
type formatting struct {
	env             *Env
	file            string // the broker's configuration
	cluster         string
	release         string // named in the output; "" is the latest
	ignoreFormatted bool
	voter           bool // Kafka's words for a directory that holds a vote
}

func runStorageFormat(env *Env, args []string) error {
	p := argp.New("kafka-storage format", "")
	file := configOption(p)
	cluster := p.Text("--cluster-id", "CLUSTER_ID", "The cluster's id, as random-uuid prints one.").Or("-t").Required()
	scram := p.Text("--add-scram", "ADD_SCRAM", "SCRAM credentials. Not here: add them with kafka-configs once the broker runs.").Or("-S").Repeated()
	ignore := p.Flag("--ignore-formatted", "Leave directories alone that are formatted, and format the others.").Or("-g")
	release := p.Text("--release-version", "RELEASE_VERSION", "The release whose features the cluster begins with.").Or("-r")
	features := p.Text("--feature", "FEATURE", "A feature and its level, as feature=level; may be repeated. They are checked: levels are set with kafka-features.").Or("-f").Repeated()
	standalone := p.Flag("--standalone", "Taken for compatibility: the keepers need no formatting.").Or("-s")
	none := p.Flag("--no-initial-controllers", "Taken for compatibility: the keepers need no formatting.").Or("-N")
	controllers := p.Text("--initial-controllers", "INITIAL_CONTROLLERS", "Taken for compatibility: the keepers need no formatting.").Or("-I")
	p.Exclusive(false, standalone, none, controllers)
	if err := env.parseArguments(p, args, false); err != nil {
		return err
	}
	if scram.Set() {
		return env.terse(sayf("--add-scram: credentials can't be added before the cluster exists; add them with kafka-configs once the broker runs"))
	}
	if _, err := parseLevels(features.Values(), false); err != nil {
		return env.terse(err)
	}
	f := formatting{
		env: env, file: file.Value(), cluster: cluster.Value(), release: release.Value(),
		ignoreFormatted: ignore.Set(), voter: standalone.Set() || controllers.Set(),
	}
	return env.terse(f.run())
}

// run writes meta.properties into every directory that has none, all or nothing as far as checks go.
func (f *formatting) run() error {
	cluster, err := ident.ParseClusterID(f.cluster)
	if err != nil || cluster.IsZero() {
		return sayf("Cluster ID string %s does not appear to be a valid UUID", f.cluster)
	}
	release := metadataVersions[len(metadataVersions)-1]
	if f.release != "" {
		level, err := metadataLevel(f.release)
		if err != nil {
			return err
		}
		release, _ = metadataName(level)
	}
	broker, dirs, err := f.env.storageDirs(f.file)
	if err != nil {
		return err
	}
	meta := storage.MetaProperties{ClusterID: cluster, BrokerID: ident.BrokerID(broker.NodeID)}
	empty, formatted, err := f.check(dirs, meta)
	if err != nil {
		return err
	}
	switch {
	case len(formatted) > 0 && !f.ignoreFormatted:
		return sayf("Log directory %s is already formatted. Use --ignore-formatted to ignore this directory and format the others.", formatted[0])
	case len(empty) == 0:
		f.env.printf("All of the log directories are already formatted.\n")
		return nil
	}
	for _, dir := range empty {
		f.env.printf("Formatting %s %s with %s %s.\n", f.kind(dir, dirs), dir, metadataFeature, release)
		meta.StoreID = ident.NewStoreID()
		if err := storage.WriteMetaProperties(vfs.OS, dir, meta); err != nil {
			return fmt.Errorf("Error while writing meta.properties file %s: %w", dir, err)
		}
	}
	return nil
}

// check sorts the directories into those that have an identity and those that have none, and makes
// sure that the former belong to the same cluster and broker.
func (f *formatting) check(dirs []string, want storage.MetaProperties) (empty, formatted []string, err error) {
	for _, dir := range dirs {
		meta, exists, err := storage.ReadMetaProperties(vfs.OS, dir)
		if err != nil {
			return nil, nil, fmt.Errorf("I/O error trying to read log directory %s: %w", dir, err)
		}
		if !exists {
			empty = append(empty, dir)
			continue
		}
		formatted = append(formatted, dir)
		path := filepath.Join(dir, "meta.properties")
		if !meta.ClusterID.IsZero() && meta.ClusterID != want.ClusterID {
			return nil, nil, sayf("Invalid cluster.id in: %s. Expected %s, but read %s", path, want.ClusterID, meta.ClusterID)
		}
		if meta.BrokerID != ident.NoBroker && want.BrokerID != ident.NoBroker && meta.BrokerID != want.BrokerID {
			return nil, nil, sayf("Invalid node.id in: %s. Expected %d, but read %d", path, want.BrokerID, meta.BrokerID)
		}
	}
	return empty, formatted, nil
}

// kind is what Kafka calls the directory: the first one is where the keeper inside the broker is.
func (f *formatting) kind(dir string, dirs []string) string {
	switch {
	case dir != dirs[0]:
		return "data directory"
	case f.voter:
		return "dynamic metadata voter directory"
	}
	return "metadata directory"
}
