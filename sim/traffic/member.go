package traffic

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/sim/check"
)

// GroupPartitions is how many partitions the members of a group share out. They commit offsets of a topic that is
// there for that alone.
const GroupPartitions = 4

// member is a member of a classic group.
type member struct {
	*client
	group      string
	topic      *Topic
	id         string
	generation int32
	mine       []int32
	made       int
}

// Join runs a member of a group until ctx ends. It commits, is idle, leaves, and vanishes sometimes.
func (e *Env) Join(ctx context.Context, number int, group string, topic *Topic) {
	m := &member{client: e.client(fmt.Sprintf("member-%d", number), 200+uint64(number)), group: group, topic: topic}
	defer m.close()
	for m.rest(ctx, 500*time.Millisecond) {
		if !m.join(ctx) {
			continue
		}
		for m.rest(ctx, time.Second) && m.heartbeat() {
			m.work()
			if m.chance(25) {
				m.leave()
				break
			}
			if m.chance(40) { // vanish: the session runs out
				m.id = ""
				m.rest(ctx, 10*time.Second)
				break
			}
		}
	}
}

// locate asks for the coordinator, which makes the offsets topic.
func (c *client) locate(group string) bool {
	request := kmsg.NewPtrFindCoordinatorRequest()
	request.Version, request.CoordinatorKeys = 4, []string{group}
	answer, err := ask[*kmsg.FindCoordinatorResponse](c, c.anywhere(), request)
	if err != nil || len(answer.Coordinators) != 1 || answer.Coordinators[0].ErrorCode != 0 {
		return false
	}
	if c.coordinator = c.Addresses[0]; len(c.Addresses) > 1 {
		c.coordinator = c.At(answer.Coordinators[0].NodeID)
	}
	return true
}

// join goes through a rebalance. True when the member has its partitions.
func (m *member) join(ctx context.Context) bool {
	if !m.locate(m.group) {
		return false
	}
	request := kmsg.NewPtrJoinGroupRequest()
	request.Version, request.Group, request.MemberID, request.ProtocolType = 9, m.group, m.id, "consumer"
	request.SessionTimeoutMillis, request.RebalanceTimeoutMillis = 6000, 4000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", []byte(m.name)
	request.Protocols = append(request.Protocols, protocol)
	begun := m.History.Now()
	answer, err := ask[*kmsg.JoinGroupResponse](m.client, m.coordinator, request)
	if err != nil {
		return false
	}
	switch answer.ErrorCode {
	case kerr.MemberIDRequired.Code:
		m.id = answer.MemberID
		return ctx.Err() == nil && m.join(ctx)
	case kerr.UnknownMemberID.Code:
		m.id = ""
		return false
	case 0:
	default:
		return false
	}
	m.id, m.generation = answer.MemberID, answer.Generation
	m.History.Joined(begun, check.Join{Group: m.group, Member: m.id, Generation: m.generation})
	return m.sync(answer)
}

// sync hands out partitions, as the leader, and takes this member's.
func (m *member) sync(joined *kmsg.JoinGroupResponse) bool {
	request := kmsg.NewPtrSyncGroupRequest()
	request.Version, request.Group, request.MemberID, request.Generation = 5, m.group, m.id, m.generation
	kind, protocol := "consumer", "range"
	request.ProtocolType, request.Protocol = &kind, &protocol
	if joined.LeaderID == m.id {
		for i, other := range joined.Members {
			given := kmsg.NewSyncGroupRequestGroupAssignment()
			given.MemberID = other.MemberID
			var share []string
			for p := i; p < GroupPartitions; p += len(joined.Members) {
				share = append(share, strconv.Itoa(p))
			}
			given.MemberAssignment = []byte(strings.Join(share, ","))
			request.GroupAssignment = append(request.GroupAssignment, given)
		}
	}
	begun := m.History.Now()
	answer, err := ask[*kmsg.SyncGroupResponse](m.client, m.coordinator, request)
	if err != nil || answer.ErrorCode != 0 {
		return false
	}
	m.mine = nil
	for _, text := range strings.FieldsFunc(string(answer.MemberAssignment), func(r rune) bool { return r == ',' }) {
		p, err := strconv.Atoi(text)
		if err != nil {
			panic("an assignment that no leader made: " + text)
		}
		m.mine = append(m.mine, int32(p))
	}
	m.History.Assigned(begun, check.Assignment{
		Group: m.group, Member: m.id, Generation: m.generation, Partitions: m.mine,
	})
	return true
}

