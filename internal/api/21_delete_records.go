package api

import (
	"context"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords 0-2. Version 2 is flexible. Offset -1 stands for the high watermark. Compacted topics that never
// delete are refused with POLICY_VIOLATION, internal ones with INVALID_TOPIC_EXCEPTION. The answer waits until the live
// replicas have deleted too, or for the request's timeout.

func (a *API) deleteRecords(c *Call, request *kmsg.DeleteRecordsRequest) *kmsg.DeleteRecordsResponse {
	response := kmsg.NewPtrDeleteRecordsResponse()
	image := a.Metadata.Current()
	ctx, cancel := within(request.TimeoutMillis)
	defer cancel()
	for _, t := range request.Topics {
		topic := kmsg.NewDeleteRecordsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			answer := kmsg.NewDeleteRecordsResponseTopicPartition()
			answer.Partition = p.Partition
			tp := ident.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			answer.LowWatermark, answer.ErrorCode = a.deleteBefore(c, image, tp, record.Offset(p.Offset))
			topic.Partitions = append(topic.Partitions, answer)
		}
		if len(topic.Partitions) > 0 { // of one without any Kafka says nothing
			response.Topics = append(response.Topics, topic)
		}
	}
	for i := range response.Topics {
		t := &response.Topics[i]
		for j := range t.Partitions {
			if t.Partitions[j].ErrorCode == 0 {
				a.awaitDeleted(ctx, t.Topic, &t.Partitions[j])
			}
		}
	}
	return response
}

// awaitDeleted waits until the replicas have followed to where the leader's log starts.
func (a *API) awaitDeleted(ctx context.Context, topic string, answer *kmsg.DeleteRecordsResponseTopicPartition) {
	partition, err := a.Partitions.Get(topic, answer.Partition)
	if err != nil {
		answer.LowWatermark, answer.ErrorCode = -1, kerr.NotLeaderForPartition.Code
		return
	}
	for {
		low, err := partition.LowWatermark()
		if err != nil {
			answer.LowWatermark, answer.ErrorCode = -1, codeOf(err)
			return
		}
		if int64(low) >= answer.LowWatermark {
			answer.LowWatermark = int64(low)
			return
		}
		timer := time.NewTimer(deletedPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			answer.LowWatermark, answer.ErrorCode = int64(low), kerr.RequestTimedOut.Code
			return
		}
	}
}

// deletedPoll is how often awaitDeleted looks.
const deletedPoll = 5 * time.Millisecond

func (a *API) deleteBefore(
	c *Call, image *metadata.Image, tp ident.TopicPartition, before record.Offset,
) (lowWatermark int64, code int16) {
	switch {
	case !a.authorized(c, opDelete, metadata.TopicResource, tp.Topic):
		return -1, kerr.TopicAuthorizationFailed.Code
	case image.Partition(tp) == nil:
		return -1, kerr.UnknownTopicOrPartition.Code
	case internalTopics[tp.Topic]:
		return -1, kerr.InvalidTopicException.Code
	}
	partition, err := a.Partitions.Get(tp.Topic, tp.Partition)
	if err != nil {
		return -1, missing(image, tp)
	}
	low, err := partition.DeleteRecords(before)
	if err != nil {
		return -1, codeOf(err)
	}
	c.logger().Info("records deleted", "partition", tp.String(), "before", int64(before), "start", int64(low))
	return int64(low), 0
}
