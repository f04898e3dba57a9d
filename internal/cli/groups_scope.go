package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicWord is a value of --topic: t, all partitions of a topic, or t:0,1.
type topicWord struct {
	topic      string
	partitions []int32 // nil: all
}

// topicWords reads --topic.
func (o *groupsOptions) topicWords() ([]topicWord, error) {
	var words []topicWord
	for _, text := range o.topic.Values() {
		topic, list, some := strings.Cut(text, ":")
		word := topicWord{topic: topic}
		if some && (topic == "" || list == "" || strings.Contains(list, ":")) {
			return nil, o.p.Usagef("Invalid topic arg '%s', expected topic name and partitions", text)
		}
		for number := range strings.SplitSeq(list, ",") {
			if !some {
				break
			}
			partition, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				return nil, o.p.Usagef("Invalid partition '%s' specified in topic arg '%s''", number, text)
			}
			word.partitions = append(word.partitions, int32(partition))
		}
		words = append(words, word)
	}
	return words, nil
}

// noLeader stands for the leader of a partition that has none.
const noLeader = -1

// leadersOf asks, once, who leads the partitions of topics. A topic that does not exist has none.
func (c *client) leadersOf(ctx context.Context, topics []string) (map[partitionName]int32, error) {
	slices.Sort(topics)
	return askPartitions(ctx, c, slices.Compact(topics), func(p *kmsg.MetadataResponseTopicPartition) int32 { return p.Leader })
}

// expanded are the partitions that words name, by the partitions there are; missing are the topics that do not exist.
func expanded(words []topicWord, leaders map[partitionName]int32) (names []partitionName, missing []string) {
	for _, word := range words {
		for _, n := range word.partitions {
			names = append(names, partitionName{word.topic, n})
		}
		if word.partitions != nil {
			continue
		}
		before := len(names)
		for name := range leaders {
			if name.topic == word.topic {
				names = append(names, name)
			}
		}
		if len(names) == before {
			missing = append(missing, word.topic)
		}
	}
	sortNames(names)
	return slices.Compact(names), missing
}

// topicScope are the partitions that --topic names. However many groups are reset, the cluster is asked once.
func (o *groupsOptions) topicScope(ctx context.Context, c *client) ([]partitionName, error) {
	if o.named != nil {
		return o.named, nil
	}
	words, err := o.topicWords()
	if err != nil {
		return nil, err
	}
	topics := make([]string, 0, len(words))
	for _, word := range words {
		topics = append(topics, word.topic)
	}
	leaders, err := c.leadersOf(ctx, topics)
	if err != nil {
		return nil, err
	}
	o.named, err = toReset(words, leaders)
	return o.named, err
}

// toReset are the partitions that words name. They have to exist, for an offset of one that does not could be committed, and
// nobody would ever read from it; and to be led, for their leaders are asked.
func toReset(words []topicWord, leaders map[partitionName]int32) ([]partitionName, error) {
	names, missing := expanded(words, leaders)
	if len(missing) > 0 {
		return nil, sayf("%s", errorText(codeError(kerr.UnknownTopicOrPartition.Code, nil)))
	}
	var unknown, unled []string
	for _, name := range names {
		leader, exists := leaders[name]
		switch {
		case !exists:
			unknown = append(unknown, name.String())
		case leader == noLeader:
			unled = append(unled, name.String())
		}
	}
	if len(unknown) > 0 {
		return nil, sayf(`The partitions "%s" do not exist`, strings.Join(unknown, ","))
	}
	if len(unled) > 0 {
		return nil, sayf(`The partitions "%s" have no leader`, strings.Join(unled, ","))
	}
	return names, nil
}

// toForget are the partitions whose offsets are to be deleted: whether one that is named exists is for the broker to say.
func (o *groupsOptions) toForget(ctx context.Context, c *client) (names []partitionName, missing []string, err error) {
	words, err := o.topicWords()
	if err != nil {
		return nil, nil, err
	}
	var topics []string
	for _, word := range words {
		if word.partitions == nil {
			topics = append(topics, word.topic)
		}
	}
	leaders, err := c.leadersOf(ctx, topics)
	if err != nil {
		return nil, nil, err
	}
	names, missing = expanded(words, leaders)
	return names, missing, nil
}
