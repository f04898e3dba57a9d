package step

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// commit is an offset on its way to a coordinator, told from others by its number, which is its metadata. Or it is the removal of one,
// by whoever asked for that or in the course of time: its offset is -1 then.
type commit struct {
	number     int
	group      *consumers
	partition  int32
	offset     int64
	member     string
	generation int32
	// rec is the batch that holds it, once a coordinator has written it; acked that a coordinator has answered so.
	rec   *rec
	acked bool
}

// commitSoon commits now and then, and always with the generation that the member knows.
func (mb *member) commitSoon() {
	mb.here(mb.between(5*time.Millisecond, 60*time.Millisecond), "commit", mb.commitSoon)
	if mb.calm() || len(mb.owned) == 0 || mb.generation < 0 {
		return
	}
	if !mb.steady && !mb.oneIn(4) {
		return
	}
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = sharedTopic
	var sent []*commit
	for _, p := range mb.owned {
		if _, known := mb.positions[p]; !known {
			continue
		}
		mb.positions[p] += 1 + mb.rng.Int64N(5)
		c := mb.newCommit(p, mb.positions[p])
		sent, topic.Partitions = append(sent, c), append(topic.Partitions, c.request())
	}
	if len(sent) == 0 {
		return
	}
	number := mb.number
	mb.sendCommits(topic, sent, func(code int16) {
		if mb.number == number && mb.steady {
			mb.refused(code)
		}
	})
}

func (mb *member) newCommit(partition int32, offset int64) *commit {
	c := &commit{number: len(mb.commits), group: mb.consumers, partition: partition, offset: offset, member: mb.id, generation: mb.generation}
	mb.commits = append(mb.commits, c)
	return c
}

func (c *commit) request() kmsg.OffsetCommitRequestTopicPartition {
	said := strconv.Itoa(c.number)
	return kmsg.OffsetCommitRequestTopicPartition{Partition: c.partition, Offset: c.offset, LeaderEpoch: -1, Metadata: &said}
}

// sendCommits sends offsets to the coordinator, and has the first one's outcome heard.
func (mb *member) sendCommits(topic kmsg.OffsetCommitRequestTopic, sent []*commit, hear func(code int16)) {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 8, mb.consumers.name, mb.id, mb.instance, mb.generation
	r.Topics = []kmsg.OffsetCommitRequestTopic{topic}
	mb.call("commit", 200*time.Millisecond, func(m *machine, reply func(func())) {
		m.groups.CommitOffsets(r, func(codes [][]int16) {
			mb.note("committed", mb.name, r.MemberID, r.Generation, codes)
			for i, c := range sent {
				if codes[0][i] == 0 {
					mb.tellCommitted(m, c)
				}
			}
			reply(func() { hear(codes[0][0]) })
		})
	}, func() {})
}

// fetchOffsets asks for committed offsets; 0 where there is none.
func (mb *member) fetchOffsets(numbers []int32, hear func(code int16, found map[int32]int64), otherwise func()) {
	r := kmsg.NewOffsetFetchRequestGroup()
	r.Group = mb.consumers.name
	r.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: sharedTopic, Partitions: numbers}}
	mb.call("fetch offsets", 100*time.Millisecond, func(m *machine, reply func(func())) {
		asked := m.asked(mb.consumers)
		m.groups.FetchOffsets(&r, func(answer kmsg.OffsetFetchResponseGroup) {
			found := map[int32]int64{}
			if answer.ErrorCode == 0 {
				for _, p := range answer.Topics[0].Partitions {
					asked.check(m, p)
					found[p.Partition] = max(p.Offset, 0)
				}
			}
			reply(func() { hear(answer.ErrorCode, found) })
		})
	}, otherwise)
}
