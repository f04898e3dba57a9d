package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const reassignFile = "testdata/reassign.kafka-4.4.txt"

// TestReassignmentsAnswerAsKafka asks one broker to move replicas, in all versions, and compares each answer with the one that
// Apache Kafka 4.4.0 gave.
func TestReassignmentsAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker { return newBroker(t, map[string]string{"auto.create.topics.enable": "false"}) }
	answersAsKafka(t, reassignFile, talkOfReplicas, start)
}

func talkOfReplicas(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 5000
	create.Topics = append(create.Topics, newTopicRequest("moved", 2, 1))
	create.SetVersion(4)
	asks(create)
	for version := int16(0); version <= 1; version++ {
		k.move("same", version, "moved", 0, []int32{1})
		k.move("end", version, "moved", 0, nil)
		k.move("unknown broker", version, "moved", 0, []int32{7})
		k.move("one more unknown", version, "moved", 0, []int32{1, 7})
		k.move("twice the same", version, "moved", 0, []int32{1, 1})
		k.move("nowhere", version, "moved", 0, []int32{})
		k.move("negative", version, "moved", 0, []int32{-1})
		k.move("unknown partition", version, "moved", 5, []int32{1})
		k.move("unknown topic", version, "nowhere", 0, []int32{1})
		k.move("end, unknown topic", version, "nowhere", 0, nil)
		k.move("no topic", version, "", 0, []int32{1})
		k.list("all", nil)
		k.list("none", []string{})
		k.list("unknown", []string{"nowhere"})
		k.list("one", []string{"moved"})
	}
	for version := int16(0); version <= 2; version++ {
		for _, kind := range []int8{0, 1, 2} {
			if version == 0 && kind > 0 {
				continue
			}
			r := kmsg.NewPtrElectLeadersRequest()
			r.ElectionType, r.TimeoutMillis = kind, 5000
			k.ask("elect all", version, r)
			for _, topic := range []string{"moved", "nowhere"} {
				t := kmsg.NewElectLeadersRequestTopic()
				t.Topic, t.Partitions = topic, []int32{0, 9}
				r.Topics = append(r.Topics, t)
			}
			k.ask("elect some", version, r)
		}
	}
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TimeoutMillis, remove.TopicNames = 5000, []string{"moved"}
	k.ask("delete", 5, remove)
	return k.out.String()
}

// move asks for other replicas, in version 1 with and without leave to change their number.
func (k *talker) move(name string, version int16, topic string, partition int32, replicas []int32) {
	r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	r.TimeoutMillis = 5000
	p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Partition, p.Replicas = partition, replicas
	t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	k.ask("move, "+name, version, r)
	if version > 0 {
		r.AllowReplicationFactorChange = false
		k.ask("move, "+name+", same number", version, r)
	}
}

func (k *talker) list(name string, topics []string) {
	r := kmsg.NewPtrListPartitionReassignmentsRequest()
	r.TimeoutMillis = 5000
	if topics != nil {
		r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{}
	}
	for _, topic := range topics {
		t := kmsg.NewListPartitionReassignmentsRequestTopic()
		t.Topic, t.Partitions = topic, []int32{0, 1, 9}
		r.Topics = append(r.Topics, t)
	}
	k.ask("list, "+name, 0, r)
}
