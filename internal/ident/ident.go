// Package ident holds the identities that every other room passes around: brokers, stores, topics,
// clusters and partitions. It is a leaf: it imports nothing of Barnabas and owns no goroutine.
package ident

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// ID is a random 128-bit identity. Its kind is part of its type, so that a store's identity can't be
// passed where a topic's is wanted. It prints as Kafka's Uuid does: 22 characters of unpadded URL-safe base64.
type ID[kind any] [16]byte

type (
	topicKind   struct{}
	storeKind   struct{}
	clusterKind struct{}
	bootKind    struct{}
)

type (
	// TopicID tells a topic from another of the same name created later (KIP-516).
	TopicID = ID[topicKind]
	// StoreID is the identity of one data directory, `directory.id` in meta.properties (KIP-858).
	// An emptied directory gets a new one, so an in-sync set that names stores never trusts it.
	StoreID = ID[storeKind]
	// ClusterID is the identity of a cluster, given at its birth and kept through every rebirth.
	ClusterID = ID[clusterKind]
	// BootID changes when a machine boots: within one, a dead process has lost no page cache.
	BootID = ID[bootKind]
)

// New returns a random ID that does not print with a leading dash, which command lines would take
// for a flag, as Kafka's Uuid.randomUuid.
func New[kind any]() ID[kind] {
	var id ID[kind]
	for {
		rand.Read(id[:])
		if !id.IsZero() && id.String()[0] != '-' {
			return id
		}
	}
}

// NewTopicID returns a fresh random TopicID.
func NewTopicID() TopicID { return New[topicKind]() }

// NewStoreID returns a fresh random StoreID.
func NewStoreID() StoreID { return New[storeKind]() }

// NewClusterID returns a fresh random ClusterID.
func NewClusterID() ClusterID { return New[clusterKind]() }

// NewBootID returns a fresh random BootID.
func NewBootID() BootID { return New[bootKind]() }

// Parse reads the 22-character form that String writes.
func Parse[kind any](s string) (ID[kind], error) {
	var id ID[kind]
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%q is not an id: want 22 characters of URL-safe base64", s)
	}
	copy(id[:], raw)
	return id, nil
}

// ParseTopicID reads a TopicID as String writes it.
func ParseTopicID(s string) (TopicID, error) { return Parse[topicKind](s) }

// ParseStoreID reads a StoreID as String writes it.
func ParseStoreID(s string) (StoreID, error) { return Parse[storeKind](s) }

// ParseClusterID reads a ClusterID as String writes it.
func ParseClusterID(s string) (ClusterID, error) { return Parse[clusterKind](s) }

// IsZero reports whether the ID was never given.
func (id ID[kind]) IsZero() bool { return id == ID[kind]{} }

// String is the 22-character form.
func (id ID[kind]) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// MarshalText lets an ID stand in JSON as a string.
func (id ID[kind]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is MarshalText's inverse.
func (id *ID[kind]) UnmarshalText(text []byte) error {
	parsed, err := Parse[kind](string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// BrokerID numbers a broker in its cluster.
type BrokerID int32

// NoBroker stands where no broker does, such as the leader of an offline partition.
const NoBroker BrokerID = -1

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String is the form of log directories and log lines: topic-partition.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }
