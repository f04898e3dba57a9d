package cli

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/cli/jopt"
)

type consumerOptions struct {
	p *jopt.Parser

	topic, include, bootstrap, zookeeper              *jopt.Text
	offset, group, isolation                          *jopt.Text
	formatter, formatterProperty, formatterConfig     *jopt.Text
	keyDeserializer, valueDeserializer                *jopt.Text
	property, config                                  *jopt.Text
	partition, maxMessages                            *jopt.Int
	timeout                                           *jopt.Long
	fromBeginning, skipErrors, systestEvents, ignored *jopt.Flag
}

func newConsumerOptions() *consumerOptions {
	p := jopt.New("This tool reads records and writes them to standard output.")
	o := &consumerOptions{p: p}
	o.topic = p.Text("topic", "topic", "The topic to read.")
	o.include = p.Text("include", "regex", "A regular expression of the topics to read.").Deprecates("whitelist")
	o.bootstrap = p.Text("bootstrap-server", "host:port,…", "REQUIRED, unless --zookeeper is given: "+
		"the brokers to connect to.")
	o.zookeeper = p.Text("zookeeper", "host:port,…", "The keepers to learn the brokers from.")
	o.partition = p.Int("partition", "partition", "The one partition to read, from its end unless "+
		"--offset says otherwise.")
	o.offset = p.Text("offset", "offset", "With --partition: the offset to begin at, earliest or "+
		"latest.").Default("latest")
	o.group = p.Text("group", "group id", "The consumer group to join; its offsets are committed.")
	o.fromBeginning = p.Flag("from-beginning", "Begin at the earliest record where the group has no "+
		"offset yet.")
	o.maxMessages = p.Int("max-messages", "number", "Stop after so many records.")
	o.timeout = p.Long("timeout-ms", "ms", "Stop when no record came for so long.")
	o.isolation = p.Text("isolation-level", "level",
		"read_committed or read_uncommitted.").Default("read_uncommitted")
	o.formatter = p.Text("formatter", "class", "How records are shown; "+strings.Join(formatterNames(),
		", ")+".").Default(defaultFormatter)
	o.formatterProperty = p.Text("formatter-property", "key=value", "A setting of the formatter; "+
		"may be repeated:\n"+
		"print.timestamp, print.key, print.offset, print.epoch, print.partition, print.headers, "+
		"print.value (true or false),\n"+
		"key.separator, line.separator, headers.separator, null.literal,\n"+
		"key.deserializer, value.deserializer, headers.deserializer.").Deprecates("property")
	o.formatterConfig = p.Text("formatter-config", "file", "A properties file with settings of the "+
		"formatter.")
	o.keyDeserializer = p.Text("key-deserializer", "class", "The deserializer of keys.")
	o.valueDeserializer = p.Text("value-deserializer", "class", "The deserializer of values.")
	o.property = p.Text("command-property", "key=value",
		"A client property; may be repeated.").Deprecates("consumer-property")
	o.config = p.Text("command-config", "file",
		"A client properties file.").Deprecates("consumer.config")
	o.skipErrors = p.Flag("skip-message-on-error", "Go on after a record that can't be shown.")
	o.systestEvents = p.Flag("enable-systest-events", "Say shutdown_complete at the end.")
	o.ignored = p.Flag("new-consumer", "For old scripts: there is only this consumer.")
	return o
}

func (o *consumerOptions) check() error {
	p := o.p
	if jopt.Count(o.topic, o.include) != 1 {
		return p.Usagef("Exactly one of the following arguments is required: [topic], [include]")
	}
	if o.partition.Set() {
		if !o.topic.Set() {
			return p.Usagef("The topic is required when partition is specified.")
		}
		if o.fromBeginning.Set() && o.offset.Set() {
			return p.Usagef("Options from-beginning and offset cannot be specified together.")
		}
	} else if o.offset.Set() {
		return p.Usagef("The partition is required when offset is specified.")
	}
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		return p.Required(o.bootstrap)
	}
	err := jopt.Check(o.topic, o.include, o.bootstrap, o.zookeeper, o.offset, o.group, o.isolation,
		o.formatter, o.formatterConfig, o.keyDeserializer, o.valueDeserializer, o.config,
		o.partition, o.maxMessages, o.timeout)
	if err != nil {
		return p.Usagef("%v", err)
	}
	return nil
}

