package cli

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/cli/jopt"
)

// latencyPoll is how long to wait for a record that was acknowledged.
const latencyPoll = time.Minute

// latencyReport is after how many records a latency is printed.
const latencyReport = 1000

// latencyRun is one run of kafka-e2e-latency: a record is sent, acknowledged and read before the
// next one is sent.
type latencyRun struct {
	env               *Env
	topic             string
	acks              string
	records           int
	size, keySize     int
	headers           int
	headerKeySize     int
	headerSize        int // -1: null
	random            *rand.Rand
	producer, fetcher *client
}

// latencyWords are the positional arguments of before KIP-1172, as options.
var latencyWords = []string{"--bootstrap-server", "--topic", "--num-records", "--producer-acks", "--record-size", "--command-config"}

// modernLatencyArgs turns positional arguments into options, with a warning.
func modernLatencyArgs(env *Env, args []string) ([]string, error) {
	if len(args) == 0 || slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--") }) {
		return args, nil
	}
	if len(args) != 5 && len(args) != 6 {
		return nil, sayf("Invalid number of arguments. Expected 5 or 6 positional arguments, but got %d. "+
			"Usage: bootstrap-server topic num-records producer-acks record-size [optional] command-config", len(args))
	}
	var named []string
	for i, word := range args {
		named = append(named, latencyWords[i], word)
	}
	env.printf("WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. "+
		"Please use named arguments instead: %s\n", strings.Join(latencyWords, ", "))
	return named, nil
}

// runLatency is kafka-e2e-latency.
func runLatency(ctx context.Context, env *Env, args []string) error {
	args, err := modernLatencyArgs(env, args)
	if err != nil {
		env.warnf("%v\n", err)
		return exitFailure
	}
	p := jopt.New("This tool measures how long a record takes from the producer to the consumer.")
	bootstrap := p.Text("bootstrap-server", "bootstrap-server", "REQUIRED: The brokers to connect to.")
	topic := p.Text("topic", "topic-name", "REQUIRED: The topic to use; it is created if need be.")
	records := p.Int("num-records", "count", "REQUIRED: How many records to send.")
	acks := p.Text("producer-acks", "producer-acks", "REQUIRED: The acknowledgements to wait for: '1' or 'all'.")
	size := p.Int("record-size", "bytes", "REQUIRED: The size of a record's value.")
	keySize := p.Int("record-key-size", "bytes", "The size of a record's key; 0 is none.").Default(0)
	headerKeySize := p.Int("record-header-key-size", "bytes", "The size of a header's key.").Default(0)
	headerSize := p.Int("record-header-size", "bytes", "The size of a header's value; -1 is null.").Default(0)
	headers := p.Int("num-headers", "count", "How many headers a record has.").Default(0)
	config := p.Text("command-config", "config-file", "A client properties file.")
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := p.Required(bootstrap, topic, records, acks, size); err != nil {
		return err
	}
	if err := jopt.Check(bootstrap, topic, records, acks, size, keySize, headerKeySize, headerSize, headers, config); err != nil {
		return p.Usagef("%v", err)
	}
	for _, c := range []struct {
		wrong   bool
		message string
	}{
		{acks.Must() != "1" && acks.Must() != "all", "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use '1' or 'all'."},
		{records.Must() <= 0, "Value for --num-records must be a positive integer."},
		{size.Must() < 0, "Value for --record-size must be a non-negative integer."},
		{keySize.Must() < 0, "Value for --record-key-size must be a non-negative integer."},
		{headerKeySize.Must() < 0, "Value for --record-header-key-size must be a non-negative integer."},
		{headerSize.Must() < -1, "Value for --record-header-size must be a non-negative integer or -1 for null header value."},
		{headers.Must() < 0, "Value for --num-headers must be a non-negative integer."},
	} {
		if c.wrong {
			return p.Usagef("%s", c.message)
		}
	}
	r := &latencyRun{
		env: env, topic: topic.Must(), acks: acks.Must(), records: int(records.Must()), size: int(size.Must()),
		keySize: int(keySize.Must()), headers: int(headers.Must()), headerKeySize: int(headerKeySize.Must()),
		headerSize: int(headerSize.Must()),
	}
	return r.run(ctx, target{bootstrap: bootstrap.Must(), config: config.Must()})
}

