package api

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetDelete 0 (KIP-496): committed offsets of topics that no member of the group subscribes to.
// Partitions that do not exist fail one by one.

func (a *API) offsetDelete(c *Call, request *kmsg.OffsetDeleteRequest) {
	response := kmsg.NewPtrOffsetDeleteResponse()
	if !a.authorized(c, opDelete, metadata.GroupResource, request.Group) {
		response.ErrorCode = kerr.GroupAuthorizationFailed.Code
		c.Reply(response)
		return
	}
	image := a.Metadata.Current()
	valid := *request
	valid.Topics = nil
	var at []partitionPlace
	for i, topic := range request.Topics {
		answer := kmsg.OffsetDeleteResponseTopic{Topic: topic.Topic}
		kept := kmsg.OffsetDeleteRequestTopic{Topic: topic.Topic}
		for j, p := range topic.Partitions {
			code := int16(0)
			switch {
			case !a.authorized(c, opRead, metadata.TopicResource, topic.Topic):
				code = kerr.TopicAuthorizationFailed.Code
			case image.Partition(ident.TopicPartition{Topic: topic.Topic, Partition: p.Partition}) == nil:
				code = kerr.UnknownTopicOrPartition.Code
			default:
				kept.Partitions = append(kept.Partitions, p)
				at = append(at, partitionPlace{i, j})
			}
			answer.Partitions = append(answer.Partitions,
				kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		if len(kept.Partitions) > 0 {
			valid.Topics = append(valid.Topics, kept)
		}
		response.Topics = append(response.Topics, answer)
	}
	a.Groups.DeleteOffsets(&valid, func(whole int16, codes [][]int16) {
		if response.ErrorCode = whole; whole != 0 {
			response.Topics = nil
		} else {
			eachPlace(at, codes, func(p partitionPlace, code int16) {
				response.Topics[p.topic].Partitions[p.partition].ErrorCode = code
			})
		}
		c.Reply(response)
	})
}
