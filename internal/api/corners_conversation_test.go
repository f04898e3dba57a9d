package api

import (
	"fmt"
	"strings"
	"testing"

	"barnabas/internal/record"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const cornersFile = "testdata/corners.kafka-4.4.txt"

// TestCornersAnswerAsKafka asks what clients seldom ask: for resources of no type, topics without a name or without partitions, cursors
// that lead nowhere, settings of other brokers. It compares each answer, in all versions, with the one that Apache Kafka 4.4.0 gave
// (with offsets.topic.num.partitions=1 and auto.create.topics.enable=false).
func TestCornersAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker { return newBroker(t, map[string]string{"auto.create.topics.enable": "false"}) }
	answersAsKafka(t, cornersFile, talkOfCorners, start)
}

func talkOfCorners(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	k.createRefused()
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 5000
	create.Topics = append(create.Topics, newTopicRequest("corner", 3, 1))
	create.SetVersion(7)
	k.id = asks(create).(*kmsg.CreateTopicsResponse).Topics[0].TopicID
	k.oddResources()
	k.oddAlterations()
	k.oddBatches()
	k.noPartitions()
	k.oddFetches()
	k.oddEndpoints()
	k.oddCursors()
	k.oddFeatures()
	k.oddDeletions()
	k.removeTopic("corner")
	return k.out.String()
}

// createRefused has topics refused: their settings are empty and not null.
func (k *talker) createRefused() {
	for version := int16(2); version <= 7; version++ {
		r := kmsg.NewPtrCreateTopicsRequest()
		r.TimeoutMillis = 5000
		r.Topics = append(r.Topics, newTopicRequest("a b", 1, 1), newTopicRequest("two", 1, 1), newTopicRequest("two", 1, 1))
		k.ask("create what is refused", version, r)
	}
}

// oddResources describes resources of types that nobody knows, of other brokers and without names.
func (k *talker) oddResources() {
	describe := func(version int16, kinds []kmsg.ConfigResourceType, name string) {
		r := kmsg.NewPtrDescribeConfigsRequest()
		for _, kind := range kinds {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType, resource.ResourceName, resource.ConfigNames = kind, name, []string{"none"}
			r.Resources = append(r.Resources, resource)
		}
		k.ask(fmt.Sprintf("describe %v %q", kinds, name), version, r)
	}
	for version := int16(1); version <= 4; version++ {
		for _, name := range []string{"", "7", "x", "+1", "corner"} {
			for _, kind := range []kmsg.ConfigResourceType{0, 1, 2, 4, 16, 32, 64} {
				describe(version, []kmsg.ConfigResourceType{kind}, name)
			}
			describe(version, []kmsg.ConfigResourceType{2, 64, 4}, name)
		}
		for _, name := range []string{"", "7", "corner"} { // loggers of its own each broker has others
			describe(version, []kmsg.ConfigResourceType{8}, name)
		}
	}
}

// oddAlterations changes settings of brokers, and of what is none, none of which comes about.
func (k *talker) oddAlterations() {
	value := "5"
	kinds := []kmsg.ConfigResourceType{0, 2, 4, 8, 64}
	for _, kind := range kinds {
		for _, name := range []string{"7", "x", "-1", "1 "} {
			for version := int16(0); version <= 2; version++ {
				for _, given := range []*string{nil, &value} {
					resource := kmsg.NewAlterConfigsRequestResource()
					resource.ResourceType, resource.ResourceName = kind, name
					resource.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "log.retention.ms", Value: given}}
					r := kmsg.NewPtrAlterConfigsRequest()
					r.ValidateOnly, r.Resources = true, append(r.Resources, resource)
					k.ask(fmt.Sprintf("replace %v %q", kind, name), version, r)
				}
			}
			for op := range kmsg.IncrementalAlterConfigOp(4) {
				k.alterOdd(kind, name, "log.retention.ms", op, nil)
				k.alterOdd(kind, name, "log.retention.ms", op, &value)
			}
		}
	}
	for _, name := range []string{"", "1"} {
		for _, setting := range []string{"log.retention.ms", "message.max.bytes", "compression.type"} {
			k.alterOdd(4, name, setting, 2, &value)
			k.alterOdd(4, name, setting, 3, &value)
		}
	}
	k.alterOdd(8, "1", "log.retention.ms", 0, &value)
}

