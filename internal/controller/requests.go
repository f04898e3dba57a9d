package controller

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// NewTopic is a topic to create.
type NewTopic struct {
	Name string
	// Partitions is their number, -1 for num.partitions.
	Partitions int32
	// ReplicationFactor is -1 for default.replication.factor.
	ReplicationFactor int16
	// Assignments, if not empty, name the replicas of each partition; then the two numbers must be -1.
	Assignments []Assignment
	Configs     []ConfigEntry
}

// Assignment names the replicas of one partition, the preferred leader first.
type Assignment struct {
	Partition int32
	Replicas  []ident.BrokerID
}

// ConfigEntry is a setting as a request gives it; the value may be null.
type ConfigEntry struct {
	Name  string
	Value *string
}

// CreatedTopic is the outcome for one NewTopic, in the order asked.
type CreatedTopic struct {
	Name string
	// Err is an *Error, or nil.
	Err               error
	ID                ident.TopicID
	Partitions        int32
	ReplicationFactor int16
	// Configs are the topic's own settings.
	Configs map[string]string
}

// TopicRef names a topic to delete, by name or by id.
type TopicRef struct {
	Name string
	ID   ident.TopicID
}

// DeletedTopic is the outcome for one TopicRef, in the order asked. Name and ID are those of the topic
// as far as they are known.
type DeletedTopic struct {
	Name string
	ID   ident.TopicID
	Err  error
}

// MorePartitions asks for a topic to have Count partitions.
type MorePartitions struct {
	Topic string
	Count int32
	// Assignments, if not nil, name the replicas of each partition that is new.
	Assignments [][]ident.BrokerID
}

// ConfigOp is what an incremental change does to a setting. Its numbers are the protocol's (KIP-339).
type ConfigOp int8

// The operations of an incremental change.
const (
	ConfigSet      ConfigOp = 0
	ConfigDelete   ConfigOp = 1
	ConfigAppend   ConfigOp = 2
	ConfigSubtract ConfigOp = 3
)

// ConfigChange changes one setting.
type ConfigChange struct {
	Name  string
	Op    ConfigOp
	Value *string
}

// AlterResource changes the settings of one resource.
type AlterResource struct {
	Resource metadata.Resource
	Changes  []ConfigChange
	// Replace drops every setting that Changes, which then are all ConfigSet, do not name: AlterConfigs of
	// before KIP-339.
	Replace bool
}

// FeatureUpdate asks for a finalized level; 0 turns the feature off.
type FeatureUpdate struct {
	Name  string
	Level int16
	// Downgrade says how far a lower level is allowed.
	Downgrade FeatureDowngrade
}

// FeatureDowngrade is the protocol's upgrade type.
type FeatureDowngrade int8

// How far an update may lower a level.
const (
	FeatureUpgrade         FeatureDowngrade = 1
	FeatureSafeDowngrade   FeatureDowngrade = 2
	FeatureUnsafeDowngrade FeatureDowngrade = 3
)

// ProducerIDBlock are producer ids that one broker may give out: [First, First+Count).
type ProducerIDBlock struct {
	First int64
	Count int32
}

// Reassignment asks for other replicas of a partition, the preferred leader first, or with nil Replicas for the end
// of the reassignment that is under way (KIP-455).
type Reassignment struct {
	Topic     string
	Partition int32
	Replicas  []ident.BrokerID
}

// Election asks for a leader of one partition.
type Election struct {
	Topic     string
	Partition int32
}

// ElectionType is the protocol's: to the preferred leader, or to whatever replica there is.
type ElectionType int8

// The types of elections that a client may ask for (KIP-460).
const (
	PreferredElection ElectionType = 0
	UncleanElection   ElectionType = 1
)

// Known tells whether there is such a type.
func (t ElectionType) Known() bool { return t == PreferredElection || t == UncleanElection }
