package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
)

// newTopic is a topic to be created; -1 leaves partitions or replication to the broker.
type newTopic struct {
	name        string
	partitions  int32
	replication int16
	assignment  [][]int32
	configs     map[string]string
}

// topicDescription is what the tools show of a topic.
type topicDescription struct {
	Name       string                 `json:"name"`
	ID         ident.TopicID          `json:"id"`
	Internal   bool                   `json:"internal"`
	Partitions []partitionDescription `json:"partitions"`
}

type partitionDescription struct {
	Partition    int32   `json:"partition"`
	Leader       int32   `json:"leader"` // -1: none
	LeaderEpoch  int32   `json:"leaderEpoch"`
	Replicas     []int32 `json:"replicas"`
	ISR          []int32 `json:"isr"`
	ELR          []int32 `json:"elr,omitempty"`
	LastKnownELR []int32 `json:"lastKnownElr,omitempty"`
	Offline      []int32 `json:"offline,omitempty"`
	hasELR       bool    // false: the broker did not say
}

type partitionName struct {
	topic     string
	partition int32
}

type reassignment struct{ replicas, adding, removing []int32 }

// reassignments are the moves under way.
type reassignments map[partitionName]reassignment

// parseTopicID reads --topic-id, and says what is wrong with one in the words of Kafka's tool.
func parseTopicID(text string) (ident.TopicID, error) {
	if text == "" {
		return ident.TopicID{}, nil
	}
	id, err := ident.ParseTopicID(text)
	if err == nil {
		return id, nil
	}
	if len(text) > 24 {
		return id, sayf("Input string with prefix `%s` is too long to be decoded as a base64 UUID", text[:24])
	}
	if raw, broken := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); broken == nil {
		return id, sayf("Input string `%s` decoded as %d bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID",
			text, len(raw))
	}
	return id, err
}

// parseAssignment reads 1:2,2:3: for each partition its brokers.
func parseAssignment(text string) ([][]int32, error) {
	if text == "" {
		return nil, nil
	}
	var assignment [][]int32
	for i, part := range strings.Split(text, ",") {
		var brokers, duplicates []int32
		for _, word := range strings.Split(part, ":") {
			id, err := strconv.ParseInt(strings.TrimSpace(word), 10, 32)
			if err != nil {
				return nil, sayf("For input string: %q", strings.TrimSpace(word))
			}
			if slices.Contains(brokers, int32(id)) {
				duplicates = append(duplicates, int32(id))
			}
			brokers = append(brokers, int32(id))
		}
		if len(duplicates) > 0 {
			return nil, sayf("Partition replica lists may not contain duplicate entries: %s",
				joinIDs(duplicates))
		}
		if assignment = append(assignment, brokers); len(brokers) != len(assignment[0]) {
			return nil, sayf("Partition %d has different replication factor: [%s]",
				i, strings.ReplaceAll(joinIDs(brokers), ",", ", "))
		}
	}
	return assignment, nil
}

// createTopic creates the topic; created is false without an error when it exists and may.
func (c *client) createTopic(ctx context.Context, topic newTopic, mayExist bool) (created bool, err error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic.name, topic.partitions, topic.replication
	for i, brokers := range topic.assignment {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), brokers
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	for _, name := range slices.Sorted(maps.Keys(topic.configs)) {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, kmsg.StringPtr(topic.configs[name])
		t.Configs = append(t.Configs, config)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return false, err
	}
	for _, answer := range resp.Topics {
		err := codeError(answer.ErrorCode, answer.ErrorMessage)
		if errors.Is(err, kerr.TopicAlreadyExists) && mayExist {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// topicNames lists the topics, sorted, that match the include list: a regular expression, or
// several with commas; "" is all.
func (c *client) topicNames(ctx context.Context, include string, skipInternal bool) ([]string, error) {
	var pattern *regexp.Regexp
	if include != "" {
		var err error
		if pattern, err = includeList(include); err != nil {
			return nil, err
		}
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil // all
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, topic := range resp.Topics {
		if topic.Topic == nil || topic.IsInternal && skipInternal {
			continue
		}
		if pattern == nil || pattern.MatchString(*topic.Topic) {
			names = append(names, *topic.Topic)
		}
	}
	slices.Sort(names)
	return names, nil
}

// includeList reads Kafka's include list: commas stand for alternatives, quotes around it are
// dropped, and the whole name has to match.
func includeList(text string) (*regexp.Regexp, error) {
	text = strings.Trim(strings.TrimSpace(text), `"'`)
	text = strings.NewReplacer(",", "|", " ", "").Replace(text)
	pattern, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, sayf("%s is an invalid regex.", text)
	}
	return pattern, nil
}

func (c *client) addPartitions(ctx context.Context, names []string, count int32, assignment [][]int32) error {
	existing := map[string]int{}
	if assignment != nil {
		topics, err := c.describeTopics(ctx, names, 2000)
		if err != nil {
			return err
		}
		for _, topic := range topics {
			existing[topic.Name] = len(topic.Partitions)
		}
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	for _, name := range names {
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = name, count
		if assignment != nil { // also one that says nothing of the new partitions, which is refused and not taken for none
			t.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
		}
		for i := existing[name]; i < len(assignment); i++ {
			a := kmsg.NewCreatePartitionsRequestTopicAssignment()
			a.Replicas = assignment[i]
			t.Assignment = append(t.Assignment, a)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, topic := range resp.Topics {
		if err := codeError(topic.ErrorCode, topic.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) deleteTopics(ctx context.Context, names []string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	req.TopicNames = names
	for _, name := range names {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, topic := range resp.Topics {
		if err := codeError(topic.ErrorCode, topic.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

// liveBrokers returns the ids of the brokers that the cluster counts as alive.
func (c *client) liveBrokers(ctx context.Context) (map[int32]bool, error) {
	brokers, err := c.adm.ListBrokers(ctx)
	if err != nil {
		return nil, err
	}
	live := map[int32]bool{}
	for _, broker := range brokers {
		live[broker.NodeID] = true
	}
	return live, nil
}

// reassignments returns the moves under way; a broker that knows none, or may not say, has none.
func (c *client) reassignments(ctx context.Context, topics []topicDescription) (reassignments, error) {
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	req.TimeoutMillis = int32(apiTimeout.Milliseconds())
	for _, topic := range topics {
		t := kmsg.NewListPartitionReassignmentsRequestTopic()
		t.Topic = topic.Name
		for _, p := range topic.Partitions {
			t.Partitions = append(t.Partitions, p.Partition)
		}
		req.Topics = append(req.Topics, t)
	}
	moves := reassignments{}
	resp, err := req.RequestWith(ctx, c)
	if err == nil {
		err = codeError(resp.ErrorCode, resp.ErrorMessage)
	}
	if isUnsupported(err) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return moves, nil
	}
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			moves[partitionName{t.Topic, p.Partition}] = reassignment{p.Replicas, p.AddingReplicas, p.RemovingReplicas}
		}
	}
	return moves, nil
}
