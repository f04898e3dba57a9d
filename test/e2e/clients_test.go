package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clientTime bounds whatever a client does in one command.
const clientTime = time.Minute

func produceNumbers(address, topic string, from, to int) error {
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(-1),
		kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for n := from; n < to; n++ {
		records = append(records, kgo.StringRecord(strconv.Itoa(n)))
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

func consumeNumbers(address, topic, group string, count int) ([]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	options := []kgo.Opt{
		kgo.SeedBrokers(address), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	if group != "" {
		options = append(options, kgo.ConsumerGroup(group), kgo.DisableAutoCommit())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	numbers, err := poll(ctx, client, count)
	if err != nil || group == "" {
		return numbers, err
	}
	return numbers, client.CommitUncommittedOffsets(ctx)
}

func poll(ctx context.Context, client *kgo.Client, count int) ([]int, error) {
	var numbers []int
	for len(numbers) < count {
		fetches := client.PollRecords(ctx, count-len(numbers))
		if err := fetches.Err0(); err != nil {
			return numbers, fmt.Errorf("after %d of %d: %w", len(numbers), count, err)
		}
		var broken error
		fetches.EachRecord(func(r *kgo.Record) {
			n, err := strconv.Atoi(string(r.Value))
			if err != nil {
				broken = err
			}
			numbers = append(numbers, n)
		})
		if broken != nil {
			return numbers, broken
		}
	}
	return numbers, nil
}

// ranges prints sorted numbers as 0-9,12: a missing or doubled one shows.
func ranges(numbers []int) string {
	slices.Sort(numbers)
	var out []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		out = append(out, fmt.Sprintf("%d-%d", numbers[i], numbers[j]))
		i = j + 1
	}
	return strings.Join(out, ",")
}

// load is a producer in the background. It numbers its records and remembers which were acknowledged.
type load struct {
	client   *kgo.Client
	address  string
	topic    string
	cancel   context.CancelFunc
	done     chan struct{}
	progress chan struct{} // one place: a record was acknowledged
	acked    atomic.Int64

	mu           sync.Mutex
	acknowledged []int // guarded by mu
}

// inFlight bounds the records of a load that are not acknowledged yet.
const inFlight = 1000

func startLoad(address, topic string) (*load, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(address), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation(),
		kgo.MaxBufferedRecords(inFlight), kgo.RetryTimeout(time.Minute), kgo.ProducerLinger(0),
		kgo.UnknownTopicRetries(-1), kgo.RecordRetries(1<<30),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{
		client: client, address: address, topic: topic, cancel: cancel,
		done: make(chan struct{}), progress: make(chan struct{}, 1),
	}
	go l.run(ctx)
	return l, nil
}

func (l *load) run(ctx context.Context) {
	defer close(l.done)
	for n := 0; ctx.Err() == nil; n++ {
		record := kgo.StringRecord(strconv.Itoa(n))
		l.client.Produce(ctx, record, func(_ *kgo.Record, err error) { l.outcome(n, err) })
	}
}

func (l *load) outcome(n int, err error) {
	if err != nil {
		return // it may be in the log or not
	}
	l.mu.Lock()
	l.acknowledged = append(l.acknowledged, n)
	l.mu.Unlock()
	l.acked.Add(1)
	select {
	case l.progress <- struct{}{}:
	default:
	}
}

// await waits for so many more acknowledgements.
func (l *load) await(more int) error {
	target := l.acked.Load() + int64(more)
	deadline := time.After(clientTime)
	for l.acked.Load() < target {
		select {
		case <-l.progress:
		case <-deadline:
			return fmt.Errorf("%d of %d records acknowledged within %s", l.acked.Load(), target, clientTime)
		}
	}
	return nil
}

// stop ends the load: what is not acknowledged by now may be in the log or not.
func (l *load) stop() {
	l.cancel()
	<-l.done
	l.client.Close()
}

// verify reads the topic and compares.
func (l *load) verify() (string, error) {
	numbers, err := l.read()
	if err != nil {
		return "", err
	}
	seen := map[int]bool{}
	previous := -1
	for _, n := range numbers {
		if seen[n] {
			return "", fmt.Errorf("record %d is there twice", n)
		}
		if n < previous {
			return "", fmt.Errorf("record %d comes after %d", n, previous)
		}
		seen[n], previous = true, n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.acknowledged {
		if !seen[n] {
			return "", fmt.Errorf("record %d was acknowledged and is gone", n)
		}
	}
	return fmt.Sprintf("%d acknowledged, %d read", len(l.acknowledged), len(numbers)), nil
}

// read returns all there is, in the order of the log, which has one partition.
func (l *load) read() ([]int, error) {
	end, err := endOffset(l.address, l.topic)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.address), kgo.ConsumeTopics(l.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return poll(ctx, client, int(end))
}

// getCommand fetches a page: get URL; the body is stdout.
func getCommand(ts *testscript.TestScript, neg bool, args []string) {
	client := http.Client{Timeout: clientTime}
	response, err := client.Get(args[0])
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	printed(ts, string(body))
	if neg != (response.StatusCode != http.StatusOK) {
		ts.Fatalf("%s: %s", args[0], response.Status)
	}
}

// endOffset is the log end of partition 0.
func endOffset(address, topic string) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	end, ok := ends.Lookup(topic, 0)
	if !ok {
		return 0, fmt.Errorf("no end offset of %s", topic)
	}
	return end.Offset, end.Err
}

// topicsCommand is about topics:
//
//	topics ADDRESS TOPIC...                    waits until they exist and prints each with its number of partitions
//	topics create ADDRESS TOPIC PARTITIONS     creates one
func topicsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if args[0] == "create" {
		ts.Check(createTopic(args[1], args[2], atoi(ts, args[3])))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(args[0]), kgo.MetadataMinAge(10*time.Millisecond))
	ts.Check(err)
	defer client.Close()
	admin := kadm.NewClient(client)
	for {
		topics, err := admin.ListTopics(ctx, args[1:]...)
		ts.Check(err)
		if topics.Error() == nil && len(topics) == len(args)-1 {
			for _, t := range topics.Sorted() {
				printed(ts, fmt.Sprintf("%s %d\n", t.Topic, len(t.Partitions)))
			}
			return
		}
		client.ForceMetadataRefresh()
	}
}

func createTopic(address, topic string, partitions int) error {
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return err
	}
	defer client.Close()
	response, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), 1, nil, topic)
	if err != nil {
		return err
	}
	return response.Err
}
