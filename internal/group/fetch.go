package group

import (
	"errors"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
	"barnabas/internal/ident"
)

// FetchOffsets answers with a group's committed offsets: -1 for a partition without one, or with
// one of another topic that had the same name. Topics need their names; nil Topics asks for all. A
// group that isn't known has none.
//
// There are no transactions yet, so every committed offset is stable (require_stable).
func (g *Groups) FetchOffsets(
	r *kmsg.OffsetFetchRequestGroup, done func(kmsg.OffsetFetchResponseGroup),
) {
	g.command(r.Group,
		func(m *machine, s *step) {
			response := m.fetch(r)
			s.reply(func(err error) {
				if err != nil {
					response = fetchError(r.Group, err)
				}
				done(response)
			})
		},
		func(err error) { done(fetchError(r.Group, err)) })
}

// fetchError answers with the coordinator's error. Clients before 3.9 do not retry after
// COORDINATOR_NOT_AVAILABLE here; NOT_COORDINATOR has them look up the coordinator again.
func fetchError(group string, err error) kmsg.OffsetFetchResponseGroup {
	r := kmsg.NewOffsetFetchResponseGroup()
	r.Group = group
	r.ErrorCode = code(err)
	if errors.Is(err, coordinator.ErrTimeout) || errors.Is(err, coordinator.ErrNotEnoughReplicas) {
		r.ErrorCode = kerr.NotCoordinator.Code
	}
	return r
}

func (m *machine) fetch(r *kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
	response := kmsg.NewOffsetFetchResponseGroup()
	response.Group = r.Group
	var known offsets
	if g := m.groups[r.Group]; g != nil {
		known = g.offsets
	}
	if r.Topics == nil {
		response.Topics = known.all()
		return response
	}
	for _, topic := range r.Topics {
		answer := kmsg.OffsetFetchResponseGroupTopic{Topic: topic.Topic, TopicID: topic.TopicID}
		for _, p := range topic.Partitions {
			o, ok := known.get(topic.Topic, p)
			if !ok || isOther(o.topicID, topic.TopicID) {
				o = offset{offset: -1, leaderEpoch: -1}
			}
			answer.Partitions = append(answer.Partitions, o.answer(p))
		}
		response.Topics = append(response.Topics, answer)
	}
	return response
}

// isOther reports whether two ids, where both are known, are of different topics.
func isOther(a, b ident.TopicID) bool { return !a.IsZero() && !b.IsZero() && a != b }

// all are the offsets of a group, in order.
func (os offsets) all() []kmsg.OffsetFetchResponseGroupTopic {
	topics := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(os))
	for _, name := range slices.Sorted(maps.Keys(os)) {
		topic := kmsg.OffsetFetchResponseGroupTopic{Topic: name}
		for _, p := range slices.Sorted(maps.Keys(os[name])) {
			topic.Partitions = append(topic.Partitions, os[name][p].answer(p))
		}
		topics = append(topics, topic)
	}
	return topics
}

func (o offset) answer(partition int32) kmsg.OffsetFetchResponseGroupTopicPartition {
	return kmsg.OffsetFetchResponseGroupTopicPartition{
		Partition:   partition,
		Offset:      o.offset,
		LeaderEpoch: o.leaderEpoch,
		Metadata:    &o.metadata,
	}
}
