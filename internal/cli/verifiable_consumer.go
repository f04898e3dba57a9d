package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/argp"
)

// verifiableConsumer is one run of kafka-verifiable-consumer: it says what it is assigned, what it
// reads and what it commits.
type verifiableConsumer struct {
	verifiableEvents
	topic      string
	records    int64 // below 0: no limit
	autoCommit bool
	verbose    bool

	read int64
}

// runVerifiableConsumer is kafka-verifiable-consumer.
func runVerifiableConsumer(ctx context.Context, env *Env, args []string) error {
	p := argp.New("verifiable-consumer", "This tool reads a topic and prints a JSON object for each thing that happens to it: a rebalance, records, a commit.")
	topic := p.Text("--topic", "TOPIC", "The topic to read.").Required()
	protocol := p.Text("--group-protocol", "GROUP-PROTOCOL", "The group protocol: CLASSIC or CONSUMER.").Default("classic")
	assignor := p.Text("--group-remote-assignor", "GROUP-REMOTE-ASSIGNOR", "The broker's assignor, where the group protocol is CONSUMER.")
	group := p.Text("--group-id", "GROUP-ID", "The group to be a member of.").Required()
	instance := p.Text("--group-instance-id", "GROUP-INSTANCE-ID", "The name of a static member.")
	limit := p.Int("--max-messages", "MAX-MESSAGES", "How many records to read; -1 is until the tool is told to stop.").Default("-1")
	session := p.Int("--session-timeout", "TIMEOUT-MS", "After how many milliseconds a silent member is taken for dead, where the group protocol is CLASSIC.")
	verbose := p.Flag("--verbose", "Print each record.")
	autoCommit := p.Flag("--enable-autocommit", "Let the client commit, and not after each poll.")
	reset := p.Text("--reset-policy", "RESET-POLICY", "Where to begin without a committed offset: earliest, latest or none.").Default("earliest")
	strategy := p.Text("--assignment-strategy", "ASSIGNMENT-STRATEGY", "The assignor, where the group protocol is CLASSIC.").Default("org.apache.kafka.clients.consumer.RangeAssignor")
	oldConfig := p.Text("--consumer.config", "CONFIG-FILE", "(DEPRECATED) What --command-config is.")
	config := p.Text("--command-config", "CONFIG-FILE", "A client properties file.")
	bootstrap := p.Text("--bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "The brokers to connect to.").Or("--broker-list").Required()
	if err := env.parseArguments(p, args, true); err != nil {
		return err
	}
	path, err := env.eitherConfig(p, config, oldConfig)
	if err != nil {
		return err
	}
	v := &verifiableConsumer{
		verifiableEvents: verifiableEvents{env: env}, topic: topic.Value(), records: limit.Number(),
		autoCommit: autoCommit.Set(), verbose: verbose.Set(),
	}
	overrides := properties{
		"group.id": group.Value(), "auto.offset.reset": reset.Value(),
		"enable.auto.commit": fmt.Sprint(autoCommit.Set()),
	}
	if strings.EqualFold(protocol.Value(), "consumer") {
		overrides["group.protocol"] = "consumer"
		if assignor.Set() {
			overrides["group.remote.assignor"] = assignor.Value()
		}
	} else {
		overrides["partition.assignment.strategy"] = strategy.Value()
		if session.Set() {
			overrides["session.timeout.ms"] = session.Value()
		}
	}
	if instance.Set() {
		overrides["group.instance.id"] = instance.Value()
	}
	return v.run(ctx, target{bootstrap: bootstrap.Value(), config: path, overrides: overrides, defaults: memberDefaults()})
}

func (v *verifiableConsumer) run(ctx context.Context, to target) error {
	reset, err := resetOffset(to.overrides["auto.offset.reset"])
	if err != nil {
		return err
	}
	c, err := v.env.connect(ctx, to,
		kgo.ConsumerGroup(to.overrides["group.id"]), kgo.ConsumeTopics(v.topic), kgo.AllowAutoTopicCreation(),
		kgo.ConsumeStartOffset(reset), kgo.ConsumeResetOffset(reset),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			v.print(partitionsEvent("partitions_assigned", parts))
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			v.print(partitionsEvent("partitions_revoked", parts))
		}))
	if err != nil {
		return err
	}
	v.print(event("startup_complete"))
	err = v.consume(ctx, c)
	if ctx.Err() != nil {
		v.print(event("shutdown_requested"))
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	if v.autoCommit {
		if err := c.CommitUncommittedOffsets(closing); err != nil {
			v.env.warnf("Offsets were not committed: %s\n", errorText(err))
		}
	}
	_ = c.LeaveGroupContext(closing) // the session timeout does it otherwise
	c.CloseAllowingRebalance()
	v.print(event("shutdown_complete"))
	if ctx.Err() == nil {
		v.print(event("shutdown_requested"))
	}
	if err != nil {
		v.env.warnf("ERROR Error during processing, terminating consumer process: %s: %s\n", javaClass(err), errorText(err))
	}
	return afterSignal(ctx)
}