// heartbeat is false when the member must join again.
func (m *member) heartbeat() bool {
	request := kmsg.NewPtrHeartbeatRequest()
	request.Version, request.Group, request.MemberID, request.Generation = 4, m.group, m.id, m.generation
	answer, err := ask[*kmsg.HeartbeatResponse](m.client, m.coordinator, request)
	if err != nil || answer.ErrorCode == kerr.NotCoordinator.Code || answer.ErrorCode == kerr.CoordinatorNotAvailable.Code {
		m.locate(m.group)
	}
	if err != nil {
		return true // try again while the session lasts
	}
	if answer.ErrorCode == kerr.UnknownMemberID.Code {
		m.id = ""
	}
	return answer.ErrorCode == 0 || answer.ErrorCode == kerr.CoordinatorLoadInProgress.Code ||
		answer.ErrorCode == kerr.NotCoordinator.Code || answer.ErrorCode == kerr.CoordinatorNotAvailable.Code
}

func (m *member) leave() {
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Version, request.Group = 5, m.group
	who := kmsg.NewLeaveGroupRequestMember()
	who.MemberID = m.id
	request.Members = append(request.Members, who)
	m.call(m.coordinator, request)
	m.id = ""
}

// work commits an offset of each of its partitions, or reads one back.
func (m *member) work() {
	for _, p := range m.mine {
		if m.chance(4) {
			m.fetchOffset(m.group, m.topic, p)
			continue
		}
		m.commit(p)
	}
}

func (m *member) commit(p int32) {
	m.made++
	c := &check.Commit{
		Group: m.group, Partition: m.topic.Partition(p), Offset: int64(m.made),
		Mark: fmt.Sprintf("%s-%d", m.name, m.made),
	}
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Version, request.Group, request.MemberID, request.Generation = 9, m.group, m.id, m.generation
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = m.topic.Name
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Partition, partition.Offset, partition.Metadata = p, c.Offset, &c.Mark
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	m.History.BeginCommit(c)
	answer, err := ask[*kmsg.OffsetCommitResponse](m.client, m.coordinator, request)
	outcome := check.Unknown
	if err == nil {
		switch answer.Topics[0].Partitions[0].ErrorCode {
		case 0:
			outcome = check.Done
		case kerr.IllegalGeneration.Code, kerr.UnknownMemberID.Code, kerr.RebalanceInProgress.Code, kerr.NotCoordinator.Code,
			kerr.CoordinatorLoadInProgress.Code:
			outcome = check.Refused
			if answer.Topics[0].Partitions[0].ErrorCode == kerr.NotCoordinator.Code {
				outcome = check.Unknown // said too when leadership went while the record was on its way
			}
		}
	}
	m.History.EndCommit(c, outcome)
}

// fetchOffset reads a committed offset back into the history. False when there was no answer.
func (c *client) fetchOffset(group string, t *Topic, p int32) bool {
	request := kmsg.NewPtrOffsetFetchRequest()
	request.Version = 9
	of := kmsg.NewOffsetFetchRequestGroup()
	of.Group = group
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = t.Name, []int32{p}
	of.Topics = append(of.Topics, topic)
	request.Groups = append(request.Groups, of)
	begun := c.History.Now()
	answer, err := ask[*kmsg.OffsetFetchResponse](c, c.coordinator, request)
	if err != nil || len(answer.Groups) != 1 || answer.Groups[0].ErrorCode != 0 || len(answer.Groups[0].Topics) != 1 {
		return false
	}
	got := answer.Groups[0].Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		return false
	}
	if c.Counts != nil && !c.Counts(c.coordinator) {
		return false
	}
	mark := ""
	if got.Metadata != nil && got.Offset >= 0 {
		mark = *got.Metadata
	}
	c.History.FetchedOffset(begun, check.Fetched{Group: group, Partition: t.Partition(p), Mark: mark})
	return true
}

// FinalOffsets reads what a group has committed when all is over. False while the coordinator doesn't answer.
func (e *Env) FinalOffsets(group string, t *Topic) bool {
	c := e.client("final-offsets", 998)
	defer c.close()
	for p := range int32(GroupPartitions) {
		if !c.locate(group) || !c.fetchOffset(group, t, p) {
			return false
		}
	}
	return true
}
