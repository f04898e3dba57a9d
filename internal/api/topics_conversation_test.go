package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"barnabas/internal/record"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const topicsFile = "testdata/topics.kafka-4.4.txt"

// TestTopicsAnswerAsKafka has a conversation about topics, records and settings, in all versions, and compares each answer
// with the one that Apache Kafka 4.4.0 gave. What differs from run to run is left out.
func TestTopicsAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker { return newBroker(t, map[string]string{"auto.create.topics.enable": "false"}) }
	answersAsKafka(t, topicsFile, talkOfTopics, start, unheardOf)
}

// unheardOf is in a message of Kafka's: nothing is cordoned here.
const unheardOf = " or some brokers have all their log directories cordoned"

func talkOfTopics(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	k.versions()
	k.create()
	k.describe()
	k.write()
	k.read()
	k.sessions()
	k.offsets()
	k.settings()
	k.partitions()
	k.remove()
	return k.out.String()
}

func (k *talker) versions() {
	for version := int16(0); version <= 5; version++ {
		r := kmsg.NewPtrApiVersionsRequest()
		r.ClientSoftwareName, r.ClientSoftwareVersion = "test", "1"
		k.ask("versions", version, r)
		r.ClientSoftwareName = "-bad name"
		k.ask("versions, bad name", version, r)
	}
	other, r := "AAAAAAAAAAAAAAAAAAAAAA", kmsg.NewPtrApiVersionsRequest()
	r.ClientSoftwareName, r.ClientSoftwareVersion = "test", "1"
	r.ClusterID, r.NodeID = &other, 1
	k.ask("versions, other cluster", 5, r)
	r.NodeID = -1
	k.ask("versions, other cluster, no node", 5, r)
	r.ClusterID, r.NodeID = nil, 9
	k.ask("versions, other node, no cluster", 5, r)
}

func newTopicRequest(name string, partitions int32, replicas int16) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	return t
}

func (k *talker) create() {
	create := func(name string, version int16, topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsResponse {
		r := kmsg.NewPtrCreateTopicsRequest()
		r.TimeoutMillis, r.Topics = 10_000, topics
		r.ValidateOnly = strings.HasPrefix(name, "validate")
		request := kmsg.Request(r)
		request.SetVersion(version)
		response := k.asks(request).(*kmsg.CreateTopicsResponse)
		for i := range response.Topics { // all settings are listed: their defaults are compared elsewhere
			response.Topics[i].Configs = nil
		}
		k.note(name, version, response)
		return response
	}
	made := create("create", 7, newTopicRequest("words", 2, 1))
	k.id = made.Topics[0].TopicID
	small := newTopicRequest("small", 1, 1)
	for _, entry := range [][2]string{{"max.message.bytes", "200"}, {"message.timestamp.after.max.ms", "1000"}} {
		small.Configs = append(small.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: entry[0], Value: &entry[1]})
	}
	create("create", 7, small)
	bad := newTopicRequest("bad", 1, 1)
	value := "x"
	bad.Configs = append(bad.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: "retention.ms", Value: &value})
	manual := newTopicRequest("manual", -1, -1)
	manual.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{1}}}
	elsewhere := newTopicRequest("elsewhere", -1, -1)
	elsewhere.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{9}}}
	both := newTopicRequest("both", 1, 1)
	both.ReplicaAssignment = manual.ReplicaAssignment
	for version := int16(2); version <= 7; version++ {
		create("validate", version, newTopicRequest("other", 3, 1), manual)
		create("refused", version, newTopicRequest("words", 1, 1))
		create("refused", version, newTopicRequest("a b", 1, 1))
		create("refused", version, newTopicRequest("", 1, 1))
		create("refused", version, newTopicRequest(strings.Repeat("x", 250), 1, 1))
		create("refused", version, newTopicRequest("none", 0, 1))
		create("refused", version, newTopicRequest("none", 1, 0))
		create("refused", version, newTopicRequest("none", 1, 7))
		create("refused", version, bad)
		create("refused", version, elsewhere)
		create("refused", version, both)
		create("refused", version, newTopicRequest("twice", 1, 1), newTopicRequest("twice", 1, 1))
	}
}

func (k *talker) describe() {
	for version := int16(0); version <= 13; version++ {
		r := kmsg.NewPtrMetadataRequest()
		for _, name := range []string{"words", "nowhere", "a b", "words"} {
			r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &name})
		}
		r.IncludeTopicAuthorizedOperations, r.IncludeClusterAuthorizedOperations = true, true
		if version < 4 {
			r.Topics = r.Topics[:1] // older versions always create
		}
		k.ask("metadata", version, r)
		if version >= 1 {
			r.Topics = []kmsg.MetadataRequestTopic{}
			k.ask("metadata of none", version, r)
		}
		if version >= 12 {
			r.Topics = []kmsg.MetadataRequestTopic{{TopicID: k.id}, {TopicID: [16]byte{9}}}
			k.ask("metadata by id", version, r)
		}
	}
	for version := int16(0); version <= 2; version++ {
		r := kmsg.NewPtrDescribeClusterRequest()
		r.IncludeClusterAuthorizedOperations = true
		k.ask("cluster", version, r)
	}
	r := kmsg.NewPtrDescribeTopicPartitionsRequest()
	r.ResponsePartitionLimit = 2
	for _, name := range []string{"words", "small", "nowhere", "a b"} {
		r.Topics = append(r.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
	}
	k.ask("partitions", 0, r)
	r.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "words", Partition: 1}
	k.ask("partitions from a cursor", 0, r)
}

