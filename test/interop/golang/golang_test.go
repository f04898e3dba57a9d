// Package golang is the interop suite of Go's clients, franz-go and sarama, record by record. It needs Go alone, so that it
// runs with `make test`; BOOTSTRAP=host:port runs it against a broker that is there, Apache Kafka for one.
package golang

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"barnabas/test/launch"
	"barnabas/test/loopback"
)

const (
	partitions = 3
	records    = 900
	deadline   = 60 * time.Second
	groupSize  = 600
)

var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// rec is a record with everything that a record has.
type rec struct {
	partition   int32
	offset      int64
	key, value  []byte
	headers     []header
	timestampMs int64
}

type header struct {
	name  string
	value []byte
}

// client is one library behind the few functions that the cases ask for.
type client interface {
	createTopic(t *testing.T, topic string, partitions int, config map[string]string)
	produce(t *testing.T, topic, codec string, sent []rec)
	// consume reads all partitions from their beginning until count records came.
	consume(t *testing.T, topic string, count int) []rec
	join(t *testing.T, group, topic string) member
	config(t *testing.T, topic, name string) string
	alterConfig(t *testing.T, topic, name, value string)
	addPartitions(t *testing.T, topic string, count int)
	deleteTopic(t *testing.T, topic string)
	topics(t *testing.T) map[string]int
}

// member is one consumer of a group. What it reads goes to seen.
type member interface {
	assigned() int
	seen() []string // partition@offset
	leave(t *testing.T)
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

var bootstrap = os.Getenv("BOOTSTRAP")

func run(m *testing.M) int {
	if bootstrap != "" {
		return m.Run()
	}
	return launch.Main(m, startBroker)
}

// startBroker builds the binary, starts it on a free port and sets bootstrap.
func startBroker(dir string) (stop func(), err error) {
	program, err := launch.Build(dir)
	if err != nil {
		return nil, err
	}
	if bootstrap, err = loopback.Address(); err != nil {
		return nil, err
	}
	var log bytes.Buffer
	broker := exec.Command(program, "server", "--override", "listeners=PLAINTEXT://"+bootstrap,
		"--override", "log.dirs="+filepath.Join(dir, "data"), "--override", "group.initial.rebalance.delay.ms=0",
		"--override", "http.listener=", "--override", "keeper.listener=")
	broker.Stdout, broker.Stderr = &log, &log
	if err := broker.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = broker.Process.Kill()
		_ = broker.Wait()
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(deadline); ; <-tick.C {
		conn, err := net.Dial("tcp", bootstrap)
		if err == nil {
			conn.Close()
			return stop, nil
		}
		if time.Now().After(until) {
			stop()
			return nil, fmt.Errorf("the broker does not serve: %w\n%s", err, &log)
		}
	}
}

func TestClients(t *testing.T) {
	for name, c := range map[string]client{"franz-go": newFranz(t), "sarama": newSarama(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, codec := range codecs {
				t.Run(codec, func(t *testing.T) { checkCodec(t, c, name, codec) })
			}
			t.Run("group", func(t *testing.T) { checkGroup(t, c, name) })
			t.Run("admin", func(t *testing.T) { checkAdmin(t, c, name) })
		})
	}
}

func checkCodec(t *testing.T, c client, name, codec string) {
	topic := unique(name + "-" + codec)
	c.createTopic(t, topic, partitions, nil)
	sent := makeRecords(records, partitions)
	c.produce(t, topic, codec, sent)
	got := c.consume(t, topic, len(sent))
	for p := range int32(partitions) {
		want, have := of(sent, p), of(got, p)
		if len(want) != len(have) {
			t.Fatalf("partition %d: sent %d records, got %d", p, len(want), len(have))
		}
		for i := range want {
			want[i].offset = int64(i)
			if !alike(want[i], have[i]) {
				t.Fatalf("partition %d: sent %+v, got %+v", p, want[i], have[i])
			}
		}
	}
}

