package step

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Offsets that go: by expiry, and since somebody has had them deleted, or their group. What a coordinator removes it may remove, and
// what it has told to be no more does not come back.

// forget decides how the coordinators' log is compacted, and how long offsets are kept.
func (w *world) forget() {
	w.logs.Compact, w.logs.Delete, w.logs.MinCleanableDirtyRatio = true, false, 0.01
	// Tombstones stay: a replica that was away for longer than they do would show again what they have deleted, as in Kafka.
	w.logs.DeleteRetentionMs = (1000 * time.Hour).Milliseconds()
	w.logs.SegmentBytes = int32(w.between(300, 2000))
	w.retention = w.between(80*time.Millisecond, 600*time.Millisecond).Truncate(time.Millisecond)
}

// deletion is a request to delete offsets of a group, all of them and the group too where no partitions are named.
type deletion struct {
	group *consumers
	of    []int32
}

func (d *deletion) takes(g *consumers, partition int32) bool {
	return d.group == g && (d.of == nil || slices.Contains(d.of, partition))
}

// groupNamed finds a group that there is in this run; that of the bystander has no members.
func (w *world) groupNamed(name string) *consumers {
	if w.bystander != nil && w.bystander.consumers.name == name {
		return w.bystander.consumers
	}
	return w.groups[slices.IndexFunc(w.groups, func(g *consumers) bool { return g.name == name })]
}

// writtenRemoval notes that a coordinator has written that an offset is no more: since somebody asks for that just now, or since it
// is old, and so is what the coordinator has heard last of the group's members.
func (m *machine) writtenRemoval(r *rec, g *consumers, partition int32) {
	was := m.lastCommit(g, partition)
	r.commits = append(r.commits, &commit{group: g, partition: partition, offset: -1, rec: r})
	if r.unsure || slices.ContainsFunc(m.removing, func(asked *deletion) bool { return asked.takes(g, partition) }) {
		return
	}
	since, heard := time.Duration(-1), m.heard[g]
	if was != nil {
		since = was.rec.at
	}
	const rounding = time.Millisecond // of timestamps
	if since < 0 || m.now-since < m.retention-rounding || heard > 0 && m.now-heard < m.retention-rounding {
		m.violation("expired: broker %d removes the offset of %s-%d, %+v, of %v; it has heard of a member at %v", m.id, g.name, partition, was, since, heard)
	}
}

// writtenEnd notes that a coordinator has written that a group is no more: it has to have no offset by then.
func (m *machine) writtenEnd(r *rec, g *consumers) {
	r.ended = append(r.ended, g.name)
	for p := range int32(partitions) {
		if c := m.lastCommit(g, p); c != nil && c.offset >= 0 && !r.unsure {
			m.violation("expired: broker %d removes group %s, whose offset of partition %d is %+v", m.id, g.name, p, c)
		}
	}
}

// lastCommit is what the log of the machine has last of a partition's offset; nil for nothing.
func (m *machine) lastCommit(g *consumers, partition int32) *commit {
	for _, r := range slices.Backward(m.main().holds) {
		for _, c := range slices.Backward(r.commits) {
			if c.group == g && c.partition == partition {
				return c
			}
		}
	}
	return nil
}

// removal is the first one of an offset in the log of the machine that is committed, and comes after what was acknowledged; nil if there
// is none. Who answers that there is no offset may know of a later one.
func (m *machine) removal(g *consumers, partition int32, after *commit) *commit {
	if m.part() == nil {
		return nil
	}
	shown := m.part().State().HighWatermark
	for _, r := range m.main().holds {
		if after != nil && r.before(after.rec) || r.required > shown {
			continue
		}
		for _, c := range r.commits {
			if c.group == g && c.partition == partition && c.offset < 0 {
				return c
			}
		}
	}
	return nil
}

// standBy has somebody who is a member of no group commit offsets in one of his own, and delete those of others as well.
func (w *world) standBy() {
	w.bystander = &member{consumers: &consumers{world: w, name: "simple", told: newTold()}, name: "bystander", up: true, generation: -1}
	w.after(w.between(0, 20*time.Millisecond), "bystander", w.bystander.meddle)
}