func (r *latencyRun) run(ctx context.Context, to target) error {
	if err := r.open(ctx, to); err != nil {
		return err
	}
	defer r.producer.Close()
	defer r.fetcher.Close()
	r.random = rand.New(rand.NewPCG(0, 0))
	latencies := make([]int64, 0, r.records)
	var total time.Duration
	bar := r.env.progress(int64(r.records))
	defer bar.clear()
	for n := range r.records {
		took, err := r.once(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		if n%latencyReport == 0 {
			bar.clear()
			r.env.printf("%d\t%s\n", n, javaFloat(float64(took.Nanoseconds())/1000/1000, 64))
		}
		bar.at(int64(n))
		total += took
		latencies = append(latencies, took.Milliseconds())
	}
	bar.clear()
	if len(latencies) == 0 {
		return afterSignal(ctx)
	}
	slices.Sort(latencies)
	at := func(share float64) int64 { return latencies[int(float64(len(latencies))*share)] }
	r.env.printf("Avg latency: %s ms\n", fixed(float64(total.Nanoseconds())/float64(len(latencies))/1000/1000, 4))
	r.env.printf("Percentiles: 50th = %d, 99th = %d, 99.9th = %d\n", at(0.5), at(0.99), at(0.999))
	return afterSignal(ctx)
}

// open connects, makes the topic if need be, and places the reader at the end of every partition.
func (r *latencyRun) open(ctx context.Context, to target) error {
	to.overrides = properties{"acks": r.acks, "linger.ms": "0"}
	if r.acks == "1" {
		to.overrides["enable.idempotence"] = "false"
	}
	var err error
	if r.producer, err = r.env.connect(ctx, to); err != nil {
		return err
	}
	ends, err := r.ends(ctx)
	if err != nil {
		r.producer.Close()
		return err
	}
	from := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) { from[o.Partition] = kgo.NewOffset().At(o.Offset) })
	to.overrides = nil
	r.fetcher, err = r.env.connect(ctx, to, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: from}))
	if err != nil {
		r.producer.Close()
	}
	return err
}

func (r *latencyRun) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	c := r.producer
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	topics, err := c.adm.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, err
	}
	if !topics.Has(r.topic) {
		r.env.printf("Topic \"%s\" does not exist. Will create topic with %d partition(s) and replication factor = %d\n", r.topic, 1, 1)
		if _, err := c.adm.CreateTopic(ctx, 1, 1, nil, r.topic); err != nil {
			r.env.printf("Creation of topic %s failed\n", r.topic)
			return nil, err
		}
	}
	ends, err := c.adm.ListEndOffsets(ctx, r.topic)
	if err == nil {
		err = ends.Error()
	}
	return ends, err
}

// once sends a record, waits until it is read and returns how long both took.
func (r *latencyRun) once(ctx context.Context) (time.Duration, error) {
	record := &kgo.Record{Topic: r.topic, Value: r.letters(r.size)}
	if r.keySize > 0 {
		record.Key = r.letters(r.keySize)
	}
	for range r.headers {
		header := kgo.RecordHeader{Key: string(r.letters(r.headerKeySize))}
		if r.headerSize >= 0 {
			header.Value = r.letters(r.headerSize)
		}
		record.Headers = append(record.Headers, header)
	}
	began := time.Now()
	if err := r.producer.ProduceSync(ctx, record).FirstErr(); err != nil {
		return 0, err
	}
	waiting, cancel := context.WithTimeout(ctx, latencyPoll)
	defer cancel()
	fetches := r.fetcher.PollFetches(waiting)
	took := time.Since(began)
	if waiting.Err() != nil && fetches.NumRecords() == 0 {
		return 0, sayf("poll() timed out before finding a result (timeout:[%dms])", latencyPoll.Milliseconds())
	}
	if err := fetches.Err(); err != nil {
		return 0, err
	}
	return took, compareRecords(record, fetches.Records())
}

// letters returns one random letter, n times.
func (r *latencyRun) letters(n int) []byte {
	return bytes.Repeat([]byte{'A' + byte(r.random.IntN(26))}, n)
}

// compareRecords makes sure that what was read is what was sent, and nothing else.
func compareRecords(sent *kgo.Record, read []*kgo.Record) error {
	got := read[0]
	switch {
	case !bytes.Equal(got.Value, sent.Value):
		return sayf("The message value read [%s] did not match the message value sent [%s]", got.Value, sent.Value)
	case sent.Key != nil && got.Key == nil:
		return sayf("Expected message key but received null")
	case sent.Key == nil && got.Key != nil:
		return sayf("Expected null message key but received [%s]", got.Key)
	case !bytes.Equal(got.Key, sent.Key):
		return sayf("The message key read [%s] did not match the message key sent [%s]", got.Key, sent.Key)
	case len(got.Headers) != len(sent.Headers):
		return sayf("Header count mismatch between sent and received messages")
	}
	for i, h := range sent.Headers {
		if g := got.Headers[i]; g.Key != h.Key || !bytes.Equal(g.Value, h.Value) {
			return sayf("The message header read [%s:%s] did not match the message header sent [%s:%s]", g.Key, g.Value, h.Key, h.Value)
		}
	}
	if len(read) != 1 {
		return sayf("Only one result was expected during this test. We found [%d]", len(read))
	}
	return nil
}
