package api

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit 2-10. Versions 2 to 4 carry a retention of their own, 7 static members (KIP-345), 8 is
// flexible, 9 calls the generation a member epoch (KIP-848) and answers GROUP_ID_NOT_FOUND where older ones
// have ILLEGAL_GENERATION, 10 names topics by id, which is recorded with the offset. Partitions
// that do not exist fail one by one; the rest are committed together or not at all.

func (a *API) offsetCommit(c *Call, request *kmsg.OffsetCommitRequest) {
	response := kmsg.NewPtrOffsetCommitResponse()
	image := a.Metadata.Current()
	denied := !a.authorized(c, opRead, metadata.GroupResource, request.Group)
	valid := *request
	valid.Topics = nil
	var at []partitionPlace
	for _, topic := range request.Topics {
		if len(topic.Partitions) == 0 {
			continue // Kafka says nothing of it
		}
		answer := kmsg.OffsetCommitResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
		ref := topicRef{name: topic.Topic, id: topic.TopicID, byID: c.Header.Version >= 10}
		name, whole := ref.resolve(image)
		switch {
		case denied:
			whole = kerr.GroupAuthorizationFailed.Code
		case whole == 0 && !a.authorized(c, opRead, metadata.TopicResource, name):
			whole = kerr.TopicAuthorizationFailed.Code
		}
		kept := kmsg.OffsetCommitRequestTopic{Topic: name, TopicID: topic.TopicID}
		for j, p := range topic.Partitions {
			code := whole
			if code == 0 && image.Partition(ident.TopicPartition{Topic: name, Partition: p.Partition}) == nil {
				code = kerr.UnknownTopicOrPartition.Code
			}
			if code == 0 {
				kept.Partitions = append(kept.Partitions, p)
				at = append(at, partitionPlace{len(response.Topics), j})
			}
			answer.Partitions = append(answer.Partitions,
				kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		if len(kept.Partitions) > 0 {
			valid.Topics = append(valid.Topics, kept)
		}
		response.Topics = append(response.Topics, answer)
	}
	if len(at) == 0 {
		c.Reply(response)
		return
	}
	a.Groups.CommitOffsets(&valid, func(codes [][]int16) {
		eachPlace(at, codes, func(p partitionPlace, code int16) {
			response.Topics[p.topic].Partitions[p.partition].ErrorCode = code
		})
		c.Reply(response)
	})
}

// partitionPlace is where a request and its response speak of a partition.
type partitionPlace struct{ topic, partition int }

// eachPlace puts the codes for the partitions that were passed on in their places.
func eachPlace(at []partitionPlace, codes [][]int16, put func(partitionPlace, int16)) {
	n := 0
	for _, topic := range codes {
		for _, code := range topic {
			put(at[n], code)
			n++
		}
	}
}
