package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type groupListing struct {
	Group string `json:"group"`
	Type  string `json:"type"`
	State string `json:"state"`
}

// groupDescription is a group of either protocol. A classic group has no epochs.
type groupDescription struct {
	Group       string        `json:"group"`
	Type        string        `json:"type"`
	State       string        `json:"state"`
	Assignor    string        `json:"assignor"`
	Coordinator brokerAddress `json:"coordinator"`
	Epoch       *int32        `json:"epoch,omitempty"`
	TargetEpoch *int32        `json:"targetAssignmentEpoch,omitempty"`
	Members     []groupMember `json:"members"`
}

type brokerAddress struct {
	ID   int32  `json:"id"`
	Host string `json:"host"`
	Port int32  `json:"port"`
}

type groupMember struct {
	ID         string            `json:"id"`
	InstanceID string            `json:"instanceId,omitempty"`
	ClientID   string            `json:"clientId"`
	Host       string            `json:"host"`
	Epoch      *int32            `json:"epoch,omitempty"`
	Assigned   []topicPartitions `json:"assignment"`
	Target     []topicPartitions `json:"targetAssignment,omitempty"`
}

type topicPartitions struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

func (m groupMember) partitions() []partitionName {
	var all []partitionName
	for _, t := range m.Assigned {
		for _, p := range t.Partitions {
			all = append(all, partitionName{t.Topic, p})
		}
	}
	return all
}

// listedGroup is a group of any type. Brokers before Kafka 3.8 tell no type; what only holds offsets has no protocol.
type listedGroup struct{ id, kind, protocol, state string }

// everyGroup lists the groups of all types, by name. Empty filters let all through.
func (c *client) everyGroup(ctx context.Context, states, types []string) ([]listedGroup, error) {
	req := kmsg.NewPtrListGroupsRequest()
	req.StatesFilter, req.TypesFilter = states, types
	var groups []listedGroup
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		resp := shard.Resp.(*kmsg.ListGroupsResponse)
		if err := codeError(resp.ErrorCode, nil); err != nil {
			return nil, err
		}
		for _, g := range resp.Groups {
			groups = append(groups, listedGroup{g.Group, capitalized(g.GroupType), g.ProtocolType, g.GroupState})
		}
	}
	slices.SortFunc(groups, func(a, b listedGroup) int { return strings.Compare(a.id, b.id) })
	// While its coordinator changes, two brokers may tell of a group.
	return slices.CompactFunc(groups, func(a, b listedGroup) bool { return a.id == b.id }), nil
}

// listGroups returns the consumer groups, sorted. Empty filters let all through.
func (c *client) listGroups(ctx context.Context, states, types []string) ([]groupListing, error) {
	every, err := c.everyGroup(ctx, states, types)
	var groups []groupListing
	for _, g := range every {
		listing := groupListing{g.id, cmp.Or(g.kind, "Classic"), g.state}
		if isConsumers(g.protocol, listing.Type) && passes(states, listing.State) && passes(types, listing.Type) {
			groups = append(groups, listing)
		}
	}
	return groups, err
}

// isConsumers says that a group is one of consumers and not, for example, of Connect's workers; a
// group that only holds offsets has no protocol.
func isConsumers(protocol, kind string) bool {
	kind = strings.ToLower(kind)
	return kind == "consumer" || kind == "classic" && (protocol == "consumer" || protocol == "")
}

func passes(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}

func capitalized(word string) string {
	if word == "" {
		return word
	}
	return strings.ToUpper(word[:1]) + strings.ToLower(word[1:])
}

// describeGroups describes each group, as one of KIP-848 if it is one and as a classic one if not.
// An error is that of the first group that can't be described.
func (c *client) describeGroups(ctx context.Context, ids []string) ([]groupDescription, error) {
	groups := make([]groupDescription, 0, len(ids))
	coordinators := map[string]brokerAddress{}
	for id, found := range c.adm.FindGroupCoordinators(ctx, ids...) {
		if found.Err != nil {
			return nil, found.Err
		}
		coordinators[id] = brokerAddress{found.NodeID, found.Host, found.Port}
	}
	for _, id := range ids {
		group, err := c.describeConsumerGroup(ctx, id)
		if isUnsupported(err) || errors.Is(err, kerr.GroupIDNotFound) {
			group, err = c.describeClassicGroup(ctx, id)
		}
		if err != nil {
			return nil, err
		}
		group.Coordinator = coordinators[id]
		groups = append(groups, *group)
	}
	slices.SortFunc(groups, func(a, b groupDescription) int { return strings.Compare(a.Group, b.Group) })
	return groups, nil
}

