package group

import (
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/ident"
)

// CommitOffsets records offsets for a group: of a member, who must be of the current generation, or of
// anyone (generation -1, no member) while the group has no members. done has one code for each
// partition in the request's order; the request's topics need their names, and with TopicID
// set it is recorded.
func (g *Groups) CommitOffsets(r *kmsg.OffsetCommitRequest, done func(codes [][]int16)) {
	g.command(r.Group,
		func(m *machine, s *step) {
			codes := m.commit(s, r)
			s.reply(func(err error) {
				if err != nil {
					codes = commitError(r, code(err))
				}
				done(codes)
			})
		},
		func(err error) { done(commitError(r, code(err))) })
}

// commitError is the same code for every partition.
func commitError(r *kmsg.OffsetCommitRequest, errorCode int16) [][]int16 {
	codes := make([][]int16, len(r.Topics))
	for i, topic := range r.Topics {
		codes[i] = make([]int16, len(topic.Partitions))
		for j := range codes[i] {
			codes[i][j] = errorCode
		}
	}
	return codes
}

func (m *machine) commit(s *step, r *kmsg.OffsetCommitRequest) [][]int16 {
	if err := m.validateCommit(r); err != nil {
		return commitError(r, err.Code)
	}
	if g := m.groups[r.Group]; g != nil && (g.state == stable || g.state == preparingRebalance) {
		if mb := g.byID[r.MemberID]; mb != nil {
			g.keepAlive(s, mb)
		}
	}
	codes := commitError(r, 0)
	for i, topic := range r.Topics {
		for j, p := range topic.Partitions {
			if p.Metadata != nil && utf16Len(*p.Metadata) > m.config.OffsetMetadataMax {
				codes[i][j] = kerr.OffsetMetadataTooLarge.Code
				continue
			}
			key := offsetKey{r.Group, topic.Topic, p.Partition}
			s.record(offsetRecord(key, committed(s, r, topic.TopicID, p)))
		}
	}
	m.counters.Commits.Add(int64(len(s.outcome.Records)))
	return codes
}

// committed is the offset of a request.
func committed(
	s *step, r *kmsg.OffsetCommitRequest, id ident.TopicID, p kmsg.OffsetCommitRequestTopicPartition,
) offset {
	o := offset{
		offset:      p.Offset,
		leaderEpoch: p.LeaderEpoch,
		topicID:     id,
		commitMs:    s.now.UnixMilli(),
		expireMs:    -1,
	}
	if p.Metadata != nil {
		o.metadata = *p.Metadata
	}
	if r.Version >= 2 && r.Version <= 4 && r.RetentionTimeMillis >= 0 {
		o.expireMs = o.commitMs + r.RetentionTimeMillis
	}
	return o
}

// validateCommit says whether the sender may commit for the group as it is now.
func (m *machine) validateCommit(r *kmsg.OffsetCommitRequest) *kerr.Error {
	g := m.groups[r.Group]
	switch {
	case g == nil && r.Generation < 0:
		return nil // the record makes a simple group
	case g == nil && r.Version >= 9:
		return kerr.GroupIDNotFound
	case g == nil:
		return kerr.IllegalGeneration
	case r.Generation < 0 && g.state == empty:
		return nil
	case r.Generation < 0 && r.MemberID == "" && r.InstanceID == nil:
		return kerr.UnknownMemberID // someone else's, while the group has members
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	switch {
	case r.Generation != g.generation:
		return kerr.IllegalGeneration
	case g.state == completingRebalance:
		// The member knows the generation from its join, but has no assignment of it yet.
		return kerr.RebalanceInProgress
	}
	return nil
}

// utf16Len is the length that Java gives a string.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}
