package cli

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"barnabas/internal/cli/jopt"
)

type consumerPerfOptions struct {
	p                                                     *jopt.Parser
	bootstrap, topic, include, group, date                *jopt.Text
	config, property, timeout                             *jopt.Text
	fetchSize, socketBuffer                               *jopt.Int
	records, reporting                                    *jopt.Long
	fromLatest, printMetrics, detailedStats, hideHeadings *jopt.Flag
}

func newConsumerPerfOptions() *consumerPerfOptions {
	p := jopt.New("This tool measures what a consumer achieves.")
	o := &consumerPerfOptions{p: p}
	o.bootstrap = p.Text("bootstrap-server", "server to connect to", "REQUIRED: The brokers to connect to.").Or("broker-list")
	o.topic = p.Text("topic", "topic", "The topic to consume from.")
	o.include = p.Text("include", "Java regex (String)", "A regular expression of the topics to consume from.")
	o.group = p.Text("group", "gid", "The group to be a member of.").Default(perfGroup())
	o.fetchSize = p.Int("fetch-size", "size", "How many bytes to fetch at most from one partition in one request.").Default(1 << 20)
	o.property = p.Text("command-property", "prop1=val1", "A client property, which goes before those of --command-config; may be repeated.")
	o.config = p.Text("command-config", "config file", "A client properties file.").Deprecates("consumer.config")
	o.fromLatest = p.Flag("from-latest", "Begin at the end of the log where the group has no offset, and not at its beginning.")
	o.socketBuffer = p.Int("socket-buffer-size", "size", "The size of the socket's receive buffer.").Default(2 << 20)
	o.printMetrics = p.Flag("print-metrics", "Print the client's metrics at the end.")
	o.detailedStats = p.Flag("show-detailed-stats", "Show a line every reporting interval, and no summary.")
	o.timeout = p.OptionalText("timeout", "milliseconds", "How long to wait for the next record before giving up.").Default("10000")
	o.records = p.Long("num-records", "count", "REQUIRED: How many records to consume.").Deprecates("messages")
	o.reporting = p.Long("reporting-interval", "interval_ms", "How often to report, in milliseconds.").Default(5000)
	o.date = p.Text("date-format", "date format", "The format of times, as java.text.SimpleDateFormat has it.").Default("yyyy-MM-dd HH:mm:ss:SSS")
	o.hideHeadings = p.Flag("hide-header", "Leave out the header.")
	// Old options that have no meaning for today's consumer.
	_ = p.Int("threads", "count", "DEPRECATED and ignored: there is one.")
	_ = p.Int("num-fetch-threads", "count", "DEPRECATED and ignored: there is one for each broker.")
	return o
}

func (o *consumerPerfOptions) check() error {
	if err := o.p.Required(o.records); err != nil {
		return err
	}
	err := jopt.Check(o.bootstrap, o.topic, o.include, o.group, o.fetchSize, o.config, o.socketBuffer, o.records, o.reporting, o.date)
	if err != nil {
		return o.p.Usagef("%v", err)
	}
	if err := o.p.Required(o.bootstrap); err != nil {
		return err
	}
	if err := o.p.ExactlyOne("Exactly one of the following arguments is required: [topic], [include]", o.topic, o.include); err != nil {
		return err
	}
	if o.reporting.Must() <= 0 {
		return sayf("Reporting interval must be greater than 0.")
	}
	return nil
}

// run turns the options into a run.
func (o *consumerPerfOptions) run(env *Env) (*consumerPerf, error) {
	r := &consumerPerf{
		env: env, topic: o.topic.Must(), include: o.include.Must(), records: o.records.Must(),
		interval: time.Duration(o.reporting.Must()) * time.Millisecond,
		detailed: o.detailedStats.Set(), hideHeader: o.hideHeadings.Set(), metrics: o.printMetrics.Set(),
	}
	var err error
	if r.dates, err = parseDateFormat(o.date.Must()); err != nil {
		return nil, err
	}
	if _, err := regexp.Compile(r.include); err != nil {
		return nil, fmt.Errorf("--include: %w", err)
	}
	idle, err := strconv.ParseInt(o.timeout.Must(), 10, 64)
	if err != nil {
		return nil, o.p.Usagef("Cannot parse argument '%s' of option timeout", o.timeout.Must())
	}
	r.idle = time.Duration(idle) * time.Millisecond
	return r, nil
}

func (o *consumerPerfOptions) target() target {
	to := target{
		bootstrap: o.bootstrap.Must(), config: o.config.Must(),
		overrides: properties{}.add(o.property.Values()), defaults: memberDefaults(),
	}
	reset := "earliest"
	if o.fromLatest.Set() {
		reset = "latest"
	}
	for name, value := range map[string]string{
		"group.id": o.group.Must(), "receive.buffer.bytes": fmt.Sprint(o.socketBuffer.Must()),
		"max.partition.fetch.bytes": fmt.Sprint(o.fetchSize.Must()), "auto.offset.reset": reset, "check.crcs": "false",
	} {
		to.overrides[name] = value
	}
	to.defaults["client.id"] = "perf-consumer-client"
	return to
}

// runConsumerPerf is kafka-consumer-perf-test.
func runConsumerPerf(ctx context.Context, env *Env, args []string) error {
	o := newConsumerPerfOptions()
	if err := env.parse(o.p, args, o.p.Intro); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	r, err := o.run(env)
	if err != nil {
		return err
	}
	return r.run(ctx, o.target())
}
