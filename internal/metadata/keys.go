package metadata

import (
	"strconv"
	"strings"

	"barnabas/internal/ident"
)

// The keys, relative to the store's root (docs/formats/metadata.md).
const (
	formatKey     = "format"
	clusterKey    = "cluster"
	controllerKey = "controller"
	producersKey  = "producers"
	featurePrefix = "features/"

	brokerPrefix    = "brokers/"
	memberPrefix    = "members/"
	topicPrefix     = "topics/"
	partitionPrefix = "partitions/"
	configPrefix    = "configs/"
	lossPrefix      = "losses/"
	answerPrefix    = "answers/"
	doubtPrefix     = "doubts/"
	successorPrefix = "successors/"
	askedPrefix     = "asked/"
	deletionPrefix  = "deleted/"
)

// FormatKey holds the version of the layout.
func FormatKey() string { return formatKey }

// ClusterKey holds the cluster's identity and birth.
func ClusterKey() string { return clusterKey }

// ControllerKey is the election key; it hangs on the elected broker's lease.
func ControllerKey() string { return controllerKey }

// ProducersKey holds the next free producer id.
func ProducersKey() string { return producersKey }

// FeatureKey holds the finalized level of a feature.
func FeatureKey(name string) string { return featurePrefix + name }

// BrokerKey holds a broker's registration; it hangs on the broker's lease.
func BrokerKey(id ident.BrokerID) string {
	return brokerPrefix + strconv.FormatInt(int64(id), 10)
}

// MemberKey holds the last registration of a broker for as long as it belongs to the cluster, alive or not.
func MemberKey(id ident.BrokerID) string {
	return memberPrefix + strconv.FormatInt(int64(id), 10)
}

// TopicKey holds a topic's name and number of partitions.
func TopicKey(id ident.TopicID) string { return topicPrefix + id.String() }

// PartitionKey holds the state of one partition.
func PartitionKey(id ident.TopicID, partition int32) string {
	return PartitionsOf(id) + strconv.FormatInt(int64(partition), 10)
}

// PartitionsOf is the prefix of the partition keys of a topic.
func PartitionsOf(id ident.TopicID) string { return partitionPrefix + id.String() + "/" }

// ConfigKey holds the dynamic settings of a resource.
func ConfigKey(r Resource) string { return configPrefix + string(r.Type) + "/" + r.Name }

// LossKey holds one entry of the loss ledger; the order of keys is the order in time.
func LossKey(id ident.TopicID, partition int32, leaderEpoch int32) string {
	return lossPrefix + id.String() + "/" + strconv.Itoa(int(partition)) + "/" + strconv.Itoa(int(leaderEpoch))
}

// TopicOfKey is the topic whose own key that is.
func TopicOfKey(key string) (ident.TopicID, bool) {
	text, ok := strings.CutPrefix(key, topicPrefix)
	if !ok {
		return ident.TopicID{}, false
	}
	id, err := ident.ParseTopicID(text)
	return id, err == nil
}

// ResourceOfKey is the resource whose dynamic settings stand in that key.
func ResourceOfKey(key string) (Resource, bool) {
	text, ok := strings.CutPrefix(key, configPrefix)
	if !ok {
		return Resource{}, false
	}
	kind, name, ok := strings.Cut(text, "/")
	return Resource{ResourceType(kind), name}, ok
}

func itoa(id ident.BrokerID) string { return strconv.FormatInt(int64(id), 10) }

// AnswerKey holds what a broker's store holds of a partition whose copies are asked.
func AnswerKey(id ident.TopicID, partition int32, broker ident.BrokerID) string {
	return AnswersOf(id, partition) + strconv.FormatInt(int64(broker), 10)
}

// AnswersOf is the prefix of the answers of a partition.
func AnswersOf(id ident.TopicID, partition int32) string {
	return AnswersOfTopic(id) + strconv.Itoa(int(partition)) + "/"
}

// AnswersOfTopic is the prefix of the answers of a topic.
func AnswersOfTopic(id ident.TopicID) string { return answerPrefix + id.String() + "/" }

// splitTail reads the decimal number after the last slash.
func splitTail(key string) (head string, number int32, ok bool) {
	slash := strings.LastIndexByte(key, '/')
	if slash < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(key[slash+1:], 10, 32)
	if err != nil || n < 0 {
		return "", 0, false
	}
	return key[:slash], int32(n), true
}
