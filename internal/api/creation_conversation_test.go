package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"barnabas/internal/controller"
	"barnabas/internal/group"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const creationFile = "testdata/creation.kafka-4.4.txt"

// TestCreationAnswersAsKafka has topics made by those who ask for their metadata, and the topic of the groups by those who look
// for a coordinator, in all versions, and compares each answer with the one that Apache Kafka 4.4.0 gave (with
// offsets.topic.num.partitions=1). Between two answers it waits until the topic is there: how long that takes nobody promises.
func TestCreationAnswersAsKafka(t *testing.T) {
	start := func() *memoryBroker {
		b := newBroker(t, nil)
		b.InternalTopic = func(name string) (controller.NewTopic, bool) {
			return controller.NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1}, name == group.Topic
		}
		return b
	}
	answersAsKafka(t, creationFile, talkOfCreation, start)
}

func talkOfCreation(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	for version := int16(0); version <= 6; version++ {
		k.coordinator(version)
	}
	for version := int16(0); version <= 13; version++ {
		k.automatic(version)
	}
	return k.out.String()
}

// coordinator looks for one before its topic is there, and after.
func (k *talker) coordinator(version int16) {
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.CoordinatorKey, r.CoordinatorKeys = "one", []string{"one", "two"}
	k.ask("coordinator at first", version, r)
	k.await(group.Topic)
	k.ask("coordinator then", version, r)
	k.removeTopic(group.Topic)
}

// automatic asks for topics that are not there, and again once they are.
func (k *talker) automatic(version int16) {
	name, second := fmt.Sprintf("auto_%d", version), fmt.Sprintf("second-%d", version)
	r := kmsg.NewPtrMetadataRequest()
	r.AllowAutoTopicCreation = true
	r.IncludeTopicAuthorizedOperations, r.IncludeClusterAuthorizedOperations = true, true
	for _, name := range []string{name, second, name, "a b", "", "..", strings.Repeat("x", 250)} {
		r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	k.ask("metadata at first", version, r)
	k.await(name)
	k.await(second)
	k.ask("metadata then", version, r)

	collides := fmt.Sprintf("auto.%d", version)
	r.Topics = []kmsg.MetadataRequestTopic{{Topic: &collides}}
	k.ask("metadata of a name that collides", version, r)
	k.ask("metadata of a name that collides, again", version, r)

	r.Topics = nil
	for _, name := range []string{group.Topic, name} {
		r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	k.ask("metadata of the groups' topic at first", version, r)
	k.await(group.Topic)
	k.ask("metadata of the groups' topic then", version, r)
	k.removeTopic(group.Topic)
}

// look asks for a topic.
func (k *talker) look(name string, mayMake bool) kmsg.MetadataResponseTopic {
	r := kmsg.NewPtrMetadataRequest()
	r.AllowAutoTopicCreation = mayMake
	r.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	r.SetVersion(12)
	return k.asks(r).(*kmsg.MetadataResponse).Topics[0]
}

// await asks until the topic is there, as clients do: who asks while it is being made, and deleted again, gets none made.
func (k *talker) await(name string) {
	k.until(name+" is there", func() bool {
		topic := k.look(name, true)
		return topic.ErrorCode == 0 && len(topic.Partitions) > 0 && topic.Partitions[0].ErrorCode == 0
	})
}

// until asks without a pause: a broker in memory is quick.
func (k *talker) until(what string, holds func() bool) {
	k.t.Helper()
	for began := time.Now(); !holds(); {
		if time.Since(began) > patience {
			k.t.Fatalf("never: %s", what)
		}
	}
}

func (k *talker) removeTopic(name string) {
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.TimeoutMillis, r.Topics, r.TopicNames = 10_000, []kmsg.DeleteTopicsRequestTopic{topic}, []string{name}
	r.SetVersion(6)
	k.asks(r)
	k.until(name+" is gone", func() bool { return k.look(name, false).ErrorCode != 0 })
}
