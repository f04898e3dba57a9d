package cli

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"barnabas/internal/cli/jopt"
)

// runGetOffsets is kafka-get-offsets: topic:partition:offset, a line each.
func runGetOffsets(ctx context.Context, env *Env, args []string) error {
	p := jopt.New("This tool shows the offsets of partitions.")
	connect := newConnectOptions(p)
	connect.bootstrap.Or("broker-list")
	selection := offsetSelection{
		partitionPatterns: p.Text("topic-partitions", "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
			"Which partitions of which topics: a regular expression and a number or a range without its "+
				"upper end, with commas between."),
		topics: p.Text("topic", "topic", "The topics, as a regular expression; without it "+
			"all."),
		partitions: p.Text("partitions", "partition ids", "The partitions, with commas; without "+
			"it all."),
		skipInternal: p.Flag("exclude-internal-topics", "Leave out internal topics."),
	}
	at := p.Text("time", "timestamp", "What offset: latest (-1), earliest (-2), max-timestamp (-3), "+
		"earliest-local (-4), latest-tiered (-5), earliest-pending-upload (-6), or that of the first "+
		"record from a time in ms on.").Default("latest")
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := connect.required(); err != nil {
		return err
	}
	timestamp, err := parseOffsetSpec(at.Must())
	if err == nil {
		err = selection.parse()
	}
	if err == nil {
		err = connect.run(ctx, env, func(ctx context.Context, c *client) error {
			return printOffsets(ctx, env, c, &selection, timestamp)
		})
	}
	if err != nil {
		env.warnf("Error occurred: %s\n", errorText(err))
		return exitFailure
	}
	return nil
}

func printOffsets(ctx context.Context, env *Env, c *client, selection *offsetSelection, timestamp int64) error {
	names, err := selection.find(ctx, c)
	if err != nil {
		return err
	}
	found, err := c.listOffsets(ctx, names, timestamp)
	if err != nil {
		return err
	}
	// Kafka sorts by topic-partition as text, where partition 10 comes before 2.
	slices.SortFunc(names, func(a, b partitionName) int {
		return strings.Compare(fmt.Sprintf("%s-%d", a.topic, a.partition), fmt.Sprintf("%s-%d", b.topic,
			b.partition))
	})
	for _, name := range names {
		at := found[name]
		switch {
		case at.err != nil:
			env.warnf("Skip getting offsets for topic-partition %s-%d due to error: %s: %s\n",
				name.topic, name.partition, javaClass(at.err), errorText(at.err))
		case at.offset >= 0:
			env.printf("%s:%d:%d\n", name.topic, name.partition, at.offset)
		}
	}
	return nil
}

var offsetSpecs = map[string]int64{
	"latest": latestTimestamp, "earliest": earliestTimestamp, "max-timestamp": maxTimestamp,
	"earliest-local": earliestLocalTimestamp, "latest-tiered": latestTieredTimestamp,
	"earliest-pending-upload": earliestUploadedTimestamp,
}

func parseOffsetSpec(text string) (int64, error) {
	if timestamp, ok := offsetSpecs[text]; ok {
		return timestamp, nil
	}
	timestamp, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, sayf("Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or "+
			"max-timestamp / "+
			"-4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified "+
			"long format timestamp", text)
	}
	return timestamp, nil
}

// offsetSelection says which partitions are meant: by --topic and --partitions, or by rules.
type offsetSelection struct {
	partitionPatterns, topics, partitions *jopt.Text
	skipInternal                          *jopt.Flag
	rules                                 []partitionRule
}

// partitionRule lets through the partitions [from, to) of matching topics, or those of the set.
type partitionRule struct {
	topic    *regexp.Regexp
	from, to int64
	set      map[int32]bool
}

func (r partitionRule) allows(topic string, partition int32) bool {
	if !r.topic.MatchString(topic) {
		return false
	}
	if r.set != nil {
		return r.set[partition]
	}
	return int64(partition) >= r.from && int64(partition) < r.to
}

