package clocks

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/test/trials/nodes"
)

// An hour forward, and a little less back: a broker refuses records that are more than an hour ahead of its clock, as Kafka
// does (message.timestamp.after.max.ms).
const (
	forward = time.Hour
	back    = -59 * time.Minute
)

// member is one of a group that must keep its place.
type member struct {
	client *kgo.Client
	read   atomic.Int64
	lost   atomic.Int32
	ended  chan struct{}
}

func (w *world) join(group string) *member {
	w.t.Helper()
	m := &member{ended: make(chan struct{})}
	gone := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		if len(partitions) > 0 { // a member that finds no coordinator at first is told so too, and has none yet
			m.lost.Add(1)
		}
	}
	var err error
	m.client, err = w.cluster.Target().Client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(created), kgo.AutoCommitInterval(200*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone))
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(m.ended)
		for {
			fetches := m.client.PollFetches(w.t.Context())
			if fetches.IsClientClosed() || w.t.Context().Err() != nil {
				return
			}
			m.read.Add(int64(fetches.NumRecords()))
		}
	}()
	w.t.Cleanup(func() {
		m.client.Close()
		<-m.ended
	})
	w.await("the group's first records", func() bool { return m.read.Load() > 0 })
	return m
}

// reads waits until the group gets more.
func (w *world) reads(m *member, when string) {
	w.t.Helper()
	before := m.read.Load()
	w.await("the group to read on, "+when, func() bool { return m.read.Load() > before+perSecond/4 })
}

// commits has a group that nobody is in remember offsets.
func (w *world) commits(group string) {
	w.t.Helper()
	offsets := kadm.Offsets{}
	for p := range int32(partitions) {
		offsets.AddOffset(created, p, int64(p), -1)
	}
	w.await("offsets to be committed", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		answer, err := w.admin.CommitOffsets(ctx, group, offsets)
		return err == nil && answer.Error() == nil
	})
}

// remembers tells how many offsets of a group are there.
func (w *world) remembers(group string) int {
	w.t.Helper()
	found := 0
	w.await("the offsets of "+group, func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		answer, err := w.admin.FetchOffsets(ctx, group)
		if err != nil || answer.Error() != nil {
			return false
		}
		found = 0
		answer.Each(func(o kadm.OffsetResponse) {
			if o.At == int64(o.Partition) {
				found++
			}
		})
		return true
	})
	return found
}

// Clocks of brokers are set forward and back: of one alone, and of all. Records and offsets that are to be kept for two hours are
// kept, members stay in their group, leaders lead on.
func TestBrokers(t *testing.T) {
	w := newWorld(t)
	present := w.join("present")
	w.commits("absent")
	brokers := []*nodes.Process{w.cluster.Nodes[0].Broker, w.cluster.Nodes[1].Broker, w.cluster.Nodes[2].Broker}
	for _, these := range [][]*nodes.Process{{w.coordinator("present")}, brokers} {
		for _, ahead := range []time.Duration{forward, 0, back, 0} {
			what := fmt.Sprintf("clocks of %d brokers at %s", len(these), ahead)
			w.steady(what, func() {
				for _, p := range these {
					w.set(p, ahead)
				}
				w.flows(what)
				w.reads(present, what)
			})
		}
	}
	if lost := present.lost.Load(); lost > 0 {
		t.Errorf("the group's member has lost its partitions %d times", lost)
	}
	if n := w.remembers("absent"); n != partitions {
		t.Errorf("of %d committed offsets %d are left", partitions, n)
	}
	w.verify()
	w.goesByTheClock(brokers)
}

// coordinator is the broker that looks after a group.
func (w *world) coordinator(group string) *nodes.Process {
	w.t.Helper()
	found := 0
	w.await("a coordinator", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		for _, c := range w.admin.FindGroupCoordinators(ctx, group) {
			found = int(c.NodeID)
		}
		return found > 0
	})
	return w.cluster.Nodes[found-1].Broker
}

// goesByTheClock shows that what was tried was a step of the clock indeed: what is to be kept for half an hour goes after one, and
// a record from two hours ahead is refused.
func (w *world) goesByTheClock(brokers []*nodes.Process) {
	w.t.Helper()
	const topic = "kept-for-half-an-hour"
	w.create(topic, map[string]string{"retention.ms": "1800000"})
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	produce := func() error {
		return w.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("soon gone")}).FirstErr()
	}
	if err := produce(); err != nil {
		w.t.Fatal(err)
	}
	for _, p := range brokers {
		w.set(p, forward)
	}
	w.await("the record to be too old", func() bool {
		starts, err := w.admin.ListStartOffsets(ctx, topic)
		gone := int64(0)
		starts.Each(func(o kadm.ListedOffset) { gone += o.Offset })
		return err == nil && gone == 1
	})
	for _, p := range brokers {
		w.set(p, -2*time.Hour)
	}
	if err := produce(); !errors.Is(err, kerr.InvalidTimestamp) {
		w.t.Errorf("a record from two hours ahead: %v, want %v", err, kerr.InvalidTimestamp)
	}
	for _, p := range brokers {
		w.set(p, 0)
	}
	if err := produce(); err != nil {
		w.t.Errorf("with the right time again: %v", err)
	}
}
