package clocks

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/launch"
	"barnabas/test/robustness/clocks/wall"
	"barnabas/test/trials/nodes"
	"barnabas/test/trials/numbers"
)

// patience bounds every wait for what ought to happen soon, on a busy machine.
const patience = 60 * time.Second

const (
	partitions = 6
	perSecond  = 180
	recordSize = 256
)

// The topics: the client's time stands in the records of one, the broker's in those of the other.
const (
	created  = "created"
	appended = "appended"
)

// world is three brokers and three keepers, each with a clock of its own, and a load on them.
type world struct {
	t       *testing.T
	cluster *nodes.Cluster
	clocks  map[*nodes.Process]*os.File
	loads   map[string]*numbers.Load
	client  *kgo.Client
	admin   *kadm.Client
}

// settings have brokers look often at what goes by the clock. Records and offsets are kept for two hours, twice as long as
// the step.
var settings = []string{
	"log.retention.check.interval.ms=200", "log.retention.ms=7200000", "log.segment.bytes=1048576",
	"offsets.retention.minutes=120", "offsets.retention.check.interval.ms=200", "group.initial.rebalance.delay.ms=0",
}

// newWorld starts all with clocks that are right, and waits until the load is under way.
func newWorld(t *testing.T) *world { return newWorldAt(t, 0) }