// fixedBatch is the same at every run: it has a time of its own.
func fixedBatch(t *testing.T, o record.Options, at int64, values ...string) []byte {
	t.Helper()
	b := record.NewBuilder(o)
	for _, v := range values {
		b.Append(at, []byte("key"), []byte(v))
	}
	batch, err := b.Build()
	must(t, err)
	return slices.Clone(batch)
}

const thatDay = 1_700_000_000_000

func (k *talker) write() {
	good := fixedBatch(k.t, record.Options{}, thatDay, "a", "b")
	broken := slices.Clone(good)
	broken[len(broken)-1] ^= 1
	old := slices.Clone(good)
	old[16] = 1
	control := fixedBatch(k.t, record.Options{Control: true, Producer: &record.Producer{ID: 70, Transactional: true}}, thatDay, "x")
	again := fixedBatch(k.t, record.Options{Producer: &record.Producer{ID: 7000}}, thatDay, "once")
	gap := fixedBatch(k.t, record.Options{Producer: &record.Producer{ID: 7000, Sequence: 9}}, thatDay, "gap")
	for version := int16(3); version <= 13; version++ {
		put := func(name, topic string, acks int16, batch []byte) {
			r := produceTo(topic, 0, acks, slices.Clone(batch))
			if r.Topics[0].TopicID = k.id; topic != "words" {
				r.Topics[0].TopicID = [16]byte{9}
			}
			k.ask("produce "+name, version, r)
		}
		put("all", "words", -1, good)
		put("one", "words", 1, good)
		put("unknown", "nowhere", 1, good)
		put("acks", "words", 3, good)
		put("crc", "words", 1, broken)
		put("short", "words", 1, good[:len(good)-2])
		put("tiny", "words", 1, good[:10])
		put("two", "words", 1, slices.Concat(good, good))
		put("magic", "words", 1, old)
		put("control", "words", 1, control)
		put("idempotent", "words", -1, again)
		put("gap", "words", -1, gap)
		if version < 13 {
			put("large", "small", 1, fixedBatch(k.t, record.Options{}, thatDay, strings.Repeat("x", 300)))
			put("future", "small", 1, fixedBatch(k.t, record.Options{}, 4_000_000_000_000, "x"))
		}
		if version < 7 {
			put("zstd", "words", 1, fixedBatch(k.t, record.Options{Codec: record.Zstd}, thatDay, "x"))
		}
	}
}

func (k *talker) read() {
	for version := int16(4); version <= 18; version++ {
		get := func(name string, change func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition)) {
			r := fetchFrom("words", k.id, 0, 0)
			r.MaxWaitMillis = 10
			change(r, &r.Topics[0].Partitions[0])
			k.ask("fetch "+name, version, r)
		}
		get("start", func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition) {})
		get("committed", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
			r.IsolationLevel, p.FetchOffset = 1, 40
		})
		get("little", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { r.MaxBytes = 1 })
		get("end", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 45 })
		get("past", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 999 })
		get("epoch", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 7 })
		get("partition", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 7 })
		get("topic", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
			r.Topics[0].Topic, r.Topics[0].TopicID = "nowhere", [16]byte{9}
		})
		get("unknown last epoch", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.LastFetchedEpoch = 7 })
		get("diverging", func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
			p.LastFetchedEpoch, p.FetchOffset = 0, 999
		})
	}
}

func (k *talker) sessions() {
	for _, version := range []int16{7, 12, 13, 18} {
		r := fetchFrom("words", k.id, 0, 40)
		p := r.Topics[0].Partitions[0]
		p.Partition, p.FetchOffset = 1, 0
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, p)
		r.MaxWaitMillis, r.SessionEpoch = 10, 0
		session := k.ask("session", version, r).(*kmsg.FetchResponse).SessionID
		next := kmsg.NewPtrFetchRequest()
		next.MaxBytes, next.MaxWaitMillis, next.SessionID, next.SessionEpoch = 1<<20, 10, session, 1
		k.ask("session goes on", version, next)
		k.ask("session at a wrong epoch", version, next)
		next.SessionID++
		k.ask("session that is none", version, next)
		next.SessionID, next.SessionEpoch = session, -1
		k.ask("session ends", version, next)
	}
}