func partitionsEvent(name string, parts map[string][]int32) *object {
	var names []partitionName
	for topic, partitions := range parts {
		for _, partition := range partitions {
			names = append(names, partitionName{topic, partition})
		}
	}
	sortNames(names)
	shown := make([]string, len(names))
	for i, n := range names {
		shown[i] = n.object().String()
	}
	return event(name).raw("partitions", array(shown))
}

// object is the partition in JSON.
func (n partitionName) object() *object {
	return (&object{}).text("topic", n.topic).number("partition", int64(n.partition))
}

func array(items []string) string { return "[" + strings.Join(items, ",") + "]" }

// consume reads until there are enough records, the context ends or the client can't go on.
func (v *verifiableConsumer) consume(ctx context.Context, c *client) error {
	for v.records < 0 || v.read < v.records {
		fetches := c.PollRecords(ctx, pollRecords)
		if ctx.Err() != nil {
			return nil
		}
		if fetches.NumRecords() == 0 {
			if err := fetches.Err(); err != nil {
				return err
			}
			continue
		}
		offsets := v.received(fetches)
		if !v.autoCommit {
			v.commit(ctx, c, offsets)
		}
	}
	return nil
}

// received tells of the records, as many as there may be, and returns what to commit.
func (v *verifiableConsumer) received(fetches kgo.Fetches) map[partitionName]kgo.EpochOffset {
	offsets := map[partitionName]kgo.EpochOffset{}
	var summaries []string
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		records := p.Records
		if left := v.records - v.read; v.records >= 0 && int64(len(records)) > left {
			records = records[:left]
		}
		if len(records) == 0 {
			return
		}
		name := partitionName{p.Topic, p.Partition}
		first, last := records[0], records[len(records)-1]
		offsets[name] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
		summaries = append(summaries, name.object().number("count", int64(len(records))).
			number("minOffset", first.Offset).number("maxOffset", last.Offset).String())
		for _, record := range records {
			if v.verbose {
				v.print(event("record_data").nullable("key", nullableText(record.Key)).nullable("value", nullableText(record.Value)).
					text("topic", record.Topic).number("partition", int64(record.Partition)).number("offset", record.Offset))
			}
		}
		v.read += int64(len(records))
	})
	v.print(event("records_consumed").number("count", int64(fetches.NumRecords())).raw("partitions", array(summaries)))
	return offsets
}

// commit commits and tells how that went. A failure ends nothing: the records come again.
func (v *verifiableConsumer) commit(ctx context.Context, c *client, offsets map[partitionName]kgo.EpochOffset) {
	request := map[string]map[int32]kgo.EpochOffset{}
	var names []partitionName
	for name, offset := range offsets {
		if request[name.topic] == nil {
			request[name.topic] = map[int32]kgo.EpochOffset{}
		}
		request[name.topic][name.partition] = offset
		names = append(names, name)
	}
	var failure error
	c.CommitOffsetsSync(ctx, request, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failure = err
		if resp == nil {
			return
		}
		for _, topic := range resp.Topics {
			for _, partition := range topic.Partitions {
				if failure == nil {
					failure = codeError(partition.ErrorCode, nil)
				}
			}
		}
	})
	sortNames(names)
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = name.object().number("offset", offsets[name].Offset).String()
	}
	committed := event("offsets_committed").raw("offsets", array(shown))
	if failure != nil {
		committed.text("error", errorText(failure))
	}
	v.print(committed.raw("success", fmt.Sprint(failure == nil)))
}