// newWorldAt starts keepers whose clocks are that far ahead, and brokers whose clocks are right.
func newWorldAt(t *testing.T, keepers time.Duration) *world {
	t.Parallel()
	if !wall.Supported {
		launch.Cannot(t, "clocks can be set on linux/amd64 alone")
	}
	prefix, err := nodes.Net()
	if err != nil {
		launch.Cannot(t, "nodes want addresses of their own: %v", err)
	}
	w := &world{t: t, clocks: map[*nodes.Process]*os.File{}, loads: map[string]*numbers.Load{}}
	w.cluster = nodes.Barnabas{Program: program, Layout: nodes.Six, Dir: t.TempDir(), Net: prefix, Settings: settings}.Cluster()
	for _, p := range w.cluster.Processes() {
		w.clock(p)
	}
	for _, n := range w.cluster.Nodes {
		w.set(n.Keeper, keepers)
	}
	t.Cleanup(func() {
		w.cluster.Close(true)
		if t.Failed() || os.Getenv("SHOW") != "" {
			for _, p := range w.cluster.Processes() {
				t.Logf("%s:\n%s", p.Name, p.Tail())
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.cluster.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if w.client, err = w.cluster.Target().Client(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.admin = kadm.NewClient(w.client)
	for topic, stamp := range map[string]string{created: "CreateTime", appended: "LogAppendTime"} {
		w.create(topic, map[string]string{"message.timestamp.type": stamp})
		w.loads[topic], err = numbers.Start(numbers.Options{
			Target: w.cluster.Target(), Topic: topic, Partitions: partitions, Rate: perSecond, Size: recordSize, MaxBuffered: 1 << 20,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.flows("at the beginning")
	return w
}

// clock gives a process a clock of its own, which is right until it is set.
func (w *world) clock(p *nodes.Process) {
	w.t.Helper()
	file, err := os.Create(filepath.Join(w.t.TempDir(), "offset"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { file.Close() })
	w.clocks[p] = file
	p.Env = append(p.Env, wall.Variable+"="+file.Name())
	w.set(p, 0)
}

// set has a process's clock be ahead of the machine's from now on.
func (w *world) set(p *nodes.Process, ahead time.Duration) {
	w.t.Helper()
	raw := binary.NativeEndian.AppendUint64(nil, uint64(int64(ahead/time.Second)))
	if _, err := w.clocks[p].WriteAt(raw, 0); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(topic string, configs map[string]string) {
	w.t.Helper()
	all := map[string]*string{}
	for name, value := range configs {
		all[name] = &value
	}
	w.await("topic "+topic, func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		_, _ = w.admin.CreateTopic(ctx, partitions, 3, all, topic) // it may be there already: the answer was lost
		topics, err := w.admin.ListTopics(ctx, topic)
		return err == nil && len(topics[topic].Partitions) == partitions
	})
}

// await looks until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			w.t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// flows waits until every partition has had more acknowledgements: half a second's worth of them all.
func (w *world) flows(when string) {
	w.t.Helper()
	for topic, load := range w.loads {
		before := load.Counts()
		w.await("acknowledgements from every partition of "+topic+", "+when, func() bool {
			for partition, count := range load.Counts() {
				if count < before[partition]+perSecond/2/partitions {
					return false
				}
			}
			return true
		})
	}
}

// terms are the leaders and leader epochs of all partitions, as the cluster tells them.
func (w *world) terms() map[string][2]int32 {
	w.t.Helper()
	terms := map[string][2]int32{}
	w.await("the cluster to tell its leaders", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		topics, err := w.admin.ListTopicsWithInternal(ctx, created, appended)
		if err != nil {
			return false
		}
		topics.EachPartition(func(p kadm.PartitionDetail) {
			terms[p.Topic+"/"+string(rune('0'+p.Partition))] = [2]int32{p.Leader, p.LeaderEpoch}
		})
		return len(terms) == 2*partitions
	})
	return terms
}

// mends waits until every replica is in sync again.
func (w *world) mends() {
	w.t.Helper()
	w.await("all replicas to be in sync", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		topics, err := w.admin.ListTopics(ctx, created, appended)
		whole := err == nil && len(topics) == 2
		topics.EachPartition(func(p kadm.PartitionDetail) { whole = whole && len(p.ISR) == 3 })
		return whole
	})
}

// briefly is more than a step of the clock may cost a partition by far, on a busy machine.
const briefly = 15 * time.Second

// steady does something that must not cost anybody its place, nor the load more than a moment. On a busy machine a broker may
// miss its time by chance; what comes of the step comes each time.
func (w *world) steady(what string, step func()) {
	w.t.Helper()
	for try := 1; ; try++ {
		before := w.terms()
		for _, load := range w.loads {
			load.Mark()
		}
		step()
		after := w.terms()
		for topic, load := range w.loads {
			s := load.Stalls()
			w.t.Logf("%s: nothing acknowledged of %s for %s, of one partition for %s (the load itself stood still for %s)", what, topic,
				s.All.Round(time.Millisecond), s.Partition.Round(time.Millisecond), s.Own.Round(time.Millisecond))
			if s.Partition-s.Own > briefly {
				w.t.Errorf("%s: a partition of %s stood still for %s", what, topic, s.Partition.Round(time.Millisecond))
			}
		}
		if maps.Equal(before, after) {
			return
		}
		w.t.Logf("%s: leaders were %v, and are %v", what, before, after)
		if try == 3 {
			w.t.Errorf("%s: leaders change each time", what)
			return
		}
		w.mends()
	}
}

// verify ends the load and reads everything back.
func (w *world) verify() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	defer cancel()
	for topic, load := range w.loads {
		sent := load.Finish(ctx)
		if len(sent.Refused) > 0 {
			w.t.Errorf("the producer of %s was told of failures: %v", topic, sent.Refused)
		}
		verdict, err := numbers.Verify(ctx, w.cluster.Target(), topic, sent)
		if err != nil || !verdict.Clean() {
			w.t.Errorf("topic %s: %v, %+v", topic, err, verdict)
			continue
		}
		w.t.Logf("topic %s: %d records acknowledged, %d read", topic, verdict.Acked, verdict.Read)
	}
	for _, p := range w.cluster.Processes() {
		if raw, err := os.ReadFile(p.Log); err != nil || says(raw, "records are lost") || says(raw, "panic:") {
			w.t.Errorf("%s tells of lost records, or has panicked:\n%s", p.Name, p.Tail())
		}
	}
}

func says(raw []byte, text string) bool { return bytes.Contains(raw, []byte(text)) }
