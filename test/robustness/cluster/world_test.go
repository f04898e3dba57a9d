package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/test/trials/nodes"
	"barnabas/test/trials/numbers"
)

// patience bounds every wait for what ought to happen soon, on a busy machine.
const patience = 60 * time.Second

const (
	topic      = "numbers"
	partitions = 6
	perSecond  = 500
	recordSize = 512
	keeperID   = 100
)

// world is a cluster in a network of its own, and a load on it.
type world struct {
	t       *testing.T
	net     *network
	cluster *nodes.Cluster
	load    *numbers.Load
	client  *kgo.Client
	admin   *kadm.Client
}

// newWorld starts all and waits until the load is under way. data are directories of brokers, by number.
func newWorld(t *testing.T, data map[int]string, settings ...string) *world {
	t.Parallel()
	w := &world{t: t, net: newNetwork(t, 1, 2, 3, keeperID)}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.cluster = nodes.Barnabas{
		Program: program, Layout: nodes.Apart, Dir: t.TempDir(), Net: prefix, Settings: settings,
		KeeperArgs: []string{self, nodes.KeeperCommand}, Namespace: w.net.namespace, Dial: w.net.dial, Data: data,
	}.Cluster()
	t.Cleanup(func() {
		if dir := os.Getenv("SHOW"); dir != "" && t.Failed() {
			_ = os.CopyFS(filepath.Join(dir, t.Name()), os.DirFS(w.cluster.Dir()))
		}
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
	client, err := w.cluster.Target().Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.client, w.admin = client, kadm.NewClient(client)
	w.create(ctx)
	o := numbers.Options{
		Target: w.cluster.Target(), Topic: topic, Partitions: partitions, Rate: perSecond, Size: recordSize,
		MaxBuffered: 1 << 20,
	}
	if dir := os.Getenv("SHOW"); dir != "" {
		if o.Log, err = os.Create(filepath.Join(dir, t.Name()+".client.log")); err != nil {
			t.Fatal(err)
		}
	}
	if w.load, err = numbers.Start(o); err != nil {
		t.Fatal(err)
	}
	w.flows("at the beginning")
	return w
}

func (w *world) create(ctx context.Context) {
	min := "2"
	w.await("the topic", func() bool {
		_, err := w.admin.CreateTopic(ctx, partitions, 3, map[string]*string{"min.insync.replicas": &min}, topic)
		return err == nil || errors.Is(err, kerr.TopicAlreadyExists) // an answer was lost
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
			w.t.Fatalf("waited in vain for %s; the cluster says %+v", what, w.details())
		case <-tick.C:
		}
	}
}

// flows waits until every partition has had more acknowledgements: half a second's worth of them all.
func (w *world) flows(when string) {
	w.t.Helper()
	before := w.load.Counts()
	w.await("acknowledgements from every partition, "+when, func() bool {
		for partition, count := range w.load.Counts() {
			if count < before[partition]+perSecond/2/partitions {
				return false
			}
		}
		return true
	})
}

// passes lets the trouble last for a while.
func (w *world) passes(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
}

// details are the topic's partitions as the cluster tells them.
func (w *world) details() []kadm.PartitionDetail {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	topics, err := w.admin.ListTopics(ctx, topic)
	if err != nil {
		return nil
	}
	return topics[topic].Partitions.Sorted()
}

// led counts the partitions that a broker leads, -1 when nobody tells.
func (w *world) led(id int) int {
	all := w.details()
	if len(all) != partitions {
		return -1
	}
	count := 0
	for _, p := range all {
		if p.Leader == int32(id) {
			count++
		}
	}
	return count
}

// mends waits until every replica is in sync again, and every broker says so of the same leaders: one that was away
// says for a moment what was so when it went.
func (w *world) mends() {
	w.t.Helper()
	w.await("all replicas to be in sync, as all brokers say", func() bool {
		first := w.toldBy(1)
		for _, p := range first {
			if len(p.ISR) != 3 {
				return false
			}
		}
		same := func(id int) bool { return slices.EqualFunc(first, w.toldBy(id), sameState) }
		return len(first) == partitions && same(2) && same(3)
	})
}

func sameState(a, b kmsg.MetadataResponseTopicPartition) bool {
	return a.Partition == b.Partition && a.Leader == b.Leader && a.LeaderEpoch == b.LeaderEpoch && slices.Equal(a.ISR, b.ISR)
}

// toldBy are the topic's partitions as one broker tells them.
func (w *world) toldBy(id int) []kmsg.MetadataResponseTopicPartition {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	request, name := kmsg.NewPtrMetadataRequest(), topic
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = &name
	request.Topics = append(request.Topics, one)
	answer, err := w.client.Broker(id).RetriableRequest(ctx, request)
	if err != nil {
		return nil
	}
	topics := answer.(*kmsg.MetadataResponse).Topics
	if len(topics) != 1 {
		return nil
	}
	slices.SortFunc(topics[0].Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
	return topics[0].Partitions
}

// node is a broker's.
func (w *world) node(id int) *nodes.Node { return w.cluster.Nodes[id-1] }

// leader is the number of a broker that leads something.
func (w *world) leader() int {
	w.t.Helper()
	found := 0
	w.await("a leader", func() bool {
		for _, p := range w.details() {
			found = int(p.Leader)
		}
		return found > 0
	})
	return found
}

// stalled says how long the load has stood still since the mark.
func (w *world) stalled(what string) {
	s := w.load.Stalls()
	w.t.Logf("%s: nothing acknowledged for %s, of one partition for %s (the load itself stood still for %s)", what,
		s.All.Round(time.Millisecond), s.Partition.Round(time.Millisecond), s.Own.Round(time.Millisecond))
}

// slowForLong has a leader wait for longer than any test for a follower that is merely slow: acknowledgements that flow all the
// same do so because others have noticed that it is cut off.
const slowForLong = "replica.lag.time.max.ms=600000"

// verify ends the load and reads everything back.
func (w *world) verify() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	sent := w.load.Finish(ctx)
	if len(sent.Refused) > 0 {
		w.t.Errorf("the producer was told of failures: %v", sent.Refused)
	}
	verdict, err := numbers.Verify(ctx, w.cluster.Target(), topic, sent)
	if err != nil {
		w.t.Errorf("reading back: %v", err)
	}
	if verdict == nil || !verdict.Clean() {
		w.t.Errorf("the promise is broken: %+v", verdict)
	} else {
		w.t.Logf("%d records acknowledged, %d read", verdict.Acked, verdict.Read)
	}
	for _, p := range w.cluster.Processes() {
		if says(p, "records are lost") || says(p, "panic:") {
			w.t.Errorf("%s tells of lost records, or has panicked:\n%s", p.Name, p.Tail())
		}
	}
}

// says tells whether a process has printed something.
func says(p *nodes.Process, text string) bool {
	raw, err := os.ReadFile(p.Log)
	return err == nil && bytes.Contains(raw, []byte(text))
}
