package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/cli/argp"
)

// verifiableEvents prints what a verifiable client does, a JSON object a line.
type verifiableEvents struct {
	env *Env
	mu  sync.Mutex // guards the output
}

// event begins an object with the fields that all have.
func event(name string) *object {
	return (&object{}).number("timestamp", time.Now().UnixMilli()).text("name", name)
}

func (v *verifiableEvents) print(o *object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.env.printf("%s\n", o)
}

// nullableText is a key or value in JSON: null, or a string.
func nullableText(data []byte) *string {
	if data == nil {
		return nil
	}
	text := string(data)
	return &text
}

// verifiableProducer is one run of kafka-verifiable-producer: it sends increasing numbers and says
// of each whether it was acknowledged.
type verifiableProducer struct {
	verifiableEvents
	topic      string
	records    int64 // below 0: no limit
	perSecond  int64
	prefix     string
	keys       int64 // the keys 0 to keys-1 in turn; 0: none
	createTime int64 // ms; -1: the clock's

	began       time.Time
	sent, acked int64 // acked is guarded by mu
}

// runVerifiableProducer is kafka-verifiable-producer.
func runVerifiableProducer(ctx context.Context, env *Env, args []string) error {
	p := argp.New("verifiable-producer", `This tool writes increasing numbers to a topic and prints a JSON object for each, which tells whether it was acknowledged.`)
	topic := p.Text("--topic", "TOPIC", "The topic to write to.").Required()
	limit := p.Int("--max-messages", "MAX-MESSAGES", "How many records to write; -1 is until the tool is told to stop.").Default("-1")
	rate := p.Int("--throughput", "THROUGHPUT", "About how many records to write a second at most; -1 is no limit.").Default("-1")
	acks := p.Int("--acks", "ACKS", "The acknowledgements to wait for.").Choices("0", "1", "-1").Default("-1")
	oldConfig := p.Text("--producer.config", "CONFIG-FILE", "(DEPRECATED) What --command-config is.")
	createTime := p.Long("--message-create-time", "CREATE-TIME", "The timestamp of the first record in milliseconds; -1 is now.").Default("-1")
	prefix := p.Int("--value-prefix", "VALUE-PREFIX", "A number to put before each value, with a dot.")
	keys := p.Int("--repeating-keys", "REPEATING-KEYS", "Give the records the keys 0 to this number, which is left out, in turn.")
	config := p.Text("--command-config", "CONFIG-FILE", "A client properties file.")
	bootstrap := p.Text("--bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "REQUIRED: The brokers to connect to.").Or("--broker-list")
	p.Exclusive(true, bootstrap)
	if err := env.parseArguments(p, args, true); err != nil {
		return err
	}
	path, err := env.eitherConfig(p, config, oldConfig)
	if err != nil {
		return err
	}
	v := &verifiableProducer{
		verifiableEvents: verifiableEvents{env: env}, topic: topic.Value(), records: limit.Number(),
		perSecond: rate.Number(), keys: keys.Number(), createTime: createTime.Number(),
	}
	if prefix.Set() {
		v.prefix = prefix.Value() + "."
	}
	to := target{bootstrap: bootstrap.Value(), config: path, defaults: properties{
		"acks": acks.Value(), "retries": "0", "linger.ms": "5", "max.block.ms": "60000", "client.id": "producer-1",
		"compression.type": "none", "buffer.memory": "33554432",
	}}
	return v.run(ctx, to)
}

// eitherConfig is the file of --command-config or of the option that it replaces.
func (env *Env) eitherConfig(p *argp.Parser, config, old *argp.Option) (string, error) {
	name := "--producer.config"
	if p.Name == "verifiable-consumer" {
		name = "--consumer.config"
	}
	if config.Set() && old.Set() {
		return "", env.misused(p.Usagef("Options %s and --command-config are mutually exclusive.", name))
	}
	if old.Set() {
		env.printf("Option %s has been deprecated and will be removed in a future version. Use --command-config instead.\n", name)
		return old.Value(), nil
	}
	return config.Value(), nil
}

func (v *verifiableProducer) run(ctx context.Context, to target) error {
	c, err := v.env.connect(ctx, to, kgo.AllowAutoTopicCreation(), kgo.MaxBufferedRecords(100_000), kgo.DefaultProduceTopic(v.topic))
	if err != nil {
		return err
	}
	defer c.Close()
	v.began = time.Now()
	v.print(event("startup_complete"))
	missing := (&producing{env: v.env, topic: v.topic}).awaitTopic(ctx, c)
	sending := context.WithoutCancel(ctx)
	limit := newThrottle(float64(v.perSecond))
	if v.perSecond < 0 {
		limit.perSecond = -1
	}
	for v.records < 0 || v.sent < v.records {
		if ctx.Err() != nil {
			break
		}
		v.send(sending, c, missing)
		limit.after(ctx, v.sent)
	}
	if err := c.Flush(sending); err != nil {
		return err
	}
	v.print(event("shutdown_complete"))
	v.print(v.summary(time.Since(v.began)))
	return afterSignal(ctx)
}

// summary is the last line.
func (v *verifiableProducer) summary(elapsed time.Duration) *object {
	perSecond := 1000 * (float64(v.acked) / float64(max(elapsed.Milliseconds(), 1)))
	return event("tool_data").number("sent", v.sent).number("acked", v.acked).
		number("target_throughput", v.perSecond).raw("avg_throughput", javaFloat(perSecond, 64))
}

// send sends the next record; missing is why there is no topic to send it to, if so.
func (v *verifiableProducer) send(ctx context.Context, c *client, missing error) {
	record := &kgo.Record{Topic: v.topic, Value: fmt.Appendf(nil, "%s%d", v.prefix, v.sent)}
	if v.keys > 0 {
		record.Key = fmt.Appendf(nil, "%d", v.sent%v.keys)
	}
	if v.createTime >= 0 {
		record.Timestamp = time.UnixMilli(v.createTime)
		v.createTime += time.Since(v.began).Milliseconds()
	}
	v.sent++
	if missing != nil {
		v.outcome(record, missing)
		return
	}
	c.Produce(ctx, record, v.outcome)
}

func (v *verifiableProducer) outcome(record *kgo.Record, err error) {
	key, value := nullableText(record.Key), nullableText(record.Value)
	if err != nil {
		v.print(event("producer_send_error").text("topic", v.topic).nullable("key", key).nullable("value", value).
			text("exception", "class "+javaClass(err)).text("message", errorText(err)))
		return
	}
	v.mu.Lock()
	v.acked++
	v.mu.Unlock()
	v.print(event("producer_send_success").nullable("key", key).nullable("value", value).
		number("offset", record.Offset).text("topic", record.Topic).number("partition", int64(record.Partition)))
}
