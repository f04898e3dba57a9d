package keepers

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// addBrokers prepares brokers on the ensemble, or, with inside, brokers that have its members inside.
func (e *ensemble) addBrokers(count int, inside bool) {
	for n := 1; n <= count; n++ {
		b := &process{name: fmt.Sprintf("broker %d", n), number: n, address: fmt.Sprintf("127.0.0.1:%d", freePort(e.t)),
			http: fmt.Sprintf("127.0.0.1:%d", freePort(e.t)), dir: filepath.Join(e.t.TempDir(), fmt.Sprint("b", n)), inside: inside}
		e.brokers = append(e.brokers, b)
	}
}

func (e *ensemble) launchBroker(b *process) {
	args := []string{"server"}
	for _, s := range append([]string{
		"broker.id=" + fmt.Sprint(b.number), "listeners=PLAINTEXT://" + b.address, "http.listener=" + b.http,
		"log.dirs=" + b.dir, "group.initial.rebalance.delay.ms=0", "zookeeper.session.timeout.ms=" + fmt.Sprint(e.session.Milliseconds()),
	}, e.settings...) {
		args = append(args, "--override", s)
	}
	env := []string{"KAFKA_ZOOKEEPER_CONNECT=" + strings.Join(e.addresses(), ",")}
	if e.outside != "" {
		env = []string{"KAFKA_ZOOKEEPER_CONNECT=" + e.outside}
	}
	if b.inside {
		env = []string{"ZOO_MY_ID=" + fmt.Sprint(b.number), "ZOO_SERVERS=" + e.servers(e.keepers[b.number-1]), "ZOO_HEARTBEAT_MS=20"}
	}
	e.run(b, env, args...)
}

func (e *ensemble) startBrokers(count int, inside bool) {
	e.addBrokers(count, inside)
	for _, b := range e.brokers {
		e.launchBroker(b)
	}
	for _, b := range e.brokers {
		e.ready(b)
	}
}

func (e *ensemble) seeds() []string {
	var all []string
	for _, b := range e.brokers {
		all = append(all, b.address)
	}
	return all
}

func (e *ensemble) client(options ...kgo.Opt) *kgo.Client {
	e.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(e.seeds()...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.AlwaysRetryEOF(),        // a process that is killed right after it has taken a connection ends it before the first answer
		kgo.UnknownTopicRetries(-1), // a broker hears of a new topic a moment later than the one that was asked to make it
	}, options...)...)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(c.Close)
	return c
}

const topic = "numbers"

// createTopic makes the topic of the test, with a setting of its own.
func (e *ensemble) createTopic(admin *kadm.Client) kadm.TopicDetail {
	e.t.Helper()
	retention := "123456789"
	e.await("the topic to be created", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
		defer cancel()
		made, err := admin.CreateTopic(ctx, 6, 3, map[string]*string{"retention.ms": &retention}, topic)
		return err == nil && made.Err == nil || made.ErrMessage != "" && strings.Contains(made.ErrMessage, "exists")
	})
	return e.describe(admin)
}

// describe waits until the topic has all its leaders and in-sync replicas.
func (e *ensemble) describe(admin *kadm.Client) kadm.TopicDetail {
	e.t.Helper()
	var detail kadm.TopicDetail
	e.await("all replicas to be in sync", func() bool {
		ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
		defer cancel()
		topics, err := admin.ListTopics(ctx, topic)
		if err != nil {
			return false
		}
		detail = topics[topic]
		full := len(detail.Partitions) == 6
		for _, p := range detail.Partitions {
			full = full && p.Err == nil && p.Leader >= 0 && len(p.ISR) == 3
		}
		return full
	})
	return detail
}

// producer produces numbered records and knows which were acknowledged.
type producer struct {
	e      *ensemble
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	acked  map[string]bool
	last   time.Time
	stall  time.Duration
	failed error
}

func (e *ensemble) produce() *producer {
	ctx, cancel := context.WithCancel(e.t.Context())
	p := &producer{e: e, cancel: cancel, done: make(chan struct{}), acked: map[string]bool{}, last: time.Now()}
	p.client = e.client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	go func() {
		defer close(p.done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			value := fmt.Sprintf("%08d", n)
			p.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Value: []byte(value)}, func(_ *kgo.Record, err error) {
				p.mu.Lock()
				defer p.mu.Unlock()
				if err != nil {
					p.failed = err
					return
				}
				p.acked[value] = true
				p.stall = max(p.stall, time.Since(p.last))
				p.last = time.Now()
			})
		}
	}()
	e.t.Cleanup(cancel)
	return p
}

func (p *producer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked)
}

func (p *producer) goesOn() {
	p.e.t.Helper()
	before := p.count()
	p.e.await("produce to go on", func() bool { return p.count() > before+100 })
}

// check reads everything back.
func (p *producer) check() {
	p.e.t.Helper()
	p.cancel()
	<-p.done
	ctx, cancel := context.WithTimeout(p.e.t.Context(), patience)
	defer cancel()
	if err := p.client.Flush(ctx); err != nil {
		p.e.t.Fatalf("records are still not acknowledged: %v\n%s", err, p.e.outputs())
	}
	if p.failed != nil {
		p.e.t.Errorf("a record was refused: %v", p.failed)
	}
	reader := p.e.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	seen := map[string]int{}
	for len(seen) < len(p.acked) && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
	}
	lost, twice := 0, 0
	for value := range p.acked {
		if seen[value] == 0 {
			lost++
		}
	}
	for _, times := range seen {
		if times > 1 {
			twice++
		}
	}
	if lost > 0 || twice > 0 {
		p.e.t.Errorf("%d of %d acknowledged records are lost, %d are there twice\n%s", lost, len(p.acked), twice, p.e.outputs())
	}
	if p.stall > time.Second {
		p.e.t.Log(p.e.outputs())
	}
	p.e.t.Logf("%d records acknowledged, longest stall %s", len(p.acked), p.stall.Round(time.Millisecond))
}

// Three processes, each a broker with a member of the ensemble inside; one after another is killed, wiped, and
// started empty.
func TestThreeNodesOfOneProcess(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 3)
	began := time.Now()
	e.startBrokers(3, true)
	t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
	admin := kadm.NewClient(e.client())
	e.createTopic(admin)
	p := e.produce()
	p.goesOn()
	for _, b := range e.brokers {
		e.wipe(b)
		p.goesOn()
		e.launchBroker(b)
		e.ready(b)
		e.whole(b)
		e.describe(admin)
	}
	p.goesOn()
	p.check()
}

// whole wants a broker that says that it is ready to have all its replicas in sync.
func (e *ensemble) whole(b *process) {
	e.t.Helper()
	request, name := kmsg.NewPtrMetadataRequest(), topic
	wanted := kmsg.NewMetadataRequestTopic()
	wanted.Topic = &name
	request.Topics = append(request.Topics, wanted)
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	answer, err := e.client().Broker(b.number).RetriableRequest(ctx, request)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, told := range answer.(*kmsg.MetadataResponse).Topics {
		for _, p := range told.Partitions {
			if slices.Contains(p.Replicas, int32(b.number)) && !slices.Contains(p.ISR, int32(b.number)) {
				e.t.Errorf("%s is ready, and out of sync in partition %d: %v", b.name, p.Partition, p.ISR)
			}
		}
	}
}