func (k *talker) offsets() {
	for version := int16(1); version <= 11; version++ {
		for _, at := range []int64{-1, -2, -3, -4, -5, -6, -7, 0, thatDay, thatDay + 1} {
			r := kmsg.NewPtrListOffsetsRequest()
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = "words"
			for _, n := range []int32{0, 1, 7} {
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.Timestamp = n, at
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics, r.TimeoutMillis = append(r.Topics, t), 1000
			k.ask(fmt.Sprintf("offsets at %d", at), version, r)
		}
	}
	for version := int16(2); version <= 4; version++ {
		for _, epoch := range []int32{-1, 0, 3} {
			r := kmsg.NewPtrOffsetForLeaderEpochRequest()
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic = "words"
			for _, current := range []int32{-1, 0, 5} {
				p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
				p.LeaderEpoch, p.CurrentLeaderEpoch = epoch, current
				t.Partitions = append(t.Partitions, p)
			}
			r.Topics = append(r.Topics, t)
			k.ask(fmt.Sprintf("end of epoch %d", epoch), version, r)
		}
	}
	r := kmsg.NewPtrDescribeProducersRequest()
	r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "words", Partitions: []int32{0, 7}}}
	k.ask("producers", 0, r)
	for version := int16(0); version <= 2; version++ {
		r := kmsg.NewPtrDeleteRecordsRequest()
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = "words"
		for n, offset := range []int64{5, -1, 3} {
			t.Partitions = append(t.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: int32(n), Offset: offset})
		}
		r.Topics, r.TimeoutMillis = append(r.Topics, t), 5000
		k.ask("delete records", version, r)
		r.Topics[0].Partitions = r.Topics[0].Partitions[:1]
		r.Topics[0].Partitions[0].Offset = 999
		k.ask("delete records past the end", version, r)
	}
}

func (k *talker) settings() {
	retention, words := "86400000", "words"
	for version := int16(0); version <= 1; version++ {
		change := func(name, topic, key string, op kmsg.IncrementalAlterConfigOp, value *string) {
			r := kmsg.NewPtrIncrementalAlterConfigsRequest()
			resource := kmsg.NewIncrementalAlterConfigsRequestResource()
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
			entry := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			entry.Name, entry.Op, entry.Value = key, op, value
			resource.Configs = append(resource.Configs, entry)
			r.Resources = append(r.Resources, resource)
			k.ask("alter "+name, version, r)
		}
		change("set", words, "retention.ms", 0, &retention)
		change("bad value", words, "retention.ms", 0, &words)
		change("null", words, "retention.ms", 0, nil)
		change("unknown", words, "no.such", 0, &retention)
		change("append to a number", words, "retention.ms", 2, &retention)
		change("unknown topic", "nowhere", "retention.ms", 0, &retention)
	}
	for version := int16(1); version <= 4; version++ {
		r := kmsg.NewPtrDescribeConfigsRequest()
		r.IncludeSynonyms = true
		for _, name := range []string{words, "nowhere", "a b"} {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, name
			resource.ConfigNames = []string{"cleanup.policy", "max.message.bytes"}
			r.Resources = append(r.Resources, resource)
		}
		for _, name := range []string{"7", "x"} {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeBroker, name
			r.Resources = append(r.Resources, resource)
		}
		k.ask("settings", version, r)
	}
	for version := int16(0); version <= 1; version++ {
		r := kmsg.NewPtrListConfigResourcesRequest()
		r.ResourceTypes = []int8{2, 4, 16, 32}
		k.ask("resources", version, r)
	}
	r := kmsg.NewPtrListConfigResourcesRequest()
	r.ResourceTypes = []int8{77}
	k.ask("resources of no type", 1, r)
}

func (k *talker) partitions() {
	for version := int16(0); version <= 3; version++ {
		more := func(name, topic string, count int32) {
			r := kmsg.NewPtrCreatePartitionsRequest()
			t := kmsg.NewCreatePartitionsRequestTopic()
			t.Topic, t.Count = topic, count
			r.Topics, r.TimeoutMillis = append(r.Topics, t), 5000
			if name == "twice" {
				r.Topics = append(r.Topics, t)
			}
			k.ask("more partitions "+name, version, r)
		}
		more("fewer", "words", 1)
		more("same", "words", 2)
		more("unknown", "nowhere", 5)
		more("negative", "words", -5)
		more("twice", "words", 9)
	}
}

func (k *talker) remove() {
	for version := int16(1); version <= 6; version++ {
		r := kmsg.NewPtrDeleteTopicsRequest()
		r.TimeoutMillis = 5000
		nowhere, words := "nowhere", "words"
		r.TopicNames = []string{nowhere}
		r.Topics = []kmsg.DeleteTopicsRequestTopic{
			{Topic: &nowhere}, {TopicID: [16]byte{9}}, {}, {Topic: &words, TopicID: k.id},
		}
		k.ask("delete", version, r)
	}
	for _, name := range []string{"small", "words"} {
		r := kmsg.NewPtrDeleteTopicsRequest()
		r.TimeoutMillis, r.TopicNames = 5000, []string{name}
		k.ask("delete", 5, r)
	}
}
