package api

import (
	"slices"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/metadata"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTopicPartitions 0 (KIP-966): topics in the order of their names, at most so many partitions at a time, and a
// cursor where to go on. Tells eligible leader replicas, which Metadata does not.

func (a *API) describeTopicPartitions(c *Call, request *kmsg.DescribeTopicPartitionsRequest) {
	d := describePartitions{
		metadataCall: metadataCall{api: a, call: c, image: a.Metadata.Current()},
		response:     kmsg.NewPtrDescribeTopicPartitionsResponse(),
		cursor:       kmsg.NewDescribeTopicPartitionsRequestCursor(),
		left:         max(1, min(int(request.ResponsePartitionLimit), config.MaxRequestPartitions.In(a.Config()))),
	}
	if request.Cursor != nil {
		d.cursor = *request.Cursor
	}
	if d.cursor.Partition < 0 || request.Cursor != nil && len(request.Topics) > 0 && !asksFor(request, d.cursor.Topic) {
		c.Reply(d.refuse(request))
		return
	}
	if len(request.Topics) == 0 {
		d.all()
	} else {
		d.named(request.Topics)
	}
	c.Reply(d.response)
}

// refuse answers a cursor that leads nowhere: each topic asked for is refused, of which nothing else is told.
func (d *describePartitions) refuse(request *kmsg.DescribeTopicPartitionsRequest) *kmsg.DescribeTopicPartitionsResponse {
	for _, t := range request.Topics {
		topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
		topic.Topic, topic.ErrorCode = &t.Topic, kerr.InvalidRequest.Code
		d.response.Topics = append(d.response.Topics, topic)
	}
	return d.response
}

func asksFor(request *kmsg.DescribeTopicPartitionsRequest, topic string) bool {
	return slices.ContainsFunc(request.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic == topic })
}

// describePartitions is the request being answered: so many partitions may still be told.
type describePartitions struct {
	metadataCall
	response *kmsg.DescribeTopicPartitionsResponse
	cursor   kmsg.DescribeTopicPartitionsRequestCursor
	left     int
}

func (d *describePartitions) all() {
	for t := range d.image.TopicsFrom(d.cursor.Topic) {
		if !d.add(t) {
			return
		}
	}
}

func (d *describePartitions) named(topics []kmsg.DescribeTopicPartitionsRequestTopic) {
	names := make([]string, 0, len(topics))
	for _, t := range topics {
		if t.Topic >= d.cursor.Topic {
			names = append(names, t.Topic)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		t := d.image.Topic(name)
		switch {
		case d.left == 0:
			d.goOnAt(name, 0)
			return
		case t == nil:
			d.unknown(name)
		case !d.add(t):
			return
		}
	}
}

func (d *describePartitions) goOnAt(topic string, partition int32) {
	next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	next.Topic, next.Partition = topic, partition
	d.response.NextCursor = &next
}

func (d *describePartitions) unknown(name string) {
	topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
	topic.Topic, topic.IsInternal = &name, internalTopics[name]
	topic.AuthorizedOperations = topicOperations
	topic.ErrorCode = kerr.UnknownTopicOrPartition.Code
	if controller.CheckTopicName(name) != nil {
		topic.ErrorCode = kerr.InvalidTopicException.Code
	}
	d.response.Topics = append(d.response.Topics, topic)
}

// add describes a topic from where the cursor stands; false when the answer is full.
func (d *describePartitions) add(t *metadata.Topic) bool {
	if d.left == 0 {
		d.goOnAt(t.Name, 0)
		return false
	}
	topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
	topic.Topic, topic.TopicID, topic.IsInternal = &t.Name, t.ID, internalTopics[t.Name]
	topic.AuthorizedOperations = topicOperations
	first := int32(0)
	if t.Name == d.cursor.Topic {
		first = d.cursor.Partition
	}
	next := first
	for ; next < t.NumPartitions() && d.left > 0; next++ {
		if p := t.Partition(next); p != nil {
			topic.Partitions = append(topic.Partitions, d.partition(next, p))
			d.left--
		}
	}
	d.response.Topics = append(d.response.Topics, topic)
	if next < t.NumPartitions() {
		d.goOnAt(t.Name, next)
		return false
	}
	return true
}

func (d *describePartitions) partition(n int32, p *metadata.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	out := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	out.Partition = n
	out.ErrorCode, out.LeaderID = d.leader(p)
	out.LeaderEpoch = int32(p.LeaderEpoch)
	out.Replicas, out.ISR = brokerIDs(p.Replicas), memberIDs(p.ISR)
	out.EligibleLeaderReplicas = memberIDs(p.ELR)
	out.LastKnownELR = []int32{}
	out.OfflineReplicas = d.offline(p)
	return out
}
