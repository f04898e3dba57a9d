package cli

import (
	"time"

	"github.com/spf13/cobra"
)

// perfCommand is `barnabas perf`: what kafka-producer-perf-test, kafka-consumer-perf-test and
// kafka-e2e-latency measure.
func perfCommand(m *modern) *cobra.Command {
	cmd := &cobra.Command{Use: "perf", Short: "Measure what producers and consumers achieve"}
	cmd.AddCommand(perfProduceCommand(m), perfConsumeCommand(m), perfLatencyCommand(m))
	return cmd
}

// target is the cluster of the global flags, with client properties.
func (m *modern) target(words []string, defaults properties) target {
	return target{
		bootstrap: m.bootstrap, zookeeper: m.zookeeper, config: m.commandConfig,
		overrides: properties{}.add(words), defaults: defaults,
	}
}

func perfProduceCommand(m *modern) *cobra.Command {
	r := &producerPerf{env: m.env}
	var props []string
	cmd := &cobra.Command{
		Use: "produce TOPIC", Short: "Write records as fast as it goes", Args: cobra.ExactArgs(1),
		ValidArgsFunction: m.completeTopics,
		Example:           "  barnabas perf produce load -n 1000000 --size 100 --property compression.type=lz4",
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.records <= 0 || r.size <= 0 || r.warmup < 0 || r.warmup >= r.records || r.interval <= 0 {
				return usagef("want more than 0 records, of more than 0 bytes, more than the warm-up, and an interval")
			}
			r.topic = args[0]
			to, err := perfTarget(props, m.commandConfig, m.bootstrap)
			if err != nil {
				return err
			}
			to.zookeeper = m.zookeeper
			return r.run(cmd.Context(), to)
		},
	}
	flags := cmd.Flags()
	flags.Int64VarP(&r.records, "count", "n", 1_000_000, "how many records")
	flags.IntVar(&r.size, "size", 100, "the size of a record's value in bytes")
	flags.Float64Var(&r.perSecond, "rate", -1, "about how many records a second at most; -1 is no limit")
	flags.Int64Var(&r.warmup, "warmup", 0, "how many of the records are a warm-up")
	flags.DurationVar(&r.interval, "interval", 5*time.Second, "how often to report")
	flags.BoolVar(&r.metrics, "metrics", false, "print the client's metrics at the end")
	flags.StringArrayVar(&props, "property", nil, "a client property, key=value")
	return cmd
}

func perfConsumeCommand(m *modern) *cobra.Command {
	r := &consumerPerf{env: m.env}
	var props []string
	var group string
	cmd := &cobra.Command{
		Use: "consume TOPIC", Short: "Read records as fast as it goes", Args: cobra.ExactArgs(1),
		ValidArgsFunction: m.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.records <= 0 || r.interval <= 0 {
				return usagef("want more than 0 records, and an interval")
			}
			r.topic = args[0]
			if group == "" {
				group = perfGroup()
			}
			var err error
			if r.dates, err = parseDateFormat("yyyy-MM-dd HH:mm:ss:SSS"); err != nil {
				return err
			}
			to := m.target(props, memberDefaults())
			to.overrides["group.id"], to.overrides["check.crcs"] = group, "false"
			to.defaults["client.id"] = "perf-consumer-client"
			return r.run(cmd.Context(), to)
		},
	}
	flags := cmd.Flags()
	flags.Int64VarP(&r.records, "count", "n", 1_000_000, "how many records")
	flags.DurationVar(&r.idle, "idle", 10*time.Second, "stop when no record came for so long")
	flags.DurationVar(&r.interval, "interval", 5*time.Second, "with --detailed: how often to report")
	flags.BoolVar(&r.detailed, "detailed", false, "report at intervals, without a summary")
	flags.BoolVar(&r.hideHeader, "no-header", false, "leave out the header")
	flags.BoolVar(&r.metrics, "metrics", false, "print the client's metrics at the end")
	flags.StringVarP(&group, "group", "g", "", "the group to be a member of (default: one of its own)")
	flags.StringArrayVar(&props, "property", nil, "a client property, key=value")
	return cmd
}

func perfLatencyCommand(m *modern) *cobra.Command {
	r := &latencyRun{env: m.env}
	cmd := &cobra.Command{
		Use: "latency TOPIC", Short: "Measure how long a record takes from producer to consumer", Args: cobra.ExactArgs(1),
		ValidArgsFunction: m.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.records <= 0 || r.size < 0 || r.acks != "1" && r.acks != "all" {
				return usagef("want more than 0 records, and --acks 1 or all")
			}
			r.topic = args[0]
			return r.run(cmd.Context(), m.target(nil, nil))
		},
	}
	flags := cmd.Flags()
	flags.IntVarP(&r.records, "count", "n", 10_000, "how many records")
	flags.IntVar(&r.size, "size", 100, "the size of a record's value in bytes")
	flags.StringVar(&r.acks, "acks", "all", "acknowledgements to wait for: all or 1")
	return cmd
}
