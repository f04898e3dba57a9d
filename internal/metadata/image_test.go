package metadata

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"barnabas/internal/ident"
)

// world makes images out of puts and deletes, one revision each.
type world struct {
	t   testing.TB
	img *Image
}

func newWorld(t testing.TB) *world { return &world{t, NewImage()} }

func put(key string, value []byte) Event { return Event{KV: KV{Key: key, Value: value}} }
func gone(key string) Event              { return Event{KV: KV{Key: key}, Deleted: true} }

func (w *world) apply(events ...Event) *Delta {
	w.t.Helper()
	rev := w.img.Revision() + 1
	for i := range events {
		events[i].Created, events[i].Modified = rev, rev
	}
	img, d, err := w.img.Apply(rev, events)
	if err != nil {
		w.t.Fatal(err)
	}
	w.img = img
	return d
}

func topicID(n byte) ident.TopicID { return ident.TopicID{n} }

func led(by ident.BrokerID) []byte {
	return EncodePartition(&Partition{Replicas: []ident.BrokerID{by}, Leader: by, ISR: []Member{{Broker: by}}, Ceiling: CeilingStep})
}

func newTopic(id ident.TopicID, name string, partitions int32) (events []Event) {
	for n := range partitions {
		events = append(events, put(PartitionKey(id, n), led(1)))
	}
	return append(events, put(TopicKey(id), EncodeTopic(name, partitions)))
}

func TestTopicAppearsWhenAnnounced(t *testing.T) {
	w := newWorld(t)
	id := topicID(1)
	if d := w.apply(put(PartitionKey(id, 0), led(1)), put(PartitionKey(id, 1), led(1))); !d.Empty() {
		t.Errorf("partitions of no topic are told of: %+v", d)
	}
	if w.img.TopicByID(id) != nil || w.img.NumTopics() != 0 {
		t.Error("a topic is there before its key")
	}
	if left := w.img.Leftovers(); !slices.Equal(left, []string{PartitionKey(id, 0), PartitionKey(id, 1)}) {
		t.Errorf("leftovers are %v", left)
	}
	d := w.apply(put(TopicKey(id), EncodeTopic("t", 2)))
	if len(d.Topics) != 1 || d.Topics[0].Old != nil || len(d.Partitions) != 2 {
		t.Errorf("delta is %+v", d)
	}
	if got := w.img.Topic("t"); got == nil || got != w.img.TopicByID(id) || w.img.NumPartitions() != 2 {
		t.Errorf("topic is %+v", got)
	}
	// One partition more is seen when the topic says so.
	if d := w.apply(put(PartitionKey(id, 2), led(1))); !d.Empty() || w.img.Topic("t").Partition(2) != nil {
		t.Errorf("delta is %+v", d)
	}
	if left := w.img.Leftovers(); !slices.Equal(left, []string{PartitionKey(id, 2)}) {
		t.Errorf("leftovers are %v", left)
	}
	d = w.apply(put(TopicKey(id), EncodeTopic("t", 3)))
	if left := w.img.Leftovers(); len(left) > 0 {
		t.Errorf("leftovers are %v", left)
	}
	if len(d.Topics) != 1 || d.Topics[0].Old == nil || len(d.Partitions) != 1 || d.Partitions[0].Number != 2 || d.Partitions[0].Old != nil {
		t.Errorf("delta is %+v", d)
	}
}

func TestOneEventTouchesOnePartition(t *testing.T) {
	w := newWorld(t)
	w.apply(newTopic(topicID(1), "a", 100)...)
	w.apply(newTopic(topicID(2), "b", 1)...)
	before := w.img
	d := w.apply(put(PartitionKey(topicID(1), 50), led(7)))
	if len(d.Partitions) != 1 || d.Partitions[0].Old.Leader != 1 || d.Partitions[0].New.Leader != 7 || len(d.Topics) != 0 {
		t.Errorf("delta is %+v", d)
	}
	if before.Topic("a").Partition(50).Leader != 1 {
		t.Error("the image before has changed")
	}
	if before.Topic("a").Partition(49) != w.img.Topic("a").Partition(49) || before.Topic("b") != w.img.Topic("b") {
		t.Error("what did not change was copied")
	}
}

func TestDeletedTopic(t *testing.T) {
	w := newWorld(t)
	id := topicID(1)
	w.apply(append(newTopic(id, "t", 3), put(ConfigKey(Resource{TopicResource, "t"}), EncodeConfig(map[string]string{"a": "b"})))...)
	d := w.apply(gone(TopicKey(id)), gone(PartitionKey(id, 0)), gone(PartitionKey(id, 1)), gone(PartitionKey(id, 2)),
		gone(ConfigKey(Resource{TopicResource, "t"})))
	if len(d.Partitions) != 3 || d.Partitions[0].New != nil || len(d.Topics) != 1 || d.Topics[0].New != nil || len(d.Configs) != 1 {
		t.Errorf("delta is %+v", d)
	}
	if w.img.NumTopics() != 0 || w.img.NumPartitions() != 0 || w.img.topics.byID.Len() != 0 {
		t.Error("something is left")
	}
}

