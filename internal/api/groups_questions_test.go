package api

import (
	"fmt"
	"testing"
	"time"

	"barnabas/internal/ident"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// converse has the conversation and returns the answers, a line each.
func converse(t *testing.T, asks func(kmsg.Request) kmsg.Response) string {
	c := &conversation{t: t, asks: asks, names: map[string]string{}}
	c.prepare()
	c.simpleGroups()
	c.fetches()
	each(0, 9, c.member)
	c.lists()
	each(0, 9, c.refusedJoins)
	return c.out.String()
}

// prepare creates the topics t and u, and has the groups' coordinator up.
func (c *conversation) prepare() {
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version = 7
	create.TimeoutMillis = 5000
	for _, name := range []string{"t", "u"} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 2, 1
		create.Topics = append(create.Topics, topic)
	}
	c.topic = ident.TopicID(c.asks(create).(*kmsg.CreateTopicsResponse).Topics[0].TopicID)
	tick := time.NewTicker(50 * time.Millisecond) // a real Kafka has no event to wait for
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.Version = 3
		find.CoordinatorKey = "g"
		if c.asks(find).(*kmsg.FindCoordinatorResponse).ErrorCode == 0 && c.coordinated() {
			return
		}
	}
	c.t.Fatal("the groups have no coordinator")
}

// coordinated reports whether the coordinators of all groups are at work.
func (c *conversation) coordinated() bool {
	r := kmsg.NewPtrDescribeGroupsRequest()
	r.Groups = []string{"", "simple", "none", "unknown", "x"}
	each(0, 9, func(v int16) { r.Groups = append(r.Groups, fmt.Sprintf("join%d", v)) })
	for _, group := range c.asks(r).(*kmsg.DescribeGroupsResponse).Groups {
		if group.ErrorCode != 0 {
			return false
		}
	}
	return true
}

// commit asks to commit offsets of t and of a topic that does not exist.
func (c *conversation) commit(name string, version int16, change func(*kmsg.OffsetCommitRequest)) {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version = version
	r.Group, r.Generation, r.RetentionTimeMillis = "simple", -1, -1
	words := "meta"
	r.Topics = []kmsg.OffsetCommitRequestTopic{
		{Topic: "t", TopicID: c.topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{
			{Partition: 0, Offset: int64(version), LeaderEpoch: 0, Metadata: &words},
			{Partition: 7, Offset: 1, Metadata: &words},
		}},
		{Topic: "nope", TopicID: [16]byte{9}, Partitions: []kmsg.OffsetCommitRequestTopicPartition{
			{Partition: 0, Offset: 5},
		}},
	}
	change(r)
	c.ask(name, r)
}

func (c *conversation) simpleGroups() {
	each(2, 10, func(v int16) { c.commit("commit", v, func(*kmsg.OffsetCommitRequest) {}) })
	each(2, 10, func(v int16) {
		c.commit("commit without metadata", v, func(r *kmsg.OffsetCommitRequest) {
			r.Topics = r.Topics[:1]
			r.Topics[0].Partitions[0].Metadata = nil
		})
	})
	each(2, 10, func(v int16) {
		c.commit("commit of an unknown group", v, func(r *kmsg.OffsetCommitRequest) {
			r.Group, r.Generation, r.MemberID = "none", 4, "m"
		})
	})
	each(2, 10, func(v int16) {
		c.commit("commit of the empty group", v, func(r *kmsg.OffsetCommitRequest) { r.Group = "" })
	})
}

func (c *conversation) fetches() {
	fetch := func(name string, version int16, group string, all bool) {
		r := kmsg.NewPtrOffsetFetchRequest()
		r.Version = version
		r.Group = group
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberEpoch = group, -1
		if !all {
			r.Topics = []kmsg.OffsetFetchRequestTopic{
				{Topic: "t", Partitions: []int32{0, 1, 7}}, {Topic: "nope", Partitions: []int32{0}},
			}
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{
				{Topic: "t", TopicID: c.topic, Partitions: []int32{0, 1, 7}},
				{Topic: "nope", TopicID: [16]byte{9}, Partitions: []int32{0}},
			}
		}
		r.Groups = []kmsg.OffsetFetchRequestGroup{g}
		c.ask(name, r)
	}
	each(1, 10, func(v int16) { fetch("fetch", v, "simple", false) })
	each(2, 10, func(v int16) { fetch("fetch all", v, "simple", true) })
	each(1, 10, func(v int16) { fetch("fetch of an unknown group", v, "unknown", false) })
	each(2, 10, func(v int16) { fetch("fetch all of an unknown group", v, "unknown", true) })
	each(1, 10, func(v int16) { fetch("fetch of the empty group", v, "", false) })
}

