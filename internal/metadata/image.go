package metadata

import (
	"iter"

	"barnabas/internal/ident"
)

// Image is the whole cluster as of one revision. It never changes: each change makes another Image
// that shares what stayed the same, so that one event among a million partitions copies a few
// hundred bytes. Anyone may keep one and read it without a lock.
//
// Everything reachable from an Image is read-only, slices and maps included.
type Image struct {
	revision     Revision
	cluster      Cluster
	controller   Election
	nextProducer int64
	features     map[string]int16
	brokers      brokerSet
	members      brokerSet
	topics       topicIndex
	configs      configIndex
	losses       lossIndex
	answers      answerIndex
	successors   brokerSet
	doubts       map[string]Doubt // by key
	deletions    deletionIndex
}

// Cluster is the identity of the cluster.
type Cluster struct {
	ID ident.ClusterID
	// BornMs is when it was founded, in milliseconds since 1970.
	BornMs int64
}

// Election says who is the controller.
type Election struct {
	// Broker is ident.NoBroker while nobody is elected.
	Broker ident.BrokerID
	// Epoch is the create revision of the election key; a transaction fenced by it is void once
	// another controller is elected.
	Epoch Revision
}

// NewImage is an empty cluster at revision 0.
func NewImage() *Image {
	return &Image{
		controller: Election{Broker: ident.NoBroker},
		topics:     newTopicIndex(),
		configs:    newConfigIndex(),
		losses:     newLossIndex(),
		answers:    newAnswerIndex(),
		deletions:  newDeletionIndex(),
	}
}

// Revision is the store's revision that the Image shows.
func (img *Image) Revision() Revision { return img.revision }

// Cluster is the cluster's identity, zero before its birth.
func (img *Image) Cluster() Cluster { return img.cluster }

// ClusterID is the cluster's identity, zero before its birth.
func (img *Image) ClusterID() ident.ClusterID { return img.cluster.ID }

// Controller tells who is elected.
func (img *Image) Controller() Election { return img.controller }

// ControllerID is the elected broker, ident.NoBroker while there is none.
func (img *Image) ControllerID() ident.BrokerID { return img.controller.Broker }

// NextProducerID is the first producer id not yet given to any broker.
func (img *Image) NextProducerID() int64 { return img.nextProducer }

// Feature is the finalized level of a feature; 0 means that it is off.
func (img *Image) Feature(name string) int16 { return img.features[name] }

// Features are the finalized levels by name.
func (img *Image) Features() map[string]int16 { return img.features }

// Broker is a registration, nil when no such broker is registered now.
func (img *Image) Broker(id ident.BrokerID) *Broker { return img.brokers[id] }

// NumBrokers counts the brokers registered now.
func (img *Image) NumBrokers() int { return len(img.brokers) }

// Brokers are the brokers registered now, by id.
func (img *Image) Brokers() []*Broker { return img.brokers.sorted() }

// Member is the last registration of a broker that belongs to the cluster, alive or not; nil for others.
func (img *Image) Member(id ident.BrokerID) *Broker { return img.members[id] }

// Members are the brokers that belong to the cluster, by id, as they registered last. One that is not among
// Brokers too is down: Kafka calls it fenced.
func (img *Image) Members() []*Broker { return img.members.sorted() }

// Topic finds a topic by name, nil when there is none. It does not allocate.
func (img *Image) Topic(name string) *Topic { return img.topics.named(name) }

// TopicByID finds a topic by id, nil when there is none. It does not allocate.
func (img *Image) TopicByID(id ident.TopicID) *Topic {
	if t := img.topics.withID(id); t != nil && t.announced() {
		return t
	}
	return nil
}

// Partition finds a partition by topic name, nil when there is none.
func (img *Image) Partition(tp ident.TopicPartition) *Partition {
	if t := img.Topic(tp.Topic); t != nil {
		return t.Partition(tp.Partition)
	}
	return nil
}

// NumTopics counts the topics.
func (img *Image) NumTopics() int { return img.topics.count() }

// NumPartitions counts the partitions of all topics.
func (img *Image) NumPartitions() int { return img.topics.partitions }

// Topics are all topics in the order of their names.
func (img *Image) Topics() iter.Seq[*Topic] { return img.topics.from("") }

// TopicsFrom are the topics from the one with that name on, in the order of their names.
func (img *Image) TopicsFrom(name string) iter.Seq[*Topic] { return img.topics.from(name) }

// Leftovers are the keys of partitions that no topic announces: those of a topic whose creation, or
// lengthening, was interrupted, or is under way.
func (img *Image) Leftovers() []string {
	var keys []string
	img.topics.byID.Ascend(func(e idEntry) bool {
		for n := int(e.topic.count); n < e.topic.parts.len(); n++ {
			if e.topic.parts.get(n) != nil {
				keys = append(keys, PartitionKey(e.id, int32(n)))
			}
		}
		return true
	})
	return keys
}

// Config are the dynamic settings of a resource, nil when it has none.
func (img *Image) Config(r Resource) map[string]string { return img.configs.get(r) }

// Configs are all resources of a type that have dynamic settings, in the order of their names.
func (img *Image) Configs(t ResourceType) iter.Seq2[string, map[string]string] {
	return img.configs.ofType(t)
}

// Losses is the loss ledger.
func (img *Image) Losses() iter.Seq[*Loss] { return img.losses.all() }

// NumLosses counts the entries of the loss ledger.
func (img *Image) NumLosses() int { return img.losses.tree.Len() }
