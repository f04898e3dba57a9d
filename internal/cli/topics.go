package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"barnabas/internal/cli/jopt"
)

// topicsOptions are the options of kafka-topics.
type topicsOptions struct {
	p *jopt.Parser

	bootstrap, zookeeper, commandConfig            *jopt.Text
	list, create, delete, alter, describe          *jopt.Flag
	topic, topicID, config, deleteConfig           *jopt.Text
	partitions, replication, partitionLimit        *jopt.Int
	assignment                                     *jopt.Text
	underReplicated, unavailable, underMin, atMin  *jopt.Flag
	overrides, ifExists, ifNotExists, skipInternal *jopt.Flag
	force                                          *jopt.Flag
}

func newTopicsOptions() *topicsOptions {
	p := jopt.New("This tool creates, lists, describes, changes and deletes topics.")
	o := &topicsOptions{p: p}
	o.bootstrap = p.Text("bootstrap-server", "host:port,…", "REQUIRED, unless --zookeeper is given: "+
		"the brokers to connect to.")
	o.zookeeper = p.Text("zookeeper", "host:port,…", "The keepers to learn the brokers from.")
	o.commandConfig = p.Text("command-config", "file", "Client properties, for example for security.")
	o.list = p.Flag("list", "List all topics.")
	o.create = p.Flag("create", "Create a topic.")
	o.delete = p.Flag("delete", "Delete topics.")
	o.alter = p.Flag("alter", "Raise the number of partitions. (kafka-configs changes the "+
		"configuration.)")
	o.describe = p.Flag("describe", "Show the details of topics.")
	o.topic = p.Text("topic", "topic", "The topic; except with --create also a regular expression, "+
		"or several with commas.")
	o.topicID = p.Text("topic-id", "id", "The id of the topic to describe.")
	o.config = p.Text("config", "name=value", "With --create: a topic setting; may be repeated.")
	o.deleteConfig = p.Text("delete-config", "name", "No longer supported: kafka-configs removes "+
		"topic settings.")
	o.partitions = p.Int("partitions", "# of partitions", "The number of partitions to create, or "+
		"to have after --alter. With keys, a higher number sends a key elsewhere than before.")
	o.replication = p.Int("replication-factor", "replication factor", "The number of replicas of "+
		"each partition.")
	o.assignment = p.Text("replica-assignment", "1:2,2:3,…", "The brokers of each partition's "+
		"replicas: colons within a partition, commas between partitions.")
	o.underReplicated = p.Flag("under-replicated-partitions", "With --describe: only partitions "+
		"with a replica that is not in sync.")
	o.unavailable = p.Flag("unavailable-partitions", "With --describe: only partitions without a "+
		"live leader.")
	o.underMin = p.Flag("under-min-isr-partitions", "With --describe: only partitions with fewer "+
		"in-sync replicas than min.insync.replicas.")
	o.atMin = p.Flag("at-min-isr-partitions", "With --describe: only partitions with exactly "+
		"min.insync.replicas in-sync replicas.")
	o.overrides = p.Flag("topics-with-overrides", "With --describe: only topics with settings of "+
		"their own.")
	o.ifExists = p.Flag("if-exists", "With --alter, --delete, --describe: do nothing when there is "+
		"no such topic.")
	o.ifNotExists = p.Flag("if-not-exists", "With --create: a topic that exists already is no error.")
	o.skipInternal = p.Flag("exclude-internal", "With --list, --describe: leave out internal topics.")
	o.partitionLimit = p.Int("partition-size-limit-per-response", "partitions",
		"How many partitions to ask for at once when describing.")
	o.partitionLimit.Default(2000)
	o.force = p.Flag("force", "For old scripts: nothing here asks back.")
	return o
}

