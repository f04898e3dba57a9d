package cli

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/cli/jopt"
)

const defaultLineReader = "org.apache.kafka.tools.LineMessageReader"

type producerOptions struct {
	p *jopt.Parser

	topic, bootstrap, zookeeper                                  *jopt.Text
	compression, acks, reader                                    *jopt.Text
	readerProperty, readerConfig, property, config               *jopt.Text
	sync                                                         *jopt.Flag
	batchSize, partitionMemory, retries, requestTimeout, sockets *jopt.Int
	backoff, linger, metadataExpiry, maxBlock, maxMemory         *jopt.Long
}

func newProducerOptions() *producerOptions {
	p := jopt.New("This tool reads lines from standard input and publishes each as a record.")
	o := &producerOptions{p: p}
	o.topic = p.Text("topic", "topic", "REQUIRED: The topic to publish to.")
	o.bootstrap = p.Text("bootstrap-server", "host:port,…", "REQUIRED, unless --zookeeper is given: "+
		"the brokers to connect to.").Or("broker-list")
	o.zookeeper = p.Text("zookeeper", "host:port,…", "The keepers to learn the brokers from.")
	o.compression = p.OptionalText("compression-codec", "codec", "none, gzip, snappy, lz4 or zstd; "+
		"without a value gzip.")
	o.acks = p.Text("request-required-acks", "acks", "The acknowledgements to wait for: all (or "+
		"-1), 1 or 0. (default: -1)")
	o.reader = p.Text("line-reader", "class",
		"The reader of the input; there is one.").Default(defaultLineReader)
	o.readerProperty = p.Text("reader-property", "key=value", "A setting of the reader; may be "+
		"repeated:\n"+
		"parse.key=false, key.separator=\\t, parse.headers=false, headers.delimiter=\\t, "+
		"headers.separator=, "+
		"headers.key.separator=: ignore.error=false, null.marker=\n"+
		"With parse.headers and parse.key a line is h1:v1,h2:v2\\tkey\\tvalue.").Deprecates("property")
	o.readerConfig = p.Text("reader-config", "file", "A properties file with settings of the reader.")
	o.property = p.Text("command-property", "key=value",
		"A client property; may be repeated.").Deprecates("producer-property")
	o.config = p.Text("command-config", "file",
		"A client properties file.").Deprecates("producer.config")
	o.sync = p.Flag("sync", "Send one record at a time and wait for each.")
	o.batchSize = p.Int("batch-size", "bytes", "The client property batch.size. (default: 16384)")
	o.partitionMemory = p.Int("max-partition-memory-bytes", "bytes", "An old name of --batch-size. "+
		"(default: 16384)")
	o.retries = p.Int("message-send-max-retries", "", "How often to send a record again before "+
		"giving up.")
	o.requestTimeout = p.Int("request-timeout-ms", "ms", "How long a broker may wait for "+
		"acknowledgements. (default: 1500)")
	o.sockets = p.Int("socket-buffer-size", "bytes", "The size of the socket's send buffer.")
	o.backoff = p.Long("retry-backoff-ms", "", "How long to wait before a retry. (default: 100)")
	o.linger = p.Long("timeout", "ms", "How long a record may wait for others to be sent with. "+
		"(default: 5)")
	o.metadataExpiry = p.Long("metadata-expiry-ms", "ms", "The greatest age of metadata. (default: "+
		"300000)")
	o.maxBlock = p.Long("max-block-ms", "ms",
		"How long to wait for the topic and for room to buffer.").Default(60_000)
	o.maxMemory = p.Long("max-memory-bytes", "bytes", "The room for records that wait to be sent. "+
		"(default: 33554432)")
	return o
}

func (o *producerOptions) check() error {
	if err := o.p.Required(o.topic); err != nil {
		return err
	}
	if !o.bootstrap.Set() && !o.zookeeper.Set() {
		return o.p.Required(o.bootstrap)
	}
	err := jopt.Check(o.topic, o.bootstrap, o.zookeeper, o.compression, o.acks, o.reader, o.config,
		o.readerConfig, o.batchSize, o.partitionMemory, o.retries, o.requestTimeout, o.sockets,
		o.backoff, o.linger, o.metadataExpiry, o.maxBlock, o.maxMemory)
	if err != nil {
		return o.p.Usagef("%v", err)
	}
	switch o.reader.Must() {
	case defaultLineReader, "kafka.tools.ConsoleProducer$LineMessageReader":
	default:
		return fmt.Errorf("--line-reader %s: Java classes can't be loaded here; the one reader is %s",
			o.reader.Must(), defaultLineReader)
	}
	return nil
}

// properties are the client properties that the options stand for. An option goes before a
// property, a property before a default.
func (o *producerOptions) properties() (overrides, defaults properties) {
	overrides = properties{}.add(o.property.Values())
	if o.compression.Set() {
		overrides["compression.type"] = o.compression.Must()
		if o.compression.Must() == "" {
			overrides["compression.type"] = "gzip"
		}
	}
	for key, option := range map[string]interface {
		Set() bool
		Must() int64
	}{
		"batch.size": o.batchSize, "retries": o.retries, "request.timeout.ms": o.requestTimeout,
		"send.buffer.bytes": o.sockets, "retry.backoff.ms": o.backoff, "linger.ms": o.linger,
		"metadata.max.age.ms": o.metadataExpiry, "buffer.memory": o.maxMemory, "max.block.ms": o.maxBlock,
	} {
		if option.Set() {
			overrides[key] = fmt.Sprint(option.Must())
		}
	}
	if o.partitionMemory.Set() {
		overrides["batch.size"] = fmt.Sprint(o.partitionMemory.Must())
	}
	if o.acks.Set() {
		overrides["acks"] = o.acks.Must()
	}
	return overrides, producerDefaults()
}

// producerDefaults differ from kafka-console-producer's in one: a record waits 5 ms for company
// and not 1,000, so that what is typed is there at once.
func producerDefaults() properties {
	return properties{
		"client.id": "console-producer", "compression.type": "none", "linger.ms": "5",
		"request.timeout.ms": "1500", "retry.backoff.ms": "100", "buffer.memory": "33554432",
		"max.block.ms": "60000", "delivery.timeout.ms": "120000", "acks": "all",
	}
}

// runConsoleProducer is kafka-console-producer.
func runConsoleProducer(ctx context.Context, env *Env, args []string) error {
	o := newProducerOptions()
	if err := env.parse(o.p, args, o.p.Intro); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	readerProps := properties{}
	if path := o.readerConfig.Must(); path != "" {
		var err error
		if readerProps, err = loadProperties(path); err != nil {
			return err
		}
	}
	readerProps.add(o.readerProperty.Values())
	overrides, defaults := o.properties()
	p := producing{env: env, topic: o.topic.Must(), sync: o.sync.Set()}
	to := target{
		bootstrap: o.bootstrap.Must(), zookeeper: o.zookeeper.Must(), config: o.config.Must(),
		overrides: overrides, defaults: defaults,
	}
	return p.run(ctx, to, readerProps)
}

// sendError is how kafka-console-producer logs a record that could not be sent.
func sendError(env *Env, record *kgo.Record, err error) {
	size := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%d bytes", len(b))
	}
	env.warnf("ERROR Error when sending message to topic %s with key: %s, value: %s with error: %s: "+
		"%s\n",
		record.Topic, size(record.Key), size(record.Value), javaClass(err), errorText(err))
}