// A topic deleted and made anew under its name within one change, in either order of events.
func TestTopicMadeAnew(t *testing.T) {
	for _, newFirst := range []bool{false, true} {
		w := newWorld(t)
		w.apply(newTopic(topicID(1), "t", 1)...)
		events := []Event{gone(TopicKey(topicID(1))), gone(PartitionKey(topicID(1), 0))}
		if newFirst {
			events = append(newTopic(topicID(2), "t", 2), events...)
		} else {
			events = append(events, newTopic(topicID(2), "t", 2)...)
		}
		d := w.apply(events...)
		if got := w.img.Topic("t"); got == nil || got.ID != topicID(2) || w.img.NumTopics() != 1 || w.img.NumPartitions() != 2 {
			t.Errorf("topic is %+v", got)
		}
		if len(d.Topics) != 2 || len(d.Partitions) != 3 {
			t.Errorf("delta is %+v", d)
		}
	}
}

func TestBrokers(t *testing.T) {
	w := newWorld(t)
	b := &Broker{Stores: []ident.StoreID{{1}}, Endpoints: []Endpoint{{Listener: "L", Host: "h", Port: 1}}}
	d := w.apply(put(BrokerKey(10), EncodeBroker(b)), put(MemberKey(10), EncodeBroker(b)), put(BrokerKey(9), EncodeBroker(b)))
	if len(d.Brokers) != 2 || d.Brokers[0].ID != 9 || w.img.NumBrokers() != 2 {
		t.Errorf("delta is %+v", d)
	}
	if got := w.img.Broker(10); got.Epoch != 1 || !got.HasStore(ident.StoreID{1}) {
		t.Errorf("broker is %+v", got)
	}
	if e, ok := w.img.Brokers()[0].Endpoint("L"); !ok || e.Port != 1 {
		t.Errorf("endpoint is %+v", e)
	}
	d = w.apply(gone(BrokerKey(10)))
	if len(d.Brokers) != 1 || d.Brokers[0].New != nil || w.img.Broker(10) != nil || w.img.Member(10) == nil {
		t.Errorf("delta is %+v", d)
	}
}

func TestOtherKeys(t *testing.T) {
	w := newWorld(t)
	loss := &Loss{TopicID: topicID(1), Topic: "t", Partition: 2, LeaderEpoch: 3, Start: 4, End: 5, Cause: "c"}
	cluster := Cluster{ID: ident.ClusterID{9}, BornMs: 8}
	d := w.apply(
		put(ClusterKey(), EncodeCluster(cluster)), put(ControllerKey(), EncodeElection(4)),
		put(FeatureKey("f"), EncodeFeature(3)), put(ProducersKey(), EncodeProducers(5000)),
		put(LossKey(topicID(1), 2, 3), EncodeLoss(loss)), put("unknown/kind", []byte("of a later release")),
		put(ConfigKey(Resource{GroupResource, "a/b"}), EncodeConfig(map[string]string{"x": "<&>"})),
	)
	if !d.Cluster || !d.Controller || !d.Features || len(d.Losses) != 1 || len(d.Configs) != 1 {
		t.Errorf("delta is %+v", d)
	}
	if w.img.Cluster() != cluster || w.img.Controller() != (Election{4, 1}) || w.img.Feature("f") != 3 || w.img.NextProducerID() != 5000 {
		t.Errorf("image is %+v", w.img)
	}
	if got := w.img.Config(Resource{GroupResource, "a/b"}); got["x"] != "<&>" {
		t.Errorf("config is %v", got)
	}
	for got := range w.img.Losses() {
		loss.Key = got.Key
		if *got != *loss {
			t.Errorf("loss is %+v", got)
		}
	}
	d = w.apply(gone(ControllerKey()), gone(FeatureKey("f")), gone(LossKey(topicID(1), 2, 3)))
	if !d.Controller || !d.Features || w.img.ControllerID() != ident.NoBroker || w.img.NumLosses() != 0 {
		t.Errorf("delta is %+v", d)
	}
}

func TestUnreadableValueNamesItsKey(t *testing.T) {
	for key, value := range map[string]string{
		TopicKey(topicID(1)): `{"name":""}`, PartitionKey(topicID(1), 0): "\x00", BrokerKey(1): "{", "brokers/-1": "{}",
		"topics/short": "{}", "partitions/x/0": "", "configs/topic": "{}", FeatureKey("f"): "many", ProducersKey(): "",
		ClusterKey(): "", ControllerKey(): "[]", FormatKey(): "zero",
	} {
		_, _, err := NewImage().Apply(1, []Event{put(key, []byte(value))})
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: error %v", key, err)
		}
		if key != FeatureKey("f") && key != ProducersKey() && errors.Is(err, ErrNewerFormat) {
			t.Errorf("%s: error %v", key, err)
		}
	}
}

