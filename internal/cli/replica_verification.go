package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/cli/jopt"
)

// runReplicaVerification is kafka-replica-verification: it reads all replicas of partitions beside each other, and says where
// they differ, until it is interrupted.
func runReplicaVerification(ctx context.Context, env *Env, args []string) error {
	env.warnf("WARN This tool is deprecated and may be removed in a future major release.\n")
	p := jopt.New("Validate that all replicas for a set of topics have the same data.")
	brokers := p.Text("broker-list", "hostname:port,...,hostname:port", "REQUIRED: The brokers to connect to.")
	fetchSize := p.Int("fetch-size", "bytes", "How many bytes to fetch at most from one partition in one request.").Default(1 << 20)
	maxWait := p.Int("max-wait-ms", "ms", "How long a fetch may wait for records.").Default(1000)
	include := p.Text("topics-include", "Java regex (String)", "The topics to compare, as a regular expression.").Default(".*")
	at := p.Long("time", "timestamp/-1(latest)/-2(earliest)", "From where on: from the first record of that time.").Default(-1)
	interval := p.Long("report-interval-ms", "ms", "How often to report.").Default(30_000)
	if err := env.parse(p, args, p.Intro); err != nil {
		return err
	}
	if err := jopt.Check(brokers, fetchSize, maxWait, include, at, interval); err != nil {
		return p.Usagef("%v", err)
	}
	if err := p.Required(brokers); err != nil {
		return err
	}
	c, err := env.connect(ctx, target{bootstrap: brokers.Must()})
	if err != nil {
		return err
	}
	defer c.Close()
	comparison, err := c.newComparison(ctx, include.Must(), at.Must())
	if err != nil {
		return err
	}
	if comparison == nil {
		env.warnf("ERROR No topics found. [topics-include] if specified, is either filtering out all topics or there is no topic.\n")
		return exitFailure
	}
	comparison.size, comparison.wait = int32(fetchSize.Must()), int32(maxWait.Must())
	reports := replicaReports{interval: time.Duration(interval.Must()) * time.Millisecond, last: time.Now()}
	env.printf("%s: verification process is started\n", javaTime(time.Now()))
	return comparison.run(ctx, env, &reports)
}

// comparison is what is read of which broker.
type comparison struct {
	c          *client
	size, wait int32
	topics     map[string]topicDescription
	parts      []*comparedPartition
	byBroker   map[int32][]*comparedPartition
}

// newComparison finds the partitions and where to begin with each; nil where no topic is meant.
func (c *client) newComparison(ctx context.Context, include string, timestamp int64) (*comparison, error) {
	names, err := c.topicNames(ctx, include, false)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	topics, err := c.describeByMetadata(ctx, names)
	if err != nil {
		return nil, err
	}
	made := &comparison{c: c, topics: map[string]topicDescription{}, byBroker: map[int32][]*comparedPartition{}}
	var wanted []partitionName
	for _, t := range topics {
		made.topics[t.Name] = t
		for _, p := range t.Partitions {
			wanted = append(wanted, partitionName{t.Name, p.Partition})
		}
	}
	offsets, err := c.listOffsets(ctx, wanted, timestamp)
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		for _, p := range t.Partitions {
			name := partitionName{t.Name, p.Partition}
			found := offsets[name]
			if found.err == nil && found.offset < 0 {
				found.err = fmt.Errorf("no record of that time or later")
			}
			if found.err != nil {
				return nil, fmt.Errorf("%s: %w", name, found.err)
			}
			part := &comparedPartition{name: name, replicas: slices.Sorted(slices.Values(p.Replicas)), next: found.offset}
			made.parts = append(made.parts, part)
			for _, id := range p.Replicas {
				made.byBroker[id] = append(made.byBroker[id], part)
			}
		}
	}
	slices.SortFunc(made.parts, func(a, b *comparedPartition) int { return compareNames(a.name, b.name) })
	return made, nil
}

// unreachablePause is how long to wait before brokers are asked again of which one did not answer.
const unreachablePause = 100 * time.Millisecond

// run reads and compares until ctx ends, or replicas have different offsets.
func (m *comparison) run(ctx context.Context, env *Env, reports *replicaReports) error {
	for ctx.Err() == nil {
		read, all := m.read(ctx)
		if ctx.Err() != nil {
			break
		}
		for _, p := range m.parts {
			lines, apart := p.compare(read[p], javaTime(time.Now()))
			for _, line := range lines {
				env.printf("%s\n", line)
			}
			if apart {
				return exitFailure
			}
			reports.note(p, read[p])
		}
		if line := reports.line(time.Now(), len(m.parts)); line != "" {
			env.printf("%s\n", line)
		}
		if !all {
			select {
			case <-time.After(unreachablePause):
			case <-ctx.Done():
			}
		}
	}
	return afterSignal(ctx)
}

// read asks every broker for all that is compared of it, at the same time. A broker that does not answer holds up what it has a
// replica of. It tells whether all have answered.
func (m *comparison) read(ctx context.Context) (read map[*comparedPartition]map[int32]replicaData, all bool) {
	read, all = map[*comparedPartition]map[int32]replicaData{}, true
	var mu sync.Mutex
	var asked sync.WaitGroup
	for id := range maps.Keys(m.byBroker) {
		asked.Go(func() {
			answer, err := m.fetch(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all = false
				return
			}
			for p, data := range answer {
				if read[p] == nil {
					read[p] = map[int32]replicaData{}
				}
				read[p][id] = data
			}
		})
	}
	asked.Wait()
	return read, all
}

// debuggingConsumer is as whom the tool fetches: every replica answers it.
const debuggingConsumer = -2

// fetch reads from one broker.
func (m *comparison) fetch(ctx context.Context, id int32) (map[*comparedPartition]replicaData, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.ReplicaState.ID = debuggingConsumer, debuggingConsumer
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = m.wait, 1, 1<<31-1
	req.SessionEpoch = -1
	parts := map[partitionName]*comparedPartition{}
	names := map[[16]byte]string{}
	for _, p := range m.byBroker[id] {
		parts[p.name] = p
		last := len(req.Topics) - 1
		if last < 0 || req.Topics[last].Topic != p.name.topic {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.name.topic, m.topics[p.name.topic].ID
			names[t.TopicID] = t.Topic
			req.Topics, last = append(req.Topics, t), last+1
		}
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.name.partition, p.next, m.size
		req.Topics[last].Partitions = append(req.Topics[last].Partitions, part)
	}
	resp, err := m.c.Broker(int(id)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	answer := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return nil, err
	}
	read := map[*comparedPartition]replicaData{}
	for _, t := range answer.Topics {
		topic := t.Topic
		if topic == "" {
			topic = names[t.TopicID]
		}
		for _, p := range t.Partitions {
			if part := parts[partitionName{topic, p.Partition}]; part != nil {
				read[part] = replicaData{batches: batchesIn(p.RecordBatches), highWatermark: p.HighWatermark}
			}
		}
	}
	return read, nil
}

// javaTime is a moment as log4j writes it.
func javaTime(t time.Time) string { return t.Format("2006-01-02 15:04:05,000") }
