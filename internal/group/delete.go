package group

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
	"barnabas/internal/ident"
)

// maxTombstones bounds the tombstones of one step, so that their batch stays well below
// max.message.bytes; the rest are written by steps that follow.
const maxTombstones = 1000

// DeleteGroup removes a group without members, with its offsets. The code is 0, NON_EMPTY_GROUP,
// GROUP_ID_NOT_FOUND, or the coordinator's.
func (g *Groups) DeleteGroup(groupID string, done func(errorCode int16)) {
	g.command(groupID,
		func(m *machine, s *step) {
			more, refused := m.delete(s, groupID)
			s.reply(func(err error) {
				switch {
				case refused != nil:
					done(code(refused))
				case err == nil && more:
					g.DeleteGroup(groupID, done)
				default:
					done(code(err))
				}
			})
		},
		func(err error) { done(code(err)) })
}

// delete says that there is more to delete when a step is full.
func (m *machine) delete(s *step, groupID string) (more bool, refused error) {
	g := m.groups[groupID]
	switch {
	case g == nil:
		return false, kerr.GroupIDNotFound
	case g.state != empty:
		return false, kerr.NonEmptyGroup
	}
	for key := range g.offsets.keys(groupID) {
		if s.full() {
			return true, nil
		}
		s.record(tombstone(key))
		m.counters.Deletions.Add(1)
	}
	s.record(tombstone(groupKey{groupID}))
	return false, nil
}

// full reports whether a step has written as many tombstones as it may.
func (s *step) full() bool { return len(s.outcome.Records) >= maxTombstones }

// DeletedTopic is a topic that is no more.
type DeletedTopic struct {
	Name string
	ID   ident.TopicID
}

// TopicsDeleted removes the committed offsets of topics that are no more from the groups of all partitions.
func (g *Groups) TopicsDeleted(topics []DeletedTopic) {
	for _, p := range g.runtime.Partitions() {
		g.topicsDeleted(p, topics)
	}
}

func (g *Groups) topicsDeleted(partition int32, topics []DeletedTopic) {
	failed := func(err error) {
		// A partition that is lost or loading is cleaned by its coordinator's own retention.
		g.logger.Warn("offsets of deleted topics were not removed", "partition", partition, "error", err)
	}
	g.runtime.Submit(partition, coordinator.Command[*machine]{
		Run: func(m *machine, now time.Time) coordinator.Outcome {
			return m.run(now, func(s *step) {
				more := m.topicsDeleted(s, topics)
				s.reply(func(err error) {
					if err != nil {
						failed(err)
					} else if more {
						g.topicsDeleted(partition, topics)
					}
				})
			})
		},
		Fail: failed,
	})
}

// topicsDeleted takes out the offsets of topics that are no more; those of a topic that has the name
// since stay. It says that there is more to do when the step is full.
func (m *machine) topicsDeleted(s *step, topics []DeletedTopic) (more bool) {
	for _, g := range m.inOrder() {
		for _, topic := range topics {
			for _, p := range slices.Sorted(maps.Keys(g.offsets[topic.Name])) {
				if isOther(g.offsets[topic.Name][p].topicID, topic.ID) {
					continue
				}
				if s.full() {
					return true
				}
				s.record(tombstone(offsetKey{g.id, topic.Name, p}))
			}
		}
	}
	return false
}

// DeleteOffsets removes committed offsets of topics that no member subscribes to. done has a code for the
// whole, or one for each partition in the request's order.
func (g *Groups) DeleteOffsets(
	r *kmsg.OffsetDeleteRequest, done func(whole int16, codes [][]int16),
) {
	if r.Group == "" {
		done(kerr.InvalidGroupID.Code, nil)
		return
	}
	g.command(r.Group,
		func(m *machine, s *step) {
			codes, refused := m.deleteOffsets(s, r)
			s.reply(func(err error) {
				if refused != nil {
					err = refused
				}
				done(code(err), codes)
			})
		},
		func(err error) { done(code(err), nil) })
}

func (m *machine) deleteOffsets(s *step, r *kmsg.OffsetDeleteRequest) ([][]int16, error) {
	g := m.groups[r.Group]
	switch {
	case g == nil:
		return nil, kerr.GroupIDNotFound
	case g.state != empty && g.protocolType != consumerType:
		return nil, kerr.NonEmptyGroup // whose topics can't be told
	}
	codes := make([][]int16, len(r.Topics))
	for i, topic := range r.Topics {
		codes[i] = make([]int16, len(topic.Partitions))
		subscribed := g.subscribes(topic.Topic)
		for j, p := range topic.Partitions {
			if subscribed {
				codes[i][j] = kerr.GroupSubscribedToTopic.Code
			} else if _, ok := g.offsets.get(topic.Topic, p.Partition); ok {
				s.record(tombstone(offsetKey{r.Group, topic.Topic, p.Partition}))
				m.counters.Deletions.Add(1)
			}
		}
	}
	return codes, nil
}
