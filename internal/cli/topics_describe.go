package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
)

// isUnsupported says that a broker does not know a request, or the wanted version of it.
func isUnsupported(err error) bool {
	return errors.Is(err, kerr.UnsupportedVersion) ||
		err != nil && strings.Contains(err.Error(), "unknown request key") ||
		err != nil && strings.Contains(err.Error(), "broker is too old")
}

// describeTopics describes topics by name, in the order of the names. It asks for pages of limit
// partitions (KIP-966); a broker that can't page is asked for its metadata.
func (c *client) describeTopics(ctx context.Context, names []string, limit int32) ([]topicDescription, error) {
	var topics []topicDescription
	var cursor *kmsg.DescribeTopicPartitionsRequestCursor
	for {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit, req.Cursor = limit, cursor
		for _, name := range names {
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = name
			req.Topics = append(req.Topics, t)
		}
		resp, err := req.RequestWith(ctx, c)
		if isUnsupported(err) {
			return c.describeByMetadata(ctx, names)
		}
		if err != nil {
			return nil, err
		}
		for _, t := range resp.Topics {
			if err := codeError(t.ErrorCode, nil); err != nil {
				return nil, err
			}
			topics = mergeTopic(topics, t)
		}
		if resp.NextCursor == nil {
			break
		}
		next := kmsg.NewDescribeTopicPartitionsRequestCursor()
		next.Topic, next.Partition = resp.NextCursor.Topic, resp.NextCursor.Partition
		cursor = &next
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name < next.Topic })
	}
	for i := range topics {
		sortPartitions(topics[i].Partitions)
	}
	return topics, nil
}

// mergeTopic adds one page's topic: the first of a page may continue the last of the page before.
func mergeTopic(topics []topicDescription, t kmsg.DescribeTopicPartitionsResponseTopic) []topicDescription {
	name := ""
	if t.Topic != nil {
		name = *t.Topic
	}
	if len(topics) == 0 || topics[len(topics)-1].Name != name {
		topics = append(topics, topicDescription{Name: name, ID: ident.TopicID(t.TopicID), Internal: t.IsInternal})
	}
	last := &topics[len(topics)-1]
	for _, p := range t.Partitions {
		last.Partitions = append(last.Partitions, partitionDescription{
			Partition: p.Partition, Leader: p.LeaderID, LeaderEpoch: p.LeaderEpoch,
			Replicas: p.Replicas, ISR: p.ISR,
			ELR: p.EligibleLeaderReplicas, LastKnownELR: p.LastKnownELR, hasELR: true,
			Offline: p.OfflineReplicas,
		})
	}
	return topics
}

func (c *client) describeByMetadata(ctx context.Context, names []string) ([]topicDescription, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	return c.fromMetadata(ctx, req)
}

// describeTopicByID describes the topic with the id; there is none when the result is empty.
func (c *client) describeTopicByID(ctx context.Context, id ident.TopicID) ([]topicDescription, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.TopicID = id
	req.Topics = append(req.Topics, t)
	topics, err := c.fromMetadata(ctx, req)
	if errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	return topics, err
}

func (c *client) fromMetadata(ctx context.Context, req *kmsg.MetadataRequest) ([]topicDescription, error) {
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	var topics []topicDescription
	for _, t := range resp.Topics {
		if err := codeError(t.ErrorCode, nil); err != nil {
			return nil, err
		}
		topic := topicDescription{ID: ident.TopicID(t.TopicID), Internal: t.IsInternal}
		if t.Topic != nil {
			topic.Name = *t.Topic
		}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, partitionDescription{
				Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
				Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas,
			})
		}
		sortPartitions(topic.Partitions)
		topics = append(topics, topic)
	}
	return topics, nil
}

func sortPartitions(partitions []partitionDescription) {
	slices.SortFunc(partitions, func(a, b partitionDescription) int { return int(a.Partition - b.Partition) })
}