// meddle commits, looks, deletes and keeps still, until the end.
func (mb *member) meddle() {
	if mb.calm() {
		return
	}
	pause := mb.between(time.Millisecond, 20*time.Millisecond)
	if mb.oneIn(10) {
		pause += 2 * mb.retention // long enough for all to expire
	}
	mb.after(pause, "bystander", mb.meddle)
	switch mb.rng.IntN(10) {
	case 0:
		mb.deleteOffsets(mb.anyGroup())
	case 1:
		mb.deleteGroup(mb.anyGroup())
	case 2, 3, 4:
		mb.fetchOffsets(allPartitions, func(code int16, _ map[int32]int64) { mb.heardOf(code) }, func() {})
	default:
		mb.commitAlone()
	}
}

// heardOf has the bystander look for the coordinator anew where one has refused something.
func (mb *member) heardOf(code int16) {
	if code != 0 {
		mb.broker = nil
	}
}

// anyGroup is mostly his own.
func (mb *member) anyGroup() *consumers {
	if mb.oneIn(3) {
		return mb.groups[mb.rng.IntN(len(mb.groups))]
	}
	return mb.consumers
}

// commitAlone commits offsets of a group without members.
func (mb *member) commitAlone() {
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = sharedTopic
	var sent []*commit
	for p := range int32(partitions) {
		if mb.oneIn(2) {
			c := mb.newCommit(p, mb.rng.Int64N(1000))
			sent, topic.Partitions = append(sent, c), append(topic.Partitions, c.request())
		}
	}
	if len(sent) > 0 {
		mb.sendCommits(topic, sent, mb.heardOf)
	}
}

// deleteOffsets asks that a group has no offsets any more of some partitions.
func (mb *member) deleteOffsets(g *consumers) {
	topic := kmsg.NewOffsetDeleteRequestTopic()
	topic.Topic = sharedTopic
	asked := &deletion{group: g, of: []int32{}}
	for p := range int32(partitions) {
		if mb.oneIn(2) {
			asked.of = append(asked.of, p)
			topic.Partitions = append(topic.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
		}
	}
	r := kmsg.NewPtrOffsetDeleteRequest()
	r.Group, r.Topics = g.name, []kmsg.OffsetDeleteRequestTopic{topic}
	mb.remove("delete offsets", asked, func(m *machine, done func(code int16)) {
		m.groups.DeleteOffsets(r, func(whole int16, codes [][]int16) {
			for _, of := range codes {
				for i, code := range of {
					if code != 0 { // a member subscribes to the topic
						asked.of[i] = -1
					}
				}
			}
			done(whole)
		})
	})
}

// deleteGroup asks that a group is no more, which it may be while it has no members.
func (mb *member) deleteGroup(g *consumers) {
	mb.remove("delete group", &deletion{group: g}, func(m *machine, done func(code int16)) { m.groups.DeleteGroup(g.name, done) })
}

// remove sends a request to delete, and notes what it has removed once it is answered.
func (mb *member) remove(what string, asked *deletion, ask func(m *machine, done func(code int16))) {
	mb.call(what, 200*time.Millisecond, func(m *machine, reply func(func())) {
		before := m.asked(asked.group)
		m.removing = append(m.removing, asked)
		life := m.life
		ask(m, func(code int16) {
			m.note(what, asked.group.name, fmt.Sprint(asked.of), code)
			if m.life == life {
				m.removing = slices.DeleteFunc(m.removing, func(o *deletion) bool { return o == asked })
			}
			if code == 0 {
				before.removed(m, asked)
			}
			reply(func() { mb.heardOf(code) })
		})
	}, func() {})
}

// removed has it known which offsets are no more.
func (a offsetsAsked) removed(m *machine, asked *deletion) {
	for p := range int32(partitions) {
		if !asked.takes(a.group, p) {
			continue
		}
		if c := m.removal(a.group, p, a.last(p)); c != nil {
			m.removed++
			m.tell(c)
		}
	}
}
