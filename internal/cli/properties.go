package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	magic "github.com/magiconair/properties"
	"github.com/twmb/franz-go/pkg/kgo"
)

// properties are a Java client's settings by name.
type properties map[string]string

// loadProperties reads a Java properties file: ISO 8859-1 with \u escapes, no expansion.
func loadProperties(path string) (properties, error) {
	loader := magic.Loader{Encoding: magic.ISO_8859_1, DisableExpansion: true}
	file, err := loader.LoadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return file.Map(), nil
}

// add reads key=value words into the properties; a word without "=" sets an empty value.
func (p properties) add(words []string) properties {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		p[key] = value
	}
	return p
}

// mapping turns the value of one property into client options.
type mapping func(value string) ([]kgo.Opt, error)

// options maps every property that has a meaning for this client. It returns the names of those
// that no Java client knows. Security settings are mapped together (security.go).
func (p properties) options() (opts []kgo.Opt, unknown []string, err error) {
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch apply, known := clientMappings[name]; {
		case known && apply != nil:
			more, err := apply(strings.TrimSpace(p[name]))
			if err != nil {
				return nil, nil, sayf("Invalid value %s for configuration %s: %w", p[name], name, err)
			}
			opts = append(opts, more...)
		case known, p.isSecurity(name):
		default:
			unknown = append(unknown, name)
		}
	}
	combined, err := p.combined()
	if err != nil {
		return nil, nil, err
	}
	secured, err := p.security()
	if err != nil {
		return nil, nil, err
	}
	return append(append(opts, combined...), secured...), unknown, nil
}

// combined maps the settings that need each other's value.
func (p properties) combined() ([]kgo.Opt, error) {
	limit, err := p.batchLimit()
	if err != nil {
		return nil, err
	}
	opts := []kgo.Opt{kgo.ProducerBatchMaxBytes(limit)}
	acks := p["acks"]
	idempotent := p["enable.idempotence"] == "true" ||
		p["enable.idempotence"] == "" && (acks == "" || acks == "all" || acks == "-1")
	if !idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite())
		if n := p["max.in.flight.requests.per.connection"]; n != "" {
			inflight, err := strconv.Atoi(n)
			if err != nil || inflight < 1 {
				return nil, sayf("Invalid value %s for configuration "+
					"max.in.flight.requests.per.connection", n)
			}
			opts = append(opts, kgo.MaxProduceRequestsInflightPerBroker(inflight))
		}
	}
	if p["group.id"] != "" {
		if p["enable.auto.commit"] == "false" {
			opts = append(opts, kgo.DisableAutoCommit())
		}
		if id := p["group.instance.id"]; id != "" {
			opts = append(opts, kgo.InstanceID(id))
		}
	}
	return opts, nil
}

// maxRequestSize is the default of max.request.size.
const maxRequestSize = 1 << 20

// batchLimit is the hard limit on a batch. In Java batch.size is a soft limit, which a larger
// record may pass, and max.request.size a hard one; here there is only a hard one, so batch.size
// can raise it and never stands in the way of a record that Java would send.
func (p properties) batchLimit() (int32, error) {
	limit := int64(0)
	for name, fallback := range map[string]int64{"batch.size": 0, "max.request.size": maxRequestSize} {
		n := fallback
		if text := p[name]; text != "" {
			var err error
			if n, err = strconv.ParseInt(text, 10, 32); err != nil || n < 0 {
				return 0, sayf("Invalid value %s for configuration %s: not a number of bytes", text, name)
			}
		}
		limit = max(limit, n)
	}
	return int32(min(max(limit, 512), 64<<20)), nil
}

