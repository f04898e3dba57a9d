package api

import (
	"sync"

	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch 1-10. Null topics (from 2) ask for all offsets of a group. An error of the whole group is in every
// partition in version 1, once from 2 on, and per group from 8 on, which asks for several groups. Version 7 has
// require_stable (KIP-447): without transactions every committed offset is stable. 9 has the member and
// its epoch (KIP-848), which a classic group ignores as Kafka does; 10 names topics by id.

func (a *API) offsetFetch(c *Call, request *kmsg.OffsetFetchRequest) {
	groups := request.Groups
	if c.Header.Version < 8 {
		groups = []kmsg.OffsetFetchRequestGroup{oneGroup(request)}
	}
	answers := make([]kmsg.OffsetFetchResponseGroup, len(groups))
	if len(groups) == 0 {
		c.Reply(kmsg.NewPtrOffsetFetchResponse())
		return
	}
	waiting := newCountdown(len(groups), func() { c.Reply(offsetFetchResponse(c, groups, answers)) })
	for i := range groups {
		a.fetchOffsetsOf(c, &groups[i], func(answer kmsg.OffsetFetchResponseGroup) {
			answers[i] = answer
			waiting.done()
		})
	}
}

// oneGroup is the group of a request before version 8.
func oneGroup(request *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = request.Group
	if request.Topics == nil {
		return group
	}
	group.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	for _, topic := range request.Topics {
		group.Topics = append(group.Topics,
			kmsg.OffsetFetchRequestGroupTopic{Topic: topic.Topic, Partitions: topic.Partitions})
	}
	return group
}

// fetchOffsetsOf answers for one group; topics that are unknown by their id are refused one by one.
func (a *API) fetchOffsetsOf(
	c *Call, group *kmsg.OffsetFetchRequestGroup, done func(kmsg.OffsetFetchResponseGroup),
) {
	if !a.authorized(c, opDescribe, metadata.GroupResource, group.Group) {
		refused := kmsg.NewOffsetFetchResponseGroup()
		refused.Group, refused.ErrorCode = group.Group, kerr.GroupAuthorizationFailed.Code
		done(refused)
		return
	}
	image, byID, all := a.Metadata.Current(), c.Header.Version >= 10, group.Topics == nil
	known := *group
	var refused []kmsg.OffsetFetchResponseGroupTopic
	if !all {
		known.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, topic := range group.Topics {
		name, code := topicRef{name: topic.Topic, id: topic.TopicID, byID: byID}.resolve(image)
		if code == 0 && !a.authorized(c, opDescribe, metadata.TopicResource, name) {
			code = kerr.TopicAuthorizationFailed.Code
		}
		if code != 0 {
			refused = append(refused, refuseOffsets(topic, code))
			continue
		}
		topic.Topic = name
		known.Topics = append(known.Topics, topic)
	}
	a.Groups.FetchOffsets(&known, func(answer kmsg.OffsetFetchResponseGroup) {
		if all {
			answer.Topics = a.visibleOffsets(c, image, answer.Topics)
		}
		if answer.ErrorCode == 0 {
			answer.Topics = append(answer.Topics, refused...)
		}
		done(answer)
	})
}

func refuseOffsets(topic kmsg.OffsetFetchRequestGroupTopic, code int16) kmsg.OffsetFetchResponseGroupTopic {
	answer := kmsg.OffsetFetchResponseGroupTopic{Topic: topic.Topic, TopicID: topic.TopicID}
	for _, p := range topic.Partitions {
		partition := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		partition.Partition, partition.Offset, partition.ErrorCode = p, -1, code
		partition.Metadata = new(string)
		answer.Partitions = append(answer.Partitions, partition)
	}
	return answer
}

// visibleOffsets are the topics of all of a group's that the caller may see, with their ids where the version wants
// them: a topic that is no more has none and is left out.
func (a *API) visibleOffsets(
	c *Call, image *metadata.Image, topics []kmsg.OffsetFetchResponseGroupTopic,
) []kmsg.OffsetFetchResponseGroupTopic {
	visible := topics[:0]
	for _, topic := range topics {
		if !a.authorized(c, opDescribe, metadata.TopicResource, topic.Topic) {
			continue
		}
		if c.Header.Version >= 10 {
			known := image.Topic(topic.Topic)
			if known == nil {
				continue
			}
			topic.TopicID = known.ID
		}
		visible = append(visible, topic)
	}
	return visible
}

// offsetFetchResponse puts the groups' answers in the form of the version.
func offsetFetchResponse(
	c *Call, groups []kmsg.OffsetFetchRequestGroup, answers []kmsg.OffsetFetchResponseGroup,
) *kmsg.OffsetFetchResponse {
	response := kmsg.NewPtrOffsetFetchResponse()
	if c.Header.Version >= 8 {
		response.Groups = answers
		return response
	}
	answer := answers[0]
	response.ErrorCode = answer.ErrorCode
	if answer.ErrorCode != 0 && c.Header.Version < 2 {
		for _, topic := range groups[0].Topics {
			answer.Topics = append(answer.Topics, refuseOffsets(topic, answer.ErrorCode))
		}
	}
	for _, topic := range answer.Topics {
		old := kmsg.OffsetFetchResponseTopic{Topic: topic.Topic}
		for _, p := range topic.Partitions {
			old.Partitions = append(old.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch,
				Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		response.Topics = append(response.Topics, old)
	}
	return response
}

// countdown calls a function when so many things are done, each on a goroutine of its own choice.
type countdown struct {
	mu   sync.Mutex // guards left
	left int
	then func()
}

func newCountdown(n int, then func()) *countdown { return &countdown{left: n, then: then} }

func (w *countdown) done() {
	w.mu.Lock()
	w.left--
	last := w.left == 0
	w.mu.Unlock()
	if last {
		w.then()
	}
}
