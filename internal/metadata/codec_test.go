package metadata

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

func drawPartition(t *rapid.T) *Partition {
	broker := rapid.Int32Range(0, 1<<31-1)
	ids := func(name string) (list []ident.BrokerID) {
		for range rapid.IntRange(0, 4).Draw(t, name) {
			list = append(list, ident.BrokerID(broker.Draw(t, "broker")))
		}
		return list
	}
	members := func(name string) (list []Member) {
		for _, id := range ids(name) {
			var m Member
			m.Broker = id
			copy(m.Store[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "store"))
			list = append(list, m)
		}
		return list
	}
	var refuges []Refuge
	for _, from := range ids("refuges") {
		refuges = append(refuges, Refuge{From: from, At: ident.BrokerID(broker.Draw(t, "at"))})
	}
	p := &Partition{
		Replicas: ids("replicas"), ISR: members("isr"), ELR: members("elr"),
		Adding: ids("adding"), Removing: ids("removing"),
		Leader:      ident.BrokerID(rapid.Int32Range(-1, 1<<31-1).Draw(t, "leader")),
		LeaderEpoch: record.Epoch(rapid.Int32Range(0, 1<<31-1).Draw(t, "leader epoch")),
		Epoch:       rapid.Int32Range(0, 1<<31-1).Draw(t, "epoch"),
		Ceiling:     record.Offset(rapid.Int64Range(0, 1<<63-1).Draw(t, "ceiling")),
		Start:       record.Offset(rapid.Int64Range(0, 1<<63-1).Draw(t, "start")),
		Looked:      Revision(rapid.Int64Range(0, 1<<63-1).Draw(t, "looked")),
	}
	p.SetRefuges(refuges)
	return p
}

func TestPartitionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawPartition(t)
		value := EncodePartition(want)
		got, err := DecodePartition(value)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, error %v; want %+v", got, err, want)
		}
		for cut := range len(value) {
			if _, err := DecodePartition(value[:cut]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("the first %d of %d bytes: %v", cut, len(value), err)
			}
		}
	})
}

// The numbers that docs/formats/metadata.md names.
func TestPartitionIsSmall(t *testing.T) {
	one := Partition{Replicas: []ident.BrokerID{1}, ISR: make([]Member, 1), Leader: 1, Ceiling: CeilingStep}
	three := Partition{Replicas: []ident.BrokerID{1, 2, 3}, ISR: make([]Member, 3), Leader: 1, Ceiling: CeilingStep}
	if n := len(EncodePartition(&one)); n > 40 {
		t.Errorf("one replica takes %d bytes", n)
	}
	if n := len(EncodePartition(&three)); n > 80 {
		t.Errorf("three replicas take %d bytes", n)
	}
}

func TestNewerVersions(t *testing.T) {
	if _, err := DecodePartition([]byte{partitionVersionRefuge + 1, 0}); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("a partition of a newer version: %v", err)
	}
	event := Event{KV: KV{Key: FormatKey(), Value: []byte("2")}}
	if _, _, err := NewImage().Apply(1, []Event{event}); !errors.Is(err, ErrNewerFormat) {
		t.Errorf("metadata of format 2: %v", err)
	}
	event.Value = EncodeFormat()
	if _, _, err := NewImage().Apply(1, []Event{event}); err != nil {
		t.Errorf("metadata of this format: %v", err)
	}
}

func FuzzDecodePartition(f *testing.F) {
	f.Add(EncodePartition(&Partition{Leader: -1}))
	f.Add(EncodePartition(&Partition{
		Replicas: []ident.BrokerID{1, 2}, ISR: []Member{{Broker: 1}}, ELR: []Member{{Broker: 2}},
		Leader: 1, LeaderEpoch: 3, Epoch: 4, Ceiling: CeilingStep,
	}))
	f.Add(EncodePartition(&Partition{Leader: -1, Inquiry: InquiryTorn, Resume: 7, Named: 3}))
	f.Add(EncodePartition(&Partition{Leader: 1, Looked: 300}))
	f.Add(EncodePartition(&Partition{Leader: 1, refuges: &[]Refuge{{From: 2, At: 1}}}))
	f.Fuzz(func(t *testing.T, value []byte) {
		p, err := DecodePartition(value)
		if err != nil {
			return
		}
		again, err := DecodePartition(EncodePartition(p))
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%+v becomes %+v, error %v", p, again, err)
		}
	})
}

// Whatever stands in the store, Apply answers with an Image or an error.
func FuzzApply(f *testing.F) {
	topic := ident.NewTopicID()
	f.Add(TopicKey(topic), EncodeTopic("t", 1), false)
	f.Add(PartitionKey(topic, 0), EncodePartition(&Partition{}), false)
	f.Add(BrokerKey(1), EncodeBroker(&Broker{}), false)
	f.Add(MemberKey(1), EncodeBroker(&Broker{}), true)
	f.Add(ConfigKey(Resource{TopicResource, "t"}), EncodeConfig(map[string]string{"a": "b"}), false)
	f.Add(FeatureKey("metadata.version"), EncodeFeature(7), false)
	f.Add(LossKey(topic, 0, 1), EncodeLoss(&Loss{}), false)
	f.Add(AnswerKey(topic, 0, 1), EncodeAnswer(&Answer{End: 7}), false)
	f.Add(ClusterKey(), EncodeCluster(Cluster{}), false)
	f.Add(ControllerKey(), EncodeElection(1), false)
	f.Add(ProducersKey(), EncodeProducers(1000), false)
	f.Add("partitions/x/y", []byte{}, true)
	f.Fuzz(func(t *testing.T, key string, value []byte, deleted bool) {
		event := Event{KV: KV{Key: key, Value: value, Created: 1, Modified: 1}, Deleted: deleted}
		if img, d, err := NewImage().Apply(1, []Event{event}); err == nil && (img == nil || d == nil) {
			t.Error("neither an image nor an error")
		}
	})
}