func (k *talker) alterOdd(kind kmsg.ConfigResourceType, name, setting string, op kmsg.IncrementalAlterConfigOp, value *string) {
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kind, name
	resource.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: setting, Op: op, Value: value}}
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.ValidateOnly, r.Resources = true, append(r.Resources, resource)
	for version := int16(0); version <= 1; version++ {
		k.ask(fmt.Sprintf("%v %s of %v %q", op, setting, kind, name), version, r)
	}
}

// oddBatches have more than one thing wrong with them: what is said is what Kafka looks at first.
func (k *talker) oddBatches() {
	good := fixedBatch(k.t, record.Options{}, thatDay, "a")
	for version := int16(3); version <= 13; version++ {
		for _, acks := range []int16{1, 2, -2} {
			for _, partition := range []int32{0, 7} {
				for what, batch := range [][]byte{good, append(good[:len(good):len(good)], good...), good[:20]} {
					r := produceTo("corner", partition, acks, append([]byte(nil), batch...))
					r.Topics[0].TopicID = k.id
					k.ask(fmt.Sprintf("produce %d to %d with acks %d", what, partition, acks), version, r)
				}
			}
		}
	}
}

// noPartitions names topics and none of their partitions.
func (k *talker) noPartitions() {
	for _, topics := range [][]string{{"corner"}, {"corner", "nowhere"}} {
		for version := int16(1); version <= 11; version++ {
			r := kmsg.NewPtrListOffsetsRequest()
			for _, name := range topics {
				r.Topics = append(r.Topics, kmsg.ListOffsetsRequestTopic{Topic: name})
			}
			k.ask("offsets of no partitions", version, r)
		}
		for version := int16(0); version <= 2; version++ {
			r := kmsg.NewPtrDeleteRecordsRequest()
			for _, name := range topics {
				r.Topics = append(r.Topics, kmsg.DeleteRecordsRequestTopic{Topic: name})
			}
			k.ask("delete records of no partitions", version, r)
		}
		for version := int16(3); version <= 13; version++ {
			r := kmsg.NewPtrProduceRequest()
			r.Acks, r.TimeoutMillis = 1, 1000
			for _, name := range topics {
				r.Topics = append(r.Topics, kmsg.ProduceRequestTopic{Topic: name, TopicID: k.id})
			}
			k.ask("produce to no partitions", version, r)
		}
		for version := int16(1); version <= 2; version++ {
			r := moveRequest("/nowhere", topics[0])
			for _, name := range topics[1:] {
				r.Dirs[0].Topics = append(r.Dirs[0].Topics, kmsg.AlterReplicaLogDirsRequestDirTopic{Topic: name})
			}
			k.ask("move no partitions", version, r)
		}
	}
}

// oddFetches reads committed records where there are none, begins sessions without partitions, and has partitions forgotten of
// which no session knows.
func (k *talker) oddFetches() {
	for version := int16(4); version <= 18; version++ {
		fetch := func(name string, change func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition)) *kmsg.FetchResponse {
			r := fetchFrom("corner", k.id, 0, 0)
			r.IsolationLevel, r.MaxWaitMillis = 1, 5
			change(r, &r.Topics[0].Partitions[0])
			return k.ask("fetch "+name, version, r).(*kmsg.FetchResponse)
		}
		fetch("past the end", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 999 })
		fetch("before the start", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = -1 })
		fetch("an epoch to come", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 7 })
		fetch("where logs part", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
			p.LastFetchedEpoch, p.FetchOffset = 0, 999
		})
		fetch("no such partition", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 7 })
		if version < 7 {
			continue
		}
		forget := []kmsg.FetchRequestForgottenTopic{{Topic: "corner", TopicID: k.id, Partitions: []int32{0}}}
		fetch("what is forgotten, without a session", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ForgottenTopics = forget })
		for _, name := range []string{"what is forgotten", "nothing"} {
			session := fetch(name+", in a new session", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
				r.SessionEpoch = 0
				if r.ForgottenTopics = forget; name == "nothing" {
					r.Topics = nil
				}
			})
			fmt.Fprintf(&k.out, "a session: %t\n", session.SessionID > 0)
			fetch("more, in that session", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
				r.SessionID, r.SessionEpoch = session.SessionID, 1
			})
			session = fetch("nothing more, in that session", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
				r.SessionID, r.SessionEpoch, r.Topics, r.ForgottenTopics = session.SessionID, 2, nil, forget
			})
			fmt.Fprintf(&k.out, "a session: %t\n", session.SessionID > 0)
		}
	}
}

