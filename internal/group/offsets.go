package group

import (
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
	"barnabas/internal/ident"
)

// offset is what a group committed for a partition.
type offset struct {
	offset      int64
	leaderEpoch int32 // -1 for unknown
	metadata    string
	topicID     ident.TopicID // zero for unknown: a client that commits by name, or an old record
	commitMs    int64
	expireMs    int64 // -1 for the retention of all
}

// offsets are a group's, by topic and partition.
type offsets map[string]map[int32]offset

func (os *offsets) put(topic string, partition int32, o offset) {
	if *os == nil {
		*os = offsets{}
	}
	partitions := (*os)[topic]
	if partitions == nil {
		partitions = map[int32]offset{}
		(*os)[topic] = partitions
	}
	partitions[partition] = o
}

func (os offsets) remove(topic string, partition int32) {
	delete(os[topic], partition)
	if len(os[topic]) == 0 {
		delete(os, topic)
	}
}

func (os offsets) get(topic string, partition int32) (offset, bool) {
	o, ok := os[topic][partition]
	return o, ok
}

// keys are those of all offsets, in order.
func (os offsets) keys(group string) iter.Seq[offsetKey] {
	return func(yield func(offsetKey) bool) {
		for _, topic := range slices.Sorted(maps.Keys(os)) {
			for _, p := range slices.Sorted(maps.Keys(os[topic])) {
				if !yield(offsetKey{group, topic, p}) {
					return
				}
			}
		}
	}
}

// replayOffset makes a committed offset what its record says. An offset makes a simple group of one that
// isn't known.
func (m *machine) replayOffset(key offsetKey, value []byte) error {
	g := m.groups[key.group]
	if value == nil {
		if g != nil {
			g.offsets.remove(key.topic, key.partition)
		}
		return nil
	}
	o, err := decodeOffset(value)
	if err != nil {
		return err
	}
	if g == nil {
		g, _ = m.groupOrNew(key.group, time.UnixMilli(o.commitMs))
	}
	g.offsets.put(key.topic, key.partition, o)
	return nil
}

func decodeOffset(value []byte) (offset, error) {
	if len(value) < 2 {
		return offset{}, errBadRecord
	}
	v := kmsg.OffsetCommitValue{
		Version:         int16(binary.BigEndian.Uint16(value)),
		LeaderEpoch:     -1,
		ExpireTimestamp: -1,
	}
	if v.Version < 0 || v.Version > 4 {
		return offset{}, fmt.Errorf("%w: an offset of version %d", errBadRecord, v.Version)
	}
	if err := checkOffsetTags(value); err != nil {
		return offset{}, err
	}
	if err := v.ReadFrom(value); err != nil {
		return offset{}, fmt.Errorf("%w: an offset: %w", errBadRecord, err)
	}
	return offset{
		offset:      v.Offset,
		leaderEpoch: v.LeaderEpoch,
		metadata:    v.Metadata,
		topicID:     v.TopicID,
		commitMs:    v.CommitTimestamp,
		expireMs:    v.ExpireTimestamp,
	}, nil
}

func offsetRecord(key offsetKey, o offset) coordinator.Record {
	v := kmsg.OffsetCommitValue{
		Version:         offsetValueVersion,
		Offset:          o.offset,
		LeaderEpoch:     o.leaderEpoch,
		Metadata:        o.metadata,
		CommitTimestamp: o.commitMs,
		ExpireTimestamp: o.expireMs,
		TopicID:         o.topicID,
	}
	if o.expireMs >= 0 {
		v.Version = offsetValueExpiring
	}
	return coordinator.Record{Key: key.encode(), Value: v.AppendTo(nil)}
}