func checkGroup(t *testing.T, c client, name string) {
	topic, group := unique(name+"-group"), unique("g")
	c.createTopic(t, topic, 6, nil)
	first := c.join(t, group, topic)
	wait(t, "the first member gets all 6 partitions", func() bool { return first.assigned() == 6 })
	second := c.join(t, group, topic)
	wait(t, "a second member gets half of the partitions", func() bool {
		return first.assigned() == 3 && second.assigned() == 3
	})
	c.produce(t, topic, "none", makeRecords(groupSize, 6))
	wait(t, "the two members read all records", func() bool {
		return len(first.seen())+len(second.seen()) >= groupSize
	})
	all := append(first.seen(), second.seen()...)
	slices.Sort(all)
	if once := slices.Compact(slices.Clone(all)); len(once) != len(all) {
		t.Fatalf("%d records were read twice", len(all)-len(once))
	}
	second.leave(t)
	wait(t, "the first member gets the partitions of the one that left", func() bool { return first.assigned() == 6 })
	first.leave(t)

	c.produce(t, topic, "none", []rec{{partition: 5, value: []byte("after"), timestampMs: 1}})
	late := c.join(t, group, topic)
	wait(t, "a member that comes later reads on", func() bool { return len(late.seen()) > 0 })
	if seen := late.seen(); !slices.Equal(seen, []string{"5@100"}) {
		t.Fatalf("committed offsets were not honoured: %v", seen)
	}
	late.leave(t)
}

func checkAdmin(t *testing.T, c client, name string) {
	topic := unique(name + "-admin")
	c.createTopic(t, topic, 1, map[string]string{"retention.ms": "3600000"})
	if got := c.config(t, topic, "retention.ms"); got != "3600000" {
		t.Fatalf("retention.ms is %q", got)
	}
	c.alterConfig(t, topic, "retention.ms", "7200000")
	wait(t, "the altered config is described", func() bool { return c.config(t, topic, "retention.ms") == "7200000" })
	c.addPartitions(t, topic, 4)
	wait(t, "the topic has 4 partitions", func() bool { return c.topics(t)[topic] == 4 })
	c.deleteTopic(t, topic)
	wait(t, "the topic is gone", func() bool { return c.topics(t)[topic] == 0 })
}

// startedMs is when the records are of: of records of long ago the broker's next round of retention leaves nothing.
var startedMs = time.Now().UnixMilli()

// makeRecords differ in key, value, headers and timestamp.
func makeRecords(count, partitions int) []rec {
	made := make([]rec, count)
	for i := range made {
		r := rec{
			partition:   int32(i % partitions),
			value:       append(fmt.Appendf(nil, "野猪套天下第一 %d ", i), bytes.Repeat([]byte("x"), i%257)...),
			timestampMs: startedMs + int64(i),
		}
		if i%7 != 0 {
			r.key = fmt.Appendf(nil, "key-%d", i)
		}
		if i%3 == 0 {
			r.headers = []header{{"i", fmt.Append(nil, i)}, {"empty", []byte{}}}
		}
		made[i] = r
	}
	return made
}

func of(all []rec, partition int32) []rec {
	var some []rec
	for _, r := range all {
		if r.partition == partition {
			some = append(some, r)
		}
	}
	return some
}

func alike(a, b rec) bool {
	return a.offset == b.offset && a.timestampMs == b.timestampMs &&
		(a.key == nil) == (b.key == nil) && bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) &&
		slices.EqualFunc(a.headers, b.headers, func(x, y header) bool {
			return x.name == y.name && bytes.Equal(x.value, y.value)
		})
}

var serial int64 = time.Now().UnixNano()

func unique(name string) string {
	return fmt.Sprintf("go-%s-%x", name, time.Now().UnixNano()-serial)
}

func wait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	over := time.After(deadline)
	for !condition() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("not within %s: %s", deadline, what)
		}
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}
