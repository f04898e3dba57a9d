package step

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/record"
)

// generation is a group's record, as a coordinator has written it.
type generation struct {
	group   string
	number  int32
	members []kmsg.GroupMetadataValueMember
	rec     *rec
	// born is where the group of that name that was before has ended in the log; nil if there was none. Its generations are others.
	born *rec
}

// told is what members and their clients have been told, and what therefore has to stay true.
type told struct {
	// commits are those of each partition that were acknowledged, and removals that were, in the order of the log.
	commits map[int32][]*commit
	// synced are the generations whose assignments members have.
	synced []*generation
}

func newTold() told { return told{commits: map[int32][]*commit{}} }

// before tells the order in which the log has, or had, two batches.
func (r *rec) before(other *rec) bool {
	return r.epoch < other.epoch || r.epoch == other.epoch && r.offset < other.offset
}

// written notes what a coordinator has written: offsets and generations. An offset may be written for a member of the newest
// generation that the log holds, or of one that has been joined since and was not assigned: a rebalance may follow it.
func (m *machine) written(r *rec, b record.Batch) {
	var reader record.Reader
	var d record.Decompressor
	reader.Reset(b, &d)
	defer reader.Close()
	for reader.Next() {
		one := reader.Record()
		var commitKey kmsg.OffsetCommitKey
		var groupKey kmsg.GroupMetadataKey
		switch {
		case len(one.Key) > 1 && one.Key[1] == 1 && commitKey.ReadFrom(one.Key) == nil && one.Value == nil:
			m.writtenRemoval(r, m.groupNamed(commitKey.Group), commitKey.Partition)
		case len(one.Key) > 1 && one.Key[1] == 2 && groupKey.ReadFrom(one.Key) == nil && one.Value == nil:
			m.writtenEnd(r, m.groupNamed(groupKey.Group))
		case len(one.Key) > 1 && one.Key[1] == 1 && commitKey.ReadFrom(one.Key) == nil:
			value := kmsg.NewOffsetCommitValue()
			if err := value.ReadFrom(one.Value); err != nil {
				m.violation("broken: an offset that can't be read: %v", err)
				continue
			}
			m.writtenCommit(r, value)
		case len(one.Key) > 1 && one.Key[1] == 2 && groupKey.ReadFrom(one.Key) == nil:
			value := kmsg.NewGroupMetadataValue()
			if err := value.ReadFrom(bytes.Clone(one.Value)); err != nil {
				m.violation("broken: a group that can't be read: %v", err)
				continue
			}
			r.generations = append(r.generations, &generation{groupKey.Group, value.Generation, value.Members, r, m.ended(groupKey.Group)})
		}
	}
}

func (m *machine) writtenCommit(r *rec, value kmsg.OffsetCommitValue) {
	number, err := strconv.Atoi(value.Metadata)
	if err != nil || number >= len(m.commits) || m.commits[number].offset != value.Offset {
		m.violation("commits: broker %d writes offset %d (%q), which nobody has sent", m.id, value.Offset, value.Metadata)
		return
	}
	c := m.commits[number]
	c.rec = r
	r.commits = append(r.commits, c)
	if r.unsure {
		return
	}
	newest := m.newest(c.group.name)
	if c.generation < 0 && (newest == nil || len(newest.members) == 0) {
		return // of somebody who is no member, while there are none
	}
	is := func(mb kmsg.GroupMetadataValueMember) bool { return mb.MemberID == c.member }
	if newest == nil || c.generation < newest.number || c.generation == newest.number && !slices.ContainsFunc(newest.members, is) {
		m.violation("fenced: broker %d lets member %s of generation %d of %s commit; the newest is %s", m.id, c.member, c.generation,
			c.group.name, newest)
	}
}

func (g *generation) String() string {
	if g == nil {
		return "none"
	}
	text := fmt.Sprintf("%d of", g.number)
	for _, mb := range g.members {
		text += " " + mb.MemberID
	}
	return text
}

// newest is the last generation of a group in the log of the machine.
func (m *machine) newest(group string) *generation {
	for _, r := range slices.Backward(m.main().holds) {
		for _, g := range slices.Backward(r.generations) {
			if g.group == group {
				return g
			}
		}
		if slices.Contains(r.ended, group) {
			return nil
		}
	}
	return nil
}

// ended is where the log of the machine says last that a group of that name is no more; nil where it does not.
func (m *machine) ended(group string) *rec {
	for _, r := range slices.Backward(m.main().holds) {
		if slices.Contains(r.ended, group) {
			return r
		}
	}
	return nil
}

// tellCommitted has a coordinator acknowledge a commit.
func (w *world) tellCommitted(m *machine, c *commit) {
	if c.rec == nil {
		w.violation("commits: broker %d acknowledges offset %d of %s-%d, which it has not written", m.id, c.offset, c.group.name, c.partition)
		return
	}
	w.committed++
	w.tell(c)
}