// clientMappings lists the properties of the Java clients. Those with nil are known and have no
// counterpart here, or are read by combined, security or the tool itself.
var clientMappings = map[string]mapping{
	"client.id":               text(func(v string) kgo.Opt { return kgo.ClientID(v) }),
	"client.rack":             text(func(v string) kgo.Opt { return kgo.Rack(v) }),
	"connections.max.idle.ms": millis(func(d time.Duration) kgo.Opt { return kgo.ConnIdleTimeout(d) }),
	"metadata.max.age.ms":     millis(metadataMaxAge),
	"request.timeout.ms":      millis(func(d time.Duration) kgo.Opt { return kgo.ProduceRequestTimeout(d) }),
	"retry.backoff.ms": millis(func(d time.Duration) kgo.Opt {
		return kgo.RetryBackoffFn(func(int) time.Duration { return d })
	}),
	"socket.connection.setup.timeout.ms": millis(func(d time.Duration) kgo.Opt { return kgo.DialTimeout(d) }),

	"acks":             acksOption,
	"buffer.memory":    integer(func(n int) kgo.Opt { return kgo.MaxBufferedBytes(n) }),
	"compression.type": compressionOption,
	"linger.ms":        millis(func(d time.Duration) kgo.Opt { return kgo.ProducerLinger(d) }),
	"retries":          integer(func(n int) kgo.Opt { return kgo.RecordRetries(n) }),
	"delivery.timeout.ms": millis(func(d time.Duration) kgo.Opt {
		return kgo.RecordDeliveryTimeout(d)
	}),
	"transactional.id": text(func(v string) kgo.Opt { return kgo.TransactionalID(v) }),
	"transaction.timeout.ms": millis(func(d time.Duration) kgo.Opt {
		return kgo.TransactionTimeout(d)
	}),

	"fetch.max.bytes":               integer(func(n int) kgo.Opt { return kgo.FetchMaxBytes(int32(n)) }),
	"fetch.max.wait.ms":             millis(func(d time.Duration) kgo.Opt { return kgo.FetchMaxWait(d) }),
	"fetch.min.bytes":               integer(func(n int) kgo.Opt { return kgo.FetchMinBytes(int32(n)) }),
	"max.partition.fetch.bytes":     integer(func(n int) kgo.Opt { return kgo.FetchMaxPartitionBytes(int32(n)) }),
	"isolation.level":               isolationOption,
	"check.crcs":                    checkCRCs,
	"session.timeout.ms":            grouped(func(d time.Duration) kgo.Opt { return kgo.SessionTimeout(d) }),
	"heartbeat.interval.ms":         grouped(func(d time.Duration) kgo.Opt { return kgo.HeartbeatInterval(d) }),
	"max.poll.interval.ms":          grouped(func(d time.Duration) kgo.Opt { return kgo.RebalanceTimeout(d) }),
	"auto.commit.interval.ms":       grouped(func(d time.Duration) kgo.Opt { return kgo.AutoCommitInterval(d) }),
	"partition.assignment.strategy": balancerOption,
	"group.protocol":                text(func(v string) kgo.Opt { return kgo.GroupProtocol(v) }),

	"allow.auto.create.topics": nil, "auto.offset.reset": nil, "bootstrap.servers": nil,
	"client.dns.lookup": nil, "default.api.timeout.ms": nil, "enable.auto.commit": nil,
	"enable.idempotence": nil, "enable.metrics.push": nil, "exclude.internal.topics": nil,
	"group.id": nil, "group.instance.id": nil, "group.remote.assignor": nil,
	"interceptor.classes": nil, "key.deserializer": nil, "key.serializer": nil,
	"max.block.ms": nil, "max.in.flight.requests.per.connection": nil, "max.poll.records": nil,
	"max.request.size": nil, "batch.size": nil, "metadata.max.idle.ms": nil, "metadata.recovery.strategy": nil,
	"metric.reporters": nil, "metrics.num.samples": nil, "metrics.recording.level": nil,
	"metrics.sample.window.ms": nil, "partitioner.adaptive.partitioning.enable": nil,
	"partitioner.availability.timeout.ms": nil, "partitioner.class": nil,
	"partitioner.ignore.keys": nil, "receive.buffer.bytes": nil, "reconnect.backoff.max.ms": nil,
	"reconnect.backoff.ms": nil, "retry.backoff.max.ms": nil, "send.buffer.bytes": nil,
	"socket.connection.setup.timeout.max.ms": nil, "value.deserializer": nil,
	"value.serializer": nil, "compression.gzip.level": nil, "compression.lz4.level": nil,
	"compression.zstd.level": nil, "metadata.recovery.rebootstrap.trigger.ms": nil,
}

func text(option func(string) kgo.Opt) mapping {
	return func(value string) ([]kgo.Opt, error) { return []kgo.Opt{option(value)}, nil }
}

func integer(option func(int) kgo.Opt) mapping {
	return func(value string) ([]kgo.Opt, error) {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("not a number of 0 or more")
		}
		return []kgo.Opt{option(n)}, nil
	}
}

func millis(option func(time.Duration) kgo.Opt) mapping {
	return func(value string) ([]kgo.Opt, error) {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("not a number of milliseconds")
		}
		return []kgo.Opt{option(time.Duration(n) * time.Millisecond)}, nil
	}
}

// grouped marks the settings that only a member of a group has; without a group.id the client
// ignores them, which is what the Java client does too.
func grouped(option func(time.Duration) kgo.Opt) mapping { return millis(option) }

func metadataMaxAge(d time.Duration) kgo.Opt {
	// The client insists that the oldest age is above the youngest.
	return kgo.MetadataMaxAge(max(d, 200*time.Millisecond))
}

func acksOption(value string) ([]kgo.Opt, error) {
	switch value {
	case "all", "-1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}, nil
	case "1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck())}, nil
	case "0":
		return []kgo.Opt{kgo.RequiredAcks(kgo.NoAck())}, nil
	}
	return nil, fmt.Errorf("String must be one of: all, -1, 0, 1")
}

func compressionOption(value string) ([]kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[value]
	if !ok {
		return nil, fmt.Errorf("String must be one of: none, gzip, snappy, lz4, zstd")
	}
	return []kgo.Opt{kgo.ProducerBatchCompression(codec)}, nil
}

func isolationOption(value string) ([]kgo.Opt, error) {
	switch value {
	case "read_committed":
		return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted())}, nil
	case "read_uncommitted":
		return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadUncommitted())}, nil
	}
	return nil, fmt.Errorf("String must be one of: read_committed, read_uncommitted")
}

func checkCRCs(value string) ([]kgo.Opt, error) {
	if value == "false" {
		return []kgo.Opt{kgo.DisableFetchCRCValidation()}, nil
	}
	return nil, nil
}

func balancerOption(value string) ([]kgo.Opt, error) {
	known := map[string]kgo.GroupBalancer{
		"RangeAssignor": kgo.RangeBalancer(), "RoundRobinAssignor": kgo.RoundRobinBalancer(),
		"StickyAssignor": kgo.StickyBalancer(), "CooperativeStickyAssignor": kgo.CooperativeStickyBalancer(),
	}
	var balancers []kgo.GroupBalancer
	for _, class := range strings.Split(value, ",") {
		class = strings.TrimSpace(class)
		balancer, ok := known[class[strings.LastIndexByte(class, '.')+1:]]
		if !ok {
			return nil, sayf("Class %s could not be found", class)
		}
		balancers = append(balancers, balancer)
	}
	return []kgo.Opt{kgo.Balancers(balancers...)}, nil
}