func (o *topicsOptions) check(env *Env) error {
	p := o.p
	err := p.ExactlyOne("Command must include exactly one action: --list, --describe, --create, "+
		"--alter or --delete",
		o.create, o.list, o.alter, o.describe, o.delete)
	if err != nil {
		return err
	}
	if o.deleteConfig.Set() {
		env.warnf("delete-config option is no longer supported and deprecated since version 4.0. The " +
			"config will be fully removed in future releases.\n")
	}
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		return errNoBootstrap
	}
	if o.bootstrap.Set() && o.zookeeper.Set() {
		return p.Usagef("Only one of --bootstrap-server or --zookeeper must be specified")
	}
	if o.describe.Set() && o.ifExists.Set() && !o.topic.Set() && !o.topicID.Set() {
		return p.Usagef("--topic or --topic-id is required to describe a topic")
	}
	if !o.list.Set() && !o.describe.Set() {
		if err := p.Required(o.topic); err != nil {
			return err
		}
	}
	if o.alter.Set() {
		if o.config.Set() {
			return p.Usagef("Option combination \"[[bootstrap-server], [config]]\" can't be used with option " +
				"\"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)")
		}
		if err := p.Required(o.partitions); err != nil {
			return err
		}
	}
	return o.checkCombinations()
}

func (o *topicsOptions) checkCombinations() error {
	actions := []jopt.Option{o.alter, o.create, o.describe, o.list, o.delete}
	except := func(allowed ...jopt.Option) []jopt.Option {
		var rest []jopt.Option
		for _, action := range actions {
			keep := true
			for _, a := range allowed {
				keep = keep && a != action
			}
			if keep {
				rest = append(rest, action)
			}
		}
		return rest
	}
	reports := []jopt.Option{o.underReplicated, o.underMin, o.atMin, o.unavailable}
	errs := []error{
		o.p.Exclusive(o.config, except(o.alter, o.create)...),
		o.p.Exclusive(o.partitions, except(o.alter, o.create)...),
		o.p.Exclusive(o.replication, except(o.create)...),
		o.p.Exclusive(o.assignment, except(o.alter, o.create)...),
	}
	if o.create.Set() {
		errs = append(errs, o.p.Exclusive(o.assignment, o.partitions, o.replication))
	}
	for _, report := range reports {
		errs = append(errs, o.p.Exclusive(report, append(except(o.describe), o.overrides)...))
	}
	errs = append(errs,
		o.p.Exclusive(o.overrides, append(except(o.describe), reports...)...),
		o.p.Exclusive(o.ifExists, except(o.alter, o.delete, o.describe)...),
		o.p.Exclusive(o.ifNotExists, except(o.create)...),
		o.p.Exclusive(o.skipInternal, except(o.list, o.describe)...),
	)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// runTopics is kafka-topics.
func runTopics(ctx context.Context, env *Env, args []string) error {
	o := newTopicsOptions()
	err := env.parse(o.p, args, "Create, delete, describe, or change a topic.")
	if err != nil {
		return err
	}
	if err := o.check(env); err != nil {
		if errors.Is(err, errNoBootstrap) {
			env.warnf("%v\n", err)
			return exitFailure
		}
		return err
	}
	if err := o.perform(ctx, env); err != nil {
		env.printf("Error while executing topic command : %s\n", errorText(err))
		env.warnf("ERROR %s: %s (org.apache.kafka.tools.TopicCommand)\n", javaClass(err), errorText(err))
		return exitFailure
	}
	return nil
}

func (o *topicsOptions) perform(ctx context.Context, env *Env) error {
	err := jopt.Check(o.bootstrap, o.zookeeper, o.commandConfig, o.topic, o.topicID,
		o.partitions, o.replication, o.assignment, o.partitionLimit)
	if err != nil {
		return err
	}
	connect := connectOptions{o.p, o.bootstrap, o.zookeeper, o.commandConfig}
	return connect.run(ctx, env, func(ctx context.Context, c *client) error { return o.act(ctx, env, c) })
}

func (o *topicsOptions) act(ctx context.Context, env *Env, c *client) error {
	switch {
	case o.create.Set():
		return o.runCreate(ctx, env, c)
	case o.alter.Set():
		return o.runAlter(ctx, c)
	case o.list.Set():
		names, err := c.topicNames(ctx, o.topic.Must(), o.skipInternal.Set())
		if err == nil {
			env.printf("%s\n", strings.Join(names, "\n"))
		}
		return err
	case o.describe.Set():
		return o.runDescribe(ctx, env, c)
	}
	return o.runDelete(ctx, c)
}

func (o *topicsOptions) runCreate(ctx context.Context, env *Env, c *client) error {
	topic := newTopic{name: o.topic.Must(), partitions: -1, replication: -1, configs: map[string]string{}}
	for _, word := range o.config.Values() {
		key, value, ok := strings.Cut(word, "=")
		if !ok || value == "" {
			return sayf("requirement failed: Invalid topic config: all configs to be added must be in the " +
				"format \"key=val\".")
		}
		topic.configs[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	var err error
	if topic.assignment, err = parseAssignment(o.assignment.Must()); err != nil {
		return err
	}
	if strings.ContainsAny(topic.name, "._") {
		env.printf("WARNING: Due to limitations in metric names, topics with a period ('.') or " +
			"underscore ('_') " +
			"could collide. To avoid issues it is best to use either, but not both.\n")
	}
	if o.replication.Set() {
		n := o.replication.Must()
		if n < 1 || n > 32767 {
			return sayf("The replication factor must be between 1 and 32767 inclusive")
		}
		topic.replication = int16(n)
	}
	if o.partitions.Set() {
		if topic.partitions = int32(o.partitions.Must()); topic.partitions < 1 {
			return sayf("The partitions must be greater than 0")
		}
	}
	created, err := c.createTopic(ctx, topic, o.ifNotExists.Set())
	if created {
		env.printf("Created topic %s.\n", topic.name)
	}
	return err
}

// existing returns the topics that --topic means, and an error when there has to be one.
func (o *topicsOptions) existing(ctx context.Context, c *client) ([]string, error) {
	names, err := c.topicNames(ctx, o.topic.Must(), o.skipInternal.Set())
	if err == nil && len(names) == 0 && o.topic.Must() != "" && !o.ifExists.Set() {
		err = sayf("Topic '%s' does not exist as expected", o.topic.Must())
	}
	return names, err
}

func (o *topicsOptions) runAlter(ctx context.Context, c *client) error {
	assignment, err := parseAssignment(o.assignment.Must())
	if err != nil {
		return err
	}
	names, err := o.existing(ctx, c)
	if err != nil || len(names) == 0 {
		return err
	}
	return c.addPartitions(ctx, names, int32(o.partitions.Must()), assignment)
}

func (o *topicsOptions) runDelete(ctx context.Context, c *client) error {
	names, err := o.existing(ctx, c)
	if err != nil || len(names) == 0 {
		return err
	}
	return c.deleteTopics(ctx, names)
}

func (o *topicsOptions) runDescribe(ctx context.Context, env *Env, c *client) error {
	var topics []topicDescription
	id, err := parseTopicID(o.topicID.Must())
	if err != nil {
		return err
	}
	if !id.IsZero() {
		if o.topic.Set() && o.ifExists.Set() {
			env.printf("Only topic id will be used when both --topic and --topic-id are specified and " +
				"topicId is not Uuid.ZERO_UUID\n")
		}
		topics, err = c.describeTopicByID(ctx, id)
		if err == nil && len(topics) == 0 && !o.ifExists.Set() {
			err = fmt.Errorf("TopicId '%s' does not exist as expected", id)
		}
	} else {
		var names []string
		if names, err = o.existing(ctx, c); err == nil && len(names) > 0 {
			topics, err = c.describeTopics(ctx, names, int32(o.partitionLimit.Must()))
		}
	}
	if err != nil || len(topics) == 0 {
		return err
	}
	configs, err := c.topicConfigs(ctx, topics)
	if err != nil {
		return err
	}
	live, err := c.liveBrokers(ctx)
	if err != nil {
		return err
	}
	moves, err := c.reassignments(ctx, topics)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		o.print(env, topic, configs[topic.Name], moves, live)
	}
	return nil
}