// member goes through the life of a member, in a group of its own.
func (c *conversation) member(v int16) {
	group := fmt.Sprintf("join%d", v)
	generation, member := c.join(v, group)
	c.sync(v, group, member, generation)
	c.heartbeat(v, group, member, generation)
	c.commit("commit of a member", 8, func(r *kmsg.OffsetCommitRequest) {
		r.Group, r.Generation, r.MemberID, r.Topics = group, generation, member, r.Topics[:1]
	})
	c.commit("commit of someone else", 8, func(r *kmsg.OffsetCommitRequest) {
		r.Group, r.Topics = group, r.Topics[:1]
	})
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Version = min(v, 6)
	describe.Groups = []string{group, "unknown", "simple", ""}
	describe.IncludeAuthorizedOperations = v%2 == 1
	c.ask("describe", describe)
	remove := kmsg.NewPtrDeleteGroupsRequest()
	remove.Version = min(v, 3)
	remove.Groups = []string{group, "unknown", ""}
	c.ask("delete while there are members", remove)
	c.leave(v, group, member)
	c.ask("delete", remove)
}

func (c *conversation) join(v int16, group string) (generation int32, member string) {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = v
	r.Group, r.ProtocolType = group, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 10_000
	topicT := []byte{0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff}
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: topicT}}
	response := c.ask("join", r).(*kmsg.JoinGroupResponse)
	if v >= 4 {
		r.MemberID = response.MemberID
		response = c.ask("join with the id", r).(*kmsg.JoinGroupResponse)
	}
	return response.Generation, response.MemberID
}

func (c *conversation) sync(v int16, group, member string, generation int32) {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version = min(v, 5)
	r.Group, r.MemberID = group, member
	if r.Version >= 5 {
		c.ask("sync without a protocol", r)
		kind, protocol := "consumer", "range"
		r.ProtocolType, r.Protocol = &kind, &protocol
	}
	r.Generation = 9
	c.ask("sync of another generation", r)
	r.Generation = generation
	r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{
		{MemberID: member, MemberAssignment: []byte{1, 2, 3}},
	}
	c.ask("sync", r)
	c.ask("sync again", r)
}

func (c *conversation) heartbeat(v int16, group, member string, generation int32) {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version = min(v, 4)
	r.Group, r.MemberID, r.Generation = group, member, generation
	c.ask("heartbeat", r)
	r.Generation = 77
	c.ask("heartbeat of another generation", r)
	r.MemberID = "no"
	c.ask("heartbeat of nobody", r)
	r.Group = ""
	c.ask("heartbeat of the empty group", r)
}

func (c *conversation) leave(v int16, group, member string) {
	offsets := kmsg.NewPtrOffsetDeleteRequest()
	offsets.Group = group
	for _, name := range []string{"t", "u", "nope"} {
		topic := kmsg.OffsetDeleteRequestTopic{Topic: name}
		topic.Partitions = []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}, {Partition: 7}}
		offsets.Topics = append(offsets.Topics, topic)
	}
	c.ask("delete offsets", offsets)
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version = min(v, 5)
	r.Group, r.MemberID = group, member
	nobody := "nobody"
	r.Members = []kmsg.LeaveGroupRequestMember{
		{MemberID: "no"}, {MemberID: member}, {InstanceID: &nobody},
	}
	c.ask("leave", r)
	c.ask("leave again", r)
	offsets.Topics = offsets.Topics[:1]
	c.ask("delete offsets when empty", offsets)
	offsets.Group = "unknown"
	c.ask("delete offsets of an unknown group", offsets)
}

func (c *conversation) lists() {
	each(0, 5, func(v int16) {
		r := kmsg.NewPtrListGroupsRequest()
		r.Version = v
		c.ask("list", r)
	})
	for _, state := range []string{"Empty", "stable", "bogus"} {
		r := kmsg.NewPtrListGroupsRequest()
		r.Version = 5
		r.StatesFilter = []string{state}
		c.ask("list "+state, r)
	}
	for _, kind := range []string{"classic", "Consumer", "bogus"} {
		r := kmsg.NewPtrListGroupsRequest()
		r.Version = 5
		r.TypesFilter = []string{kind}
		c.ask("list type "+kind, r)
	}
}

func (c *conversation) refusedJoins(v int16) {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = v
	r.SessionTimeoutMillis, r.ProtocolType = 10_000, "consumer"
	c.ask("join of the empty group", r)
	r.Group, r.SessionTimeoutMillis = "x", 10
	c.ask("join with a short session", r)
	r.SessionTimeoutMillis = 10_000
	c.ask("join without protocols", r)
	r.MemberID = "who"
	c.ask("join of nobody", r)
}