// groupID finds the one group that options and properties name; "" is none.
func (o *consumerOptions) groupID(file properties) (string, error) {
	var ids []string
	add := func(id string, set bool) {
		if set && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	add(o.group.Must(), o.group.Set())
	fromFile, set := file["group.id"]
	add(fromFile, set)
	fromWords, set := properties{}.add(o.property.Values())["group.id"]
	add(fromWords, set)
	switch {
	case len(ids) > 1:
		return "", o.p.Usagef("The group ids provided in different places (directly using '--group', "+
			"via '--command-property', or via '--command-config') do not match. Detected group ids: '%s'",
			strings.Join(ids, "', '"))
	case len(ids) == 1 && o.partition.Set():
		return "", o.p.Usagef("Options group and partition cannot be specified together.")
	case len(ids) == 1:
		return ids[0], nil
	}
	return "", nil
}

// properties are the client properties for the run, complete but for defaults of the client.
func (o *consumerOptions) properties() (properties, error) {
	props, err := target{config: o.config.Must()}.properties()
	if err != nil {
		return nil, err
	}
	group, err := o.groupID(props)
	if err != nil {
		return nil, err
	}
	props.add(o.property.Values())
	reset, set := props["auto.offset.reset"]
	switch {
	case set && o.fromBeginning.Set() && reset != "earliest":
		return nil, sayf("Can't simultaneously specify --from-beginning and "+
			"'auto.offset.reset=%s', please remove one option", reset)
	case !set && o.fromBeginning.Set():
		props["auto.offset.reset"] = "earliest"
	case !set:
		props["auto.offset.reset"] = "latest"
	}
	if props["client.id"] == "" {
		props["client.id"] = "console-consumer"
	}
	if _, set := props["isolation.level"]; o.isolation.Set() || !set {
		props["isolation.level"] = o.isolation.Must()
	}
	if group == "" {
		// Nobody will come back to a group of a name made up here: its offsets are not committed.
		group = "console-consumer-" + strconv.Itoa(rand.IntN(100_000))
		if _, set := props["enable.auto.commit"]; !set {
			props["enable.auto.commit"] = "false"
		}
	}
	props["group.id"] = group
	if o.partition.Set() {
		delete(props, "group.id")
	}
	return props, nil
}

func (o *consumerOptions) formatterProperties() (properties, error) {
	props, err := target{config: o.formatterConfig.Must()}.properties()
	if err != nil {
		return nil, err
	}
	if class := o.keyDeserializer.Must(); class != "" {
		props["key.deserializer"] = class
	}
	if class := o.valueDeserializer.Must(); class != "" {
		props["value.deserializer"] = class
	}
	return props.add(o.formatterProperty.Values()), nil
}

// startOffset is where a partition named by --partition is begun.
func (o *consumerOptions) startOffset() (kgo.Offset, error) {
	if !o.offset.Set() && o.fromBeginning.Set() {
		return kgo.NewOffset().AtStart(), nil
	}
	text := o.offset.Must()
	switch strings.ToLower(text) {
	case "earliest":
		return kgo.NewOffset().AtStart(), nil
	case "latest":
		return kgo.NewOffset().AtEnd(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return kgo.Offset{}, o.p.Usagef("The provided offset value '%s' is incorrect. "+
			"Valid values are 'earliest', 'latest', or a non-negative long.", text)
	}
	return kgo.NewOffset().At(n), nil
}

// runConsoleConsumer is kafka-console-consumer.
func runConsoleConsumer(ctx context.Context, env *Env, args []string) error {
	o := newConsumerOptions()
	if err := env.parse(o.p, args, o.p.Intro); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	formatterProps, err := o.formatterProperties()
	if err != nil {
		return err
	}
	c := consuming{
		env: env, topic: o.topic.Must(), include: o.include.Must(), max: -1, skipErrors: o.skipErrors.Set(),
	}
	if c.formatter, err = newFormatter(env, o.formatter.Must(), formatterProps); err != nil {
		return o.p.Usagef("%v", err)
	}
	if o.maxMessages.Set() {
		c.max = o.maxMessages.Must()
	}
	if o.timeout.Set() && o.timeout.Must() >= 0 {
		c.idle, c.bounded = time.Duration(o.timeout.Must())*time.Millisecond, true
	}
	if o.partition.Set() {
		at, err := o.startOffset()
		if err != nil {
			return err
		}
		c.partition, c.start, c.assigned = int32(o.partition.Must()), at, true
	}
	props, err := o.properties()
	if err != nil {
		var usage *jopt.UsageError
		if errors.As(err, &usage) {
			return err
		}
		env.warnf("%v\n", err)
		return exitFailure
	}
	err = c.run(ctx, target{
		bootstrap: o.bootstrap.Must(), zookeeper: o.zookeeper.Must(), overrides: props, defaults: memberDefaults(),
	})
	if o.systestEvents.Set() {
		env.printf("shutdown_complete\n")
	}
	return err
}