// Apply's delta is the whole difference, as Diff finds it by walking both images.
func TestDeltaIsTheDifference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		names := map[byte]string{1: "a", 2: "b", 3: "c"}
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			before := w.img
			keys := map[string]bool{}
			var events []Event
			for range rapid.IntRange(1, 8).Draw(rt, "events") {
				e := drawEvent(rt, names)
				if !keys[e.Key] {
					keys[e.Key] = true
					events = append(events, e)
				}
			}
			d := w.apply(events...)
			if want := Diff(before, w.img); !sameDelta(d, want) {
				rt.Fatalf("delta %+v\nwant  %+v", d, want)
			}
			if whole := Diff(NewImage(), w.img); len(whole.Partitions) > w.img.NumPartitions() {
				rt.Fatalf("%d partitions differ from nothing, the image says it has %d", len(whole.Partitions), w.img.NumPartitions())
			}
		}
	})
}

func drawEvent(t *rapid.T, names map[byte]string) Event {
	n := rapid.ByteRange(1, 3).Draw(t, "topic")
	id := topicID(n)
	deleted := rapid.Bool().Draw(t, "deleted")
	var e Event
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		e = put(TopicKey(id), EncodeTopic(names[n], rapid.Int32Range(1, 5).Draw(t, "count")))
	case 1:
		e = put(PartitionKey(id, rapid.Int32Range(0, 5).Draw(t, "partition")), led(ident.BrokerID(n)))
	case 2:
		e = put(BrokerKey(ident.BrokerID(n)), EncodeBroker(&Broker{}))
	default:
		e = put(ConfigKey(Resource{TopicResource, names[n]}), EncodeConfig(map[string]string{"k": "v"}))
	}
	e.Deleted = deleted
	return e
}

// sameDelta compares without the order, which Diff has otherwise; a config that changes to itself is no matter.
func sameDelta(a, b *Delta) bool {
	partitions := func(d *Delta) (lines []string) {
		for _, c := range d.Partitions {
			lines = append(lines, fmt.Sprintf("%s %v %p %p", c.TopicPartition(), c.TopicID, c.Old, c.New))
		}
		slices.Sort(lines)
		return lines
	}
	topics := func(d *Delta) (lines []string) {
		for _, c := range d.Topics {
			lines = append(lines, fmt.Sprintf("%p %p", c.Old, c.New))
		}
		slices.Sort(lines)
		return lines
	}
	return slices.Equal(partitions(a), partitions(b)) && slices.Equal(topics(a), topics(b)) &&
		reflect.DeepEqual(a.Brokers, b.Brokers)
}

func big(t testing.TB, topics int, partitions int32) *Image {
	w := newWorld(t)
	var events []Event
	for i := range topics {
		id := ident.TopicID{byte(i), byte(i >> 8), byte(i >> 16), 1}
		events = append(events, newTopic(id, fmt.Sprintf("topic-%06d", i), partitions)...)
	}
	w.apply(events...)
	return w.img
}

func TestLookupsDoNotAllocate(t *testing.T) {
	img := big(t, 1000, 2)
	id := img.Topic("topic-000500").ID
	allocs := testing.AllocsPerRun(100, func() {
		if img.Topic("topic-000500").Partition(1) == nil || img.TopicByID(id) == nil || img.Topic("no such") != nil {
			t.Fatal("lookup")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a lookup", allocs)
	}
}

// An idle partition, a topic of its own, takes at most 600 bytes of the image.
func TestMemoryOfAPartition(t *testing.T) {
	const n = 10_000
	before := heap()
	img := big(t, n, 1)
	each := (heap() - before) / n
	runtime.KeepAlive(img)
	t.Logf("%d bytes a partition", each)
	if each > 600 {
		t.Errorf("%d bytes a partition, want 600 at most", each)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestOneEventCopiesLittle(t *testing.T) {
	for name, img := range map[string]*Image{"wide": big(t, 1, 10_000), "many": big(t, 10_000, 1)} {
		topic := img.Topic("topic-000000")
		event := put(PartitionKey(topic.ID, 0), led(2))
		event.Modified = 2
		n := bytesPerRun(func() {
			if _, _, err := img.Apply(2, []Event{event}); err != nil {
				t.Fatal(err)
			}
		})
		if n > 8192 {
			t.Errorf("%s: an event copies %d bytes", name, n)
		}
	}
}

// bytesPerRun is how much a function allocates.
func bytesPerRun(f func()) uint64 {
	const runs = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

func TestTopicsInOrder(t *testing.T) {
	img := big(t, 100, 1)
	var names []string
	for topic := range img.TopicsFrom("topic-000097x") {
		names = append(names, topic.Name)
	}
	if !slices.Equal(names, []string{"topic-000098", "topic-000099"}) {
		t.Errorf("got %v", names)
	}
}
