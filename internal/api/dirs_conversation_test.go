package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const dirsFile = "testdata/dirs.kafka-4.4.txt"

// TestLogDirectoriesAnswerAsKafka asks one broker with two log directories to move replicas between them, in all versions, and
// compares each answer with the one that Apache Kafka 4.4.0 gave. That one was started with log.dirs=/tmp/dirs-of-kafka/a,/tmp/dirs-of-kafka/b.
func TestLogDirectoriesAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker {
		return newBrokerIn(t, map[string]string{"auto.create.topics.enable": "false"}, firstDir, secondDir)
	}
	answersAsKafka(t, dirsFile, talkOfDirs, start)
}

const (
	firstDir  = "/tmp/dirs-of-kafka/a"
	secondDir = "/tmp/dirs-of-kafka/b"
)

func talkOfDirs(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	k := &talker{t: t, asks: asks}
	long := strings.Repeat("l", 230)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 5000
	create.Topics = append(create.Topics, newTopicRequest("moved", 2, 1), newTopicRequest(long, 1, 1))
	create.SetVersion(4)
	asks(create)
	for version := int16(1); version <= 2; version++ {
		for _, dir := range []string{"/nowhere", "relative", "", firstDir + "/", secondDir} {
			k.moveDir("unknown topic to "+dir, version, dir, "nowhere", 0)
			k.moveDir("unknown partition to "+dir, version, dir, "moved", 9)
			k.moveDir("negative partition to "+dir, version, dir, "moved", -1)
			k.moveDir("bad name to "+dir, version, dir, "a/b", 0)
			k.moveDir("long name to "+dir, version, dir, long, 0)
		}
		for _, dir := range []string{"/nowhere", firstDir + "/"} {
			k.moveDir("to "+dir, version, dir, "moved", 0)
		}
		k.ask("nothing", version, kmsg.NewPtrAlterReplicaLogDirsRequest())
		// Where the two are is the broker's choice: one of the directories is where it is already.
		k.moveDir("to the first", version, firstDir, "moved", 0, 1)
		k.moveDir("to the second", version, secondDir, "moved", 0, 1)
	}
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TimeoutMillis, remove.TopicNames = 5000, []string{"moved", long}
	remove.SetVersion(5)
	asks(remove)
	return k.out.String()
}

func moveRequest(dir, topic string, partitions ...int32) *kmsg.AlterReplicaLogDirsRequest {
	r := kmsg.NewPtrAlterReplicaLogDirsRequest()
	t := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
	t.Topic, t.Partitions = topic, partitions
	d := kmsg.NewAlterReplicaLogDirsRequestDir()
	d.Dir, d.Topics = dir, append(d.Topics, t)
	r.Dirs = append(r.Dirs, d)
	return r
}

func (k *talker) moveDir(name string, version int16, dir, topic string, partitions ...int32) {
	k.ask("move "+name, version, moveRequest(dir, topic, partitions...))
}
