package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"barnabas/internal/cli/argp"
	"barnabas/internal/ident"
)

type producerPerfOptions struct {
	p                                                       *argp.Parser
	bootstrap, topic, payloadFile, payloadDelimiter         *argp.Option
	producerProps, commandProps, producerConfig, config     *argp.Option
	records, warmup, recordSize, transactionMs, reportingMs *argp.Option
	throughput, monotonic, metrics, transactionalID         *argp.Option
}

func newProducerPerfOptions() *producerPerfOptions {
	p := argp.New("kafka-producer-perf-test", "This tool measures what a producer achieves. A transactional id or "+
		"a transaction duration makes it write in transactions.")
	o := &producerPerfOptions{p: p}
	o.bootstrap = p.Text("--bootstrap-server", "BOOTSTRAP-SERVER", "The brokers to connect to. This goes before bootstrap.servers in --command-property or --command-config.")
	o.topic = p.Text("--topic", "TOPIC", "The topic to write to.").Required()
	o.records = p.Long("--num-records", "NUM-RECORDS", "How many records to write.").Required()
	o.payloadDelimiter = p.Text("--payload-delimiter", "PAYLOAD-DELIMITER", "What lies between the payloads in --payload-file.").Default(`\n`)
	o.throughput = p.Double("--throughput", "THROUGHPUT", "About how many records to write a second at most; -1 is no limit.").Required()
	o.producerProps = p.Text("--producer-props", "PROP-NAME=PROP-VALUE", "(DEPRECATED) What --command-property is.").Many()
	o.commandProps = p.Text("--command-property", "PROP-NAME=PROP-VALUE", "Client properties, which go before those of --command-config: --command-property linger.ms=10 batch.size=32768").Many()
	o.producerConfig = p.Text("--producer.config", "CONFIG-FILE", "(DEPRECATED) What --command-config is.")
	o.config = p.Text("--command-config", "CONFIG-FILE", "A client properties file.")
	o.metrics = p.Flag("--print-metrics", "Print the client's metrics at the end.")
	o.transactionalID = p.Text("--transactional-id", "TRANSACTIONAL-ID", "The transactional id, which goes before the property. With --transaction-duration-ms alone it is performance-producer- and a random uuid.")
	o.transactionMs = p.Long("--transaction-duration-ms", "TRANSACTION-DURATION", "After how many milliseconds a transaction is committed: 3000 where only the transactional id is given.")
	o.warmup = p.Long("--warmup-records", "WARMUP-RECORDS", "How many of the records are a warm-up: the rest is summed up in a line of its own.").Default("0")
	o.reportingMs = p.Long("--reporting-interval", "INTERVAL-MS", "How often to print how it goes.").Default("5000")
	o.recordSize = p.Int("--record-size", "RECORD-SIZE", "The size of a record's value in bytes. One of this, --payload-file and --payload-monotonic is needed.")
	o.payloadFile = p.Text("--payload-file", "PAYLOAD-FILE", "A text file with payloads, of which each record gets a random one.")
	o.monotonic = p.Flag("--payload-monotonic", "The payload is the record's number.")
	p.Exclusive(true, o.recordSize, o.payloadFile, o.monotonic)
	return o
}

// check finds what the declarations of the options can't say.
func (o *producerPerfOptions) check() error {
	for _, c := range []struct {
		wrong   bool
		message string
	}{
		{o.records.Number() <= 0, "--num-records should be greater than zero."},
		{o.warmup.Number() >= o.records.Number(), "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records."},
		{o.recordSize.Set() && o.recordSize.Number() <= 0, "--record-size should be greater than zero."},
		{!o.bootstrap.Set() && !o.commandProps.Set() && !o.producerProps.Set() && !o.producerConfig.Set() && !o.config.Set(),
			"At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified."},
		{o.commandProps.Set() && o.producerProps.Set(), "--command-property and --producer-props cannot be specified together."},
		{o.config.Set() && o.producerConfig.Set(), "--command-config and --producer.config cannot be specified together."},
		{o.transactionMs.Set() && o.transactionMs.Number() <= 0, "--transaction-duration-ms should be greater than zero."},
		{o.reportingMs.Number() <= 0, "--reporting-interval should be greater than zero."},
	} {
		if c.wrong {
			return o.p.Usagef("%s", c.message)
		}
	}
	return nil
}

// run turns the options into a run and its target.
func (o *producerPerfOptions) run(env *Env) (*producerPerf, target, error) {
	if o.producerProps.Set() {
		env.printf("Option --producer-props has been deprecated and will be removed in a future version. Use --command-property instead.\n")
	}
	if o.producerConfig.Set() {
		env.printf("Option --producer.config has been deprecated and will be removed in a future version. Use --command-config instead.\n")
	}
	to, err := perfTarget(append(o.producerProps.Values(), o.commandProps.Values()...),
		o.config.Value()+o.producerConfig.Value(), o.bootstrap.Value())
	if err != nil {
		return nil, to, err
	}
	r := &producerPerf{
		env: env, topic: o.topic.Value(), records: o.records.Number(), warmup: o.warmup.Number(),
		perSecond: o.throughput.Float(), interval: time.Duration(o.reportingMs.Number()) * time.Millisecond,
		metrics: o.metrics.Set(),
	}
	switch {
	case o.payloadFile.Set():
		r.payloads, err = readPayloads(env, o.payloadFile.Value(), o.payloadDelimiter.Value())
	case o.recordSize.Set():
		r.size = int(o.recordSize.Number())
	default:
		r.numbers = true
	}
	if err != nil {
		return nil, to, err
	}
	id := o.transactionalID.Value()
	if id == "" {
		loaded, err := to.properties()
		if err != nil {
			return nil, to, err
		}
		id = loaded["transactional.id"]
	}
	if id == "" && o.transactionMs.Set() {
		id = "performance-producer-" + ident.NewTopicID().String()
	}
	if id != "" {
		to.overrides["transactional.id"] = id
		r.transaction = 3 * time.Second
		if o.transactionMs.Set() {
			r.transaction = time.Duration(o.transactionMs.Number()) * time.Millisecond
		}
	}
	return r, to, nil
}

// perfTarget reads the words of --command-property, which have to be key=value.
func perfTarget(words []string, config, bootstrap string) (target, error) {
	to := target{bootstrap: bootstrap, config: config, overrides: properties{}, defaults: properties{
		"client.id": "perf-producer-client", "acks": "all", "linger.ms": "5", "buffer.memory": "33554432",
		"max.block.ms": "60000", "compression.type": "none", "delivery.timeout.ms": "120000",
	}}
	for _, word := range words {
		if pieces := strings.Split(word, "="); len(pieces) != 2 {
			return to, sayf("Invalid property: %s", word)
		}
	}
	to.overrides.add(words)
	return to, nil
}

// readPayloads splits a file at the delimiter; \n stands for a new line.
func readPayloads(env *Env, path, delimiter string) ([][]byte, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	env.printf("Reading payloads from: %s\n", absolute)
	data, err := os.ReadFile(path)
	if err != nil || len(data) == 0 {
		return nil, sayf("%s: File does not exist or empty file provided.", path)
	}
	if delimiter == `\n` {
		delimiter = "\n"
	}
	payloads := bytes.Split(data, []byte(delimiter))
	for len(payloads) > 0 && len(payloads[len(payloads)-1]) == 0 { // as Java's split leaves them out
		payloads = payloads[:len(payloads)-1]
	}
	env.printf("Number of records read: %d\n", len(payloads))
	if len(payloads) == 0 {
		return nil, fmt.Errorf("%s holds nothing but delimiters", path)
	}
	return payloads, nil
}
