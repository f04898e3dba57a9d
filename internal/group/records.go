package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
)

// The versions that are written, as Apache Kafka 4.4 does; docs/formats/consumer_offsets.md has them
// all. A key's version tells what kind of record it is of.
const (
	offsetKeyVersion   = 1
	groupKeyVersion    = 2
	offsetValueVersion = 4
	groupValueVersion  = 3
	// offsetValueExpiring is the one version of an offset that has an expiry of its own
	// (OffsetCommit requests up to version 4).
	offsetValueExpiring = 1
)

var errBadRecord = errors.New("malformed record")

// offsetKey names a committed offset.
type offsetKey struct {
	group, topic string
	partition    int32
}

// groupKey names a classic group.
type groupKey struct{ group string }

// decodeKey returns an offsetKey, a groupKey, or nil for kinds of later versions (KIP-848's).
func decodeKey(key []byte) (any, error) {
	if len(key) < 2 {
		return nil, errBadRecord
	}
	switch version := int16(binary.BigEndian.Uint16(key)); version {
	case 0, offsetKeyVersion:
		var k kmsg.OffsetCommitKey
		if err := k.ReadFrom(key); err != nil {
			return nil, fmt.Errorf("%w: key of an offset: %w", errBadRecord, err)
		}
		return offsetKey{k.Group, k.Topic, k.Partition}, nil
	case groupKeyVersion:
		var k kmsg.GroupMetadataKey
		if err := k.ReadFrom(key); err != nil {
			return nil, fmt.Errorf("%w: key of a group: %w", errBadRecord, err)
		}
		return groupKey{k.Group}, nil
	default:
		return nil, nil
	}
}

func (k offsetKey) encode() []byte {
	key := kmsg.OffsetCommitKey{
		Version:   offsetKeyVersion,
		Group:     k.group,
		Topic:     k.topic,
		Partition: k.partition,
	}
	return key.AppendTo(nil)
}

func (k groupKey) encode() []byte {
	key := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: k.group}
	return key.AppendTo(nil)
}

// groupRecord is the record of a group as it stands, with the assignments given.
func groupRecord(g *group, assignment func(*member) []byte) coordinator.Record {
	value := kmsg.GroupMetadataValue{
		Version:               groupValueVersion,
		ProtocolType:          g.protocolType,
		Generation:            g.generation,
		Protocol:              g.protocol,
		Leader:                nullable(g.leader),
		CurrentStateTimestamp: g.stateSinceMs(),
	}
	for _, mb := range g.members {
		value.Members = append(value.Members, kmsg.GroupMetadataValueMember{
			MemberID:               mb.id,
			InstanceID:             mb.instanceID,
			ClientID:               mb.client.ID,
			ClientHost:             mb.client.Host,
			RebalanceTimeoutMillis: int32(mb.rebalanceTimeout.Milliseconds()),
			SessionTimeoutMillis:   int32(mb.sessionTimeout.Milliseconds()),
			Subscription:           mb.metadata(g.protocolName()),
			Assignment:             assignment(mb),
		})
	}
	return coordinator.Record{Key: groupKey{g.id}.encode(), Value: value.AppendTo(nil)}
}

// emptyGroupRecord is the first record of a group, before its first generation.
func emptyGroupRecord(g *group) coordinator.Record {
	value := kmsg.GroupMetadataValue{
		Version:               groupValueVersion,
		CurrentStateTimestamp: g.stateSinceMs(),
	}
	return coordinator.Record{Key: groupKey{g.id}.encode(), Value: value.AppendTo(nil)}
}

// tombstone of a group or an offset.
func tombstone(key interface{ encode() []byte }) coordinator.Record {
	return coordinator.Record{Key: key.encode()}
}

func (g *group) stateSinceMs() int64 {
	if g.stateSince.IsZero() {
		return -1
	}
	return g.stateSince.UnixMilli()
}