// tell has it known that an offset was committed, or removed: nothing older may be answered from now on.
func (w *world) tell(c *commit) {
	if c.acked {
		return
	}
	c.acked = true
	w.promise(c.rec, &c.rec.acked)
	list := c.group.told.commits[c.partition]
	at, _ := slices.BinarySearchFunc(list, c, func(a, b *commit) int {
		switch {
		case a.rec == b.rec:
			return a.number - b.number
		case a.rec.before(b.rec):
			return -1
		}
		return 1
	})
	c.group.told.commits[c.partition] = slices.Insert(list, at, c)
}

// question of a client's for offsets: what had been acknowledged of each partition when it reached its coordinator, by this one or
// one of an earlier epoch. One that is deposed, and has not heard of it, tells what it knows, as leaders do.
type offsetsAsked struct {
	group *consumers
	least map[int32][]*commit
	epoch record.Epoch
}

func (m *machine) asked(g *consumers) offsetsAsked {
	a := offsetsAsked{group: g, least: map[int32][]*commit{}, epoch: record.NoEpoch}
	if p := m.part(); p != nil {
		a.epoch = p.State().LeaderEpoch
	}
	for p := range int32(partitions) {
		a.least[p] = slices.Clone(g.told.commits[p])
	}
	return a
}

// last is the newest of it that nothing excuses the loss of.
func (a offsetsAsked) last(partition int32) *commit {
	for _, c := range slices.Backward(a.least[partition]) {
		if !c.rec.excused && c.rec.epoch <= a.epoch {
			return c
		}
	}
	return nil
}

// check holds an answer against that.
func (a offsetsAsked) check(m *machine, p kmsg.OffsetFetchResponseGroupTopicPartition) {
	m.lookups++
	least := a.last(p.Partition)
	if p.Offset < 0 {
		if removal := m.removal(a.group, p.Partition, least); removal != nil {
			m.removed++
			m.tell(removal)
		} else if least != nil && least.offset >= 0 {
			m.violation("commits: broker %d has no offset of %s-%d; acknowledged was %d (%v)", m.id, a.group.name, p.Partition, least.offset, least.rec)
		}
		return
	}
	number, err := strconv.Atoi(*p.Metadata)
	if err != nil || number >= len(m.commits) {
		m.violation("commits: broker %d has offset %d of %s-%d, which nobody has sent", m.id, p.Offset, a.group.name, p.Partition)
		return
	}
	c := m.commits[number]
	switch {
	case c.group != a.group || c.partition != p.Partition || c.offset != p.Offset || c.rec == nil:
		m.violation("commits: broker %d has offset %d of %s-%d, and what was committed so is %+v", m.id, p.Offset, a.group.name, p.Partition, c)
	case least != nil && (c.rec.before(least.rec)):
		m.violation("commits: broker %d has gone back to offset %d of %s-%d (%v); acknowledged was %d (%v)", m.id, p.Offset,
			a.group.name, p.Partition, c.rec, least.offset, least.rec)
	}
}

// tellAssignment has a coordinator tell a member its assignment: what it has written. Of what members were told in a
// generation, nothing is assigned twice, and to a static one always the same.
func (mb *member) tellAssignment(m *machine, id string, number int32, assignment []byte) {
	g, own := m.generationWith(mb.consumers.name, number, id, assignment)
	if g == nil {
		mb.violation("generations: broker %d tells member %s of generation %d of an assignment that it has not written", m.id, id, number)
		return
	}
	mb.promise(g.rec, &g.rec.acked)
	mine := decodeAssignment(assignment)
	if !slices.Contains(mb.consumers.told.synced, g) {
		mb.consumers.told.synced = append(mb.consumers.told.synced, g)
	}
	for _, other := range mb.told.synced {
		if other.number != number || other.rec.excused || other.born != g.born {
			continue
		}
		for _, theirs := range other.members {
			same := theirs.MemberID == id || theirs.InstanceID != nil && own.InstanceID != nil && *theirs.InstanceID == *own.InstanceID
			switch {
			case same && !bytes.Equal(theirs.Assignment, assignment):
				mb.violation("owners: member %s of generation %d of %s has been assigned %v, and now %v", id, number, mb.consumers.name,
					decodeAssignment(theirs.Assignment), mine)
			case same:
			case slices.ContainsFunc(decodeAssignment(theirs.Assignment), func(p int32) bool { return slices.Contains(mine, p) }):
				mb.violation("owners: in generation %d of %s member %s is assigned %v, and member %s %v", number, mb.consumers.name, id, mine,
					theirs.MemberID, decodeAssignment(theirs.Assignment))
			}
		}
	}
	mb.syncs++
}

// generationWith is the generation, in the log of the machine, in which a member was given an assignment first.
func (m *machine) generationWith(group string, number int32, id string, assignment []byte) (*generation, *kmsg.GroupMetadataValueMember) {
	for _, r := range m.main().holds {
		for _, g := range r.generations {
			if g.group != group || g.number != number {
				continue
			}
			for i := range g.members {
				if mb := &g.members[i]; mb.MemberID == id && bytes.Equal(mb.Assignment, assignment) {
					return g, mb
				}
			}
		}
	}
	return nil, nil
}