func (s *offsetSelection) parse() error {
	if s.partitionPatterns.Set() {
		if s.topics.Set() || s.partitions.Set() {
			return fmt.Errorf("--topic-partitions cannot be used with --topic or --partitions")
		}
		for _, spec := range strings.Split(s.partitionPatterns.Must(), ",") {
			rule, err := parsePartitionRule(spec)
			if err != nil {
				return err
			}
			s.rules = append(s.rules, rule)
		}
		return nil
	}
	topics := s.topics.Must()
	if topics == "" {
		topics = ".*"
	}
	pattern, err := includeList(topics)
	if err != nil {
		return err
	}
	rule := partitionRule{topic: pattern, to: math.MaxInt64}
	if list := s.partitions.Must(); list != "" {
		rule.set = map[int32]bool{}
		for _, text := range strings.Split(list, ",") {
			n, err := strconv.ParseInt(text, 10, 32)
			if err != nil {
				return fmt.Errorf("--partitions expects a comma separated list of numeric partition ids, but "+
					"received: %s", list)
			}
			rule.set[int32(n)] = true
		}
	}
	s.rules = []partitionRule{rule}
	return nil
}

var partitionRuleShape = regexp.MustCompile(`^([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?$`)

func parsePartitionRule(spec string) (partitionRule, error) {
	match := partitionRuleShape.FindStringSubmatch(spec)
	if match == nil {
		return partitionRule{}, sayf("Invalid rule specification: %s", spec)
	}
	if match[1] == "" {
		match[1] = ".*"
	}
	pattern, err := includeList(match[1])
	if err != nil {
		return partitionRule{}, err
	}
	rule := partitionRule{topic: pattern, to: math.MaxInt64}
	if match[2] != "" {
		rule.from, _ = strconv.ParseInt(match[2], 10, 64)
		rule.to = rule.from + 1
	}
	if match[3] != "" {
		rule.from, _ = strconv.ParseInt(match[3], 10, 64)
	}
	if match[4] != "" {
		rule.to, _ = strconv.ParseInt(match[4], 10, 64)
	}
	return rule, nil
}

func (s *offsetSelection) find(ctx context.Context, c *client) ([]partitionName, error) {
	topics, err := c.topicNames(ctx, "", s.skipInternal != nil && s.skipInternal.Set())
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, topic := range topics {
		if slices.ContainsFunc(s.rules, func(r partitionRule) bool { return r.topic.MatchString(topic) }) {
			wanted = append(wanted, topic)
		}
	}
	var names []partitionName
	if len(wanted) > 0 {
		described, err := c.describeByMetadata(ctx, wanted)
		if err != nil {
			return nil, err
		}
		for _, t := range described {
			for _, p := range t.Partitions {
				if slices.ContainsFunc(s.rules, func(r partitionRule) bool { return r.allows(t.Name, p.Partition) }) {
					names = append(names, partitionName{t.Name, p.Partition})
				}
			}
		}
	}
	if len(names) == 0 {
		return nil, sayf("Could not match any topic-partitions with the specified filters")
	}
	return names, nil
}

// offsetsCommand is `barnabas offsets [TOPIC[:PARTITIONS]...]`.
func offsetsCommand(m *modern) *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "offsets [TOPIC[:PARTITION]...]", Short: "Show the offsets of partitions", ValidArgsFunction: m.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			timestamp, err := parseOffsetSpec(at)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{".*"}
			}
			var selection offsetSelection
			for _, spec := range args {
				rule, err := parsePartitionRule(spec)
				if err != nil {
					return err
				}
				selection.rules = append(selection.rules, rule)
			}
			return m.withClient(cmd, func(ctx context.Context, c *client) error {
				return m.showOffsets(ctx, c, &selection, timestamp)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "latest", "latest, earliest, max-timestamp, or a time in ms")
	return cmd
}

func (m *modern) showOffsets(ctx context.Context, c *client, selection *offsetSelection, timestamp int64) error {
	names, err := selection.find(ctx, c)
	if err != nil {
		return err
	}
	found, err := c.listOffsets(ctx, names, timestamp)
	if err != nil {
		return err
	}
	type row struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Error     string `json:"error,omitempty"`
	}
	sortNames(names)
	rows := make([]row, len(names))
	for i, name := range names {
		rows[i] = row{Topic: name.topic, Partition: name.partition, Offset: found[name].offset}
		if err := found[name].err; err != nil {
			rows[i].Error = errorText(err)
		}
	}
	return m.show(rows, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "TOPIC\tPARTITION\tOFFSET\t")
		for _, r := range rows {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", r.Topic, r.Partition, r.Offset, r.Error)
		}
	})
}