// oddEndpoints asks for controllers, coordinators of no kind, and the quorum and the producers of what has none.
func (k *talker) oddEndpoints() {
	for version := int16(1); version <= 2; version++ {
		for _, kind := range []int8{-1, 0, 2, 3} {
			r := kmsg.NewPtrDescribeClusterRequest()
			r.EndpointType = kind
			k.ask(fmt.Sprintf("endpoints of type %d", kind), version, r)
		}
	}
	for version := int16(1); version <= 6; version++ {
		for _, kind := range []int8{-1, 3, 100} {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = kind, "one", []string{"one", "two"}
			k.ask(fmt.Sprintf("coordinator of type %d", kind), version, r)
		}
	}
	for version := int16(0); version <= 2; version++ {
		for _, topics := range [][]string{{"corner"}, {"corner", "__cluster_metadata"}, {"nowhere"}} {
			r := kmsg.NewPtrDescribeQuorumRequest()
			for _, name := range topics {
				partitions := []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}, {Partition: 1}}
				r.Topics = append(r.Topics, kmsg.DescribeQuorumRequestTopic{Topic: name, Partitions: partitions})
			}
			k.ask(fmt.Sprintf("quorum of %v", topics), version, r)
		}
	}
	for _, name := range []string{"corner", "nowhere", "a b", ".", "..", "", strings.Repeat("x", 250)} {
		r := kmsg.NewPtrDescribeProducersRequest()
		r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: name, Partitions: []int32{1, 7, -1}}}
		k.ask("producers of "+name, 0, r)
	}
}

func (k *talker) oddCursors() {
	for _, topics := range [][]string{nil, {"corner"}, {"nowhere", "corner"}} {
		for _, topic := range []string{"corner", "nowhere", "zzz"} {
			for _, partition := range []int32{-1, 0, 2, 3, 9} {
				r := kmsg.NewPtrDescribeTopicPartitionsRequest()
				r.ResponsePartitionLimit = 2
				for _, name := range topics {
					r.Topics = append(r.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
				}
				r.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: partition}
				if topics == nil && partition >= 0 { // other topics may be there
					continue
				}
				k.ask(fmt.Sprintf("partitions of %v from %s %d", topics, topic, partition), 0, r)
			}
		}
	}
}

func (k *talker) oddFeatures() {
	for version := int16(0); version <= 2; version++ {
		for _, kind := range []int8{0, 1, 2, 3, 4} {
			r := kmsg.NewPtrUpdateFeaturesRequest()
			r.ValidateOnly, r.TimeoutMillis = true, 5000
			update := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			update.Feature, update.MaxVersionLevel, update.UpgradeType = "metadata.version", -1, kind
			r.FeatureUpdates = append(r.FeatureUpdates, update)
			k.ask(fmt.Sprintf("feature below zero, type %d", kind), version, r)
		}
		for _, level := range []int16{0, -1} {
			r := kmsg.NewPtrUpdateFeaturesRequest()
			r.ValidateOnly, r.TimeoutMillis = true, 5000
			update := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			update.Feature, update.MaxVersionLevel, update.AllowDowngrade, update.UpgradeType = "no.such.feature", level, true, 2
			r.FeatureUpdates = append(r.FeatureUpdates, update)
			k.ask(fmt.Sprintf("unknown feature, level %d", level), version, r)
		}
		r := kmsg.NewPtrUpdateFeaturesRequest()
		r.ValidateOnly, r.TimeoutMillis = true, 5000
		k.ask("no features", version, r)
	}
}

// oddDeletions deletes topics by the empty name.
func (k *talker) oddDeletions() {
	empty, nowhere := "", "nowhere"
	for version := int16(1); version <= 6; version++ {
		r := kmsg.NewPtrDeleteTopicsRequest()
		r.TimeoutMillis, r.TopicNames = 5000, []string{empty, nowhere}
		r.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &empty}, {Topic: &nowhere, TopicID: [16]byte{9}}}
		k.ask("delete by the empty name", version, r)
		r.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &empty, TopicID: [16]byte{9}}}
		if version == 6 {
			corner := "corner"
			k.ask("delete by the empty name and an id", version, r)
			r.Topics = []kmsg.DeleteTopicsRequestTopic{{TopicID: k.id}, {Topic: &nowhere}, {Topic: &corner}}
			k.ask("delete by name and by id", version, r)
		}
	}
}
