package api

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch 2-4. Version 2 checks the current leader epoch (KIP-320), 3 says who asks, 4 is flexible.
// Epoch and offset are -1 when the epoch is unknown.

func (a *API) offsetForLeaderEpoch(c *Call, request *kmsg.OffsetForLeaderEpochRequest) *kmsg.OffsetForLeaderEpochResponse {
	response := kmsg.NewPtrOffsetForLeaderEpochResponse()
	image := a.Metadata.Current()
	for _, t := range request.Topics {
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			answer := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			answer.Partition, answer.LeaderEpoch, answer.EndOffset = p.Partition, -1, -1
			tp := ident.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			a.epochEnd(c, request, image, tp, &p, &answer)
			topic.Partitions = append(topic.Partitions, answer)
		}
		response.Topics = append(response.Topics, topic)
	}
	return response
}

func (a *API) epochEnd(
	c *Call, request *kmsg.OffsetForLeaderEpochRequest, image *metadata.Image, tp ident.TopicPartition,
	in *kmsg.OffsetForLeaderEpochRequestTopicPartition, answer *kmsg.OffsetForLeaderEpochResponseTopicPartition,
) {
	if !a.authorized(c, opDescribe, metadata.TopicResource, tp.Topic) {
		answer.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return
	}
	partition, err := a.Partitions.Get(tp.Topic, tp.Partition)
	if err != nil {
		answer.ErrorCode = missing(image, tp)
		return
	}
	end, err := partition.EpochEnd(
		record.Epoch(in.CurrentLeaderEpoch), record.Epoch(in.LeaderEpoch), request.ReplicaID == debuggingReplica)
	if err != nil {
		answer.ErrorCode = codeOf(err)
		return
	}
	answer.LeaderEpoch, answer.EndOffset = int32(end.Epoch), int64(end.End)
}