func (c *client) describeConsumerGroup(ctx context.Context, id string) (*groupDescription, error) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(resp.Groups) == 0 {
		return nil, fmt.Errorf("the coordinator did not answer for group %s", id)
	}
	g := resp.Groups[0]
	if err := codeError(g.ErrorCode, g.ErrorMessage); err != nil {
		return nil, err
	}
	group := &groupDescription{
		Group: g.Group, Type: "Consumer", State: g.State, Assignor: g.AssignorName,
		Epoch: &g.Epoch, TargetEpoch: &g.AssignmentEpoch,
	}
	for _, m := range g.Members {
		group.Members = append(group.Members, groupMember{
			ID: m.MemberID, InstanceID: orEmpty(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost,
			Epoch: &m.MemberEpoch, Assigned: fromAssignment(m.Assignment), Target: fromAssignment(m.TargetAssignment),
		})
	}
	return group, nil
}

func fromAssignment(assignment kmsg.Assignment) []topicPartitions {
	var all []topicPartitions
	for _, t := range assignment.TopicPartitions {
		slices.Sort(t.Partitions)
		all = append(all, topicPartitions{t.Topic, t.Partitions})
	}
	return sortedTopics(all)
}

func sortedTopics(all []topicPartitions) []topicPartitions {
	slices.SortFunc(all, func(a, b topicPartitions) int { return strings.Compare(a.Topic, b.Topic) })
	return all
}

func (c *client) describeClassicGroup(ctx context.Context, id string) (*groupDescription, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{id}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(resp.Groups) == 0 {
		return nil, fmt.Errorf("the coordinator did not answer for group %s", id)
	}
	g := resp.Groups[0]
	if err := codeError(g.ErrorCode, g.ErrorMessage); err != nil {
		return nil, err
	}
	if g.State == "Dead" {
		message := "Group " + id + " not found."
		return nil, codeError(kerr.GroupIDNotFound.Code, &message)
	}
	if g.ProtocolType != "" && g.ProtocolType != "consumer" {
		return nil, sayf("GroupId %s is not a consumer group (%s).", id, g.ProtocolType)
	}
	group := &groupDescription{Group: g.Group, Type: "Classic", State: g.State, Assignor: g.Protocol}
	for _, m := range g.Members {
		group.Members = append(group.Members, groupMember{
			ID: m.MemberID, InstanceID: orEmpty(m.InstanceID), ClientID: m.ClientID, Host: m.ClientHost,
			Assigned: classicAssignment(m.MemberAssignment),
		})
	}
	return group, nil
}

// classicAssignment decodes what the group's leader assigned; a group that is rebalancing has not
// assigned anything yet.
func classicAssignment(data []byte) []topicPartitions {
	var assignment kmsg.ConsumerMemberAssignment
	if len(data) == 0 || assignment.ReadFrom(data) != nil {
		return nil
	}
	var all []topicPartitions
	for _, t := range assignment.Topics {
		slices.Sort(t.Partitions)
		all = append(all, topicPartitions{t.Topic, t.Partitions})
	}
	return sortedTopics(all)
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// committedOffset is what a group committed for a partition; the epoch is -1 when unknown.
type committedOffset struct {
	offset      int64
	leaderEpoch int32
}

func (c *client) committedOffsets(ctx context.Context, group string) (committedOffsets, error) {
	fetched, err := c.adm.FetchOffsets(ctx, group)
	if err != nil {
		return nil, err
	}
	committed := committedOffsets{}
	for topic, partitions := range fetched {
		for partition, offset := range partitions {
			if offset.Err != nil {
				return nil, offset.Err
			}
			if offset.At >= 0 {
				committed[partitionName{topic, partition}] = committedOffset{offset.At, offset.LeaderEpoch}
			}
		}
	}
	return committed, nil
}

// commitOffsets sets the offsets of a group that has no members.
func (c *client) commitOffsets(ctx context.Context, group string, offsets partitionOffsets) error {
	if len(offsets) == 0 {
		return nil
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	topics := map[string]*kmsg.OffsetCommitRequestTopic{}
	for name, offset := range offsets {
		t := topics[name.topic]
		if t == nil {
			fresh := kmsg.NewOffsetCommitRequestTopic()
			fresh.Topic = name.topic
			t = &fresh
			topics[name.topic] = t
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = name.partition, offset, -1, kmsg.StringPtr("")
		t.Partitions = append(t.Partitions, p)
	}
	ids, err := c.topicIDs(ctx, topics)
	if err != nil {
		return err
	}
	for _, t := range topics {
		t.TopicID = ids[t.Topic]
		req.Topics = append(req.Topics, *t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := codeError(p.ErrorCode, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// topicIDs looks up the ids that OffsetCommit names topics by from version 10 on.
func (c *client) topicIDs(ctx context.Context, topics map[string]*kmsg.OffsetCommitRequestTopic) (map[string][16]byte, error) {
	req := kmsg.NewPtrMetadataRequest()
	for name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	ids := map[string][16]byte{}
	for _, t := range resp.Topics {
		if t.Topic != nil {
			ids[*t.Topic] = t.TopicID
		}
	}
	return ids, nil
}
