package api

import (
	"barnabas/internal/controller"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers 0 (KIP-664): the idempotent producers that a partition's leader knows.

func (a *API) describeProducers(c *Call, request *kmsg.DescribeProducersRequest) *kmsg.DescribeProducersResponse {
	response := kmsg.NewPtrDescribeProducersResponse()
	image := a.Metadata.Current()
	for _, t := range request.Topics {
		topic := kmsg.NewDescribeProducersResponseTopic()
		topic.Topic = t.Topic
		for _, n := range t.Partitions {
			tp := ident.TopicPartition{Topic: t.Topic, Partition: n}
			topic.Partitions = append(topic.Partitions, a.producersOf(c, image, tp))
		}
		response.Topics = append(response.Topics, topic)
	}
	return response
}

func (a *API) producersOf(
	c *Call, image *metadata.Image, tp ident.TopicPartition,
) kmsg.DescribeProducersResponseTopicPartition {
	answer := kmsg.NewDescribeProducersResponseTopicPartition()
	answer.Partition = tp.Partition
	if !a.authorized(c, opRead, metadata.TopicResource, tp.Topic) {
		answer.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return answer
	}
	if err := controller.CheckTopicName(tp.Topic); err != nil {
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), messageOf(err)
		return answer
	}
	partition, err := a.Partitions.Get(tp.Topic, tp.Partition)
	if err != nil {
		answer.ErrorCode = missing(image, tp)
		if image.Topic(tp.Topic) == nil { // of a partition that its topic does not have Kafka tells the code alone
			answer.ErrorMessage = &kerr.UnknownTopicOrPartition.Description
		}
		return answer
	}
	producers, err := partition.Producers()
	answer.ErrorCode, answer.ErrorMessage = codeOf(err), messageOf(err)
	for _, p := range producers {
		active := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		active.ProducerID, active.ProducerEpoch = int64(p.ID), int32(p.Epoch)
		active.LastSequence, active.LastTimestamp = int32(p.LastSequence), p.LastTimestamp
		active.CoordinatorEpoch, active.CurrentTxnStartOffset = p.CoordinatorEpoch, int64(p.TxnStart)
		answer.ActiveProducers = append(answer.ActiveProducers, active)
	}
	return answer
}
