package metadata

import (
	"bytes"
	"iter"
	"strings"

	"github.com/google/btree"

	"barnabas/internal/ident"
)

// Topic is a topic and its partitions, as of one Image.
type Topic struct {
	Name string
	ID   ident.TopicID
	// count is how many partitions are announced by the topic's own key. Partition keys may be
	// written before, in transactions of their own: they are seen only once they are announced.
	count int32
	parts vector[*Partition]
	// Modified is the revision of the topic's own key.
	Modified Revision
}

// NumPartitions counts the partitions.
func (t *Topic) NumPartitions() int32 { return t.count }

// Partition is the state of a partition, nil when there is none of that number.
func (t *Topic) Partition(n int32) *Partition {
	if n < 0 || n >= t.count || int(n) >= t.parts.len() {
		return nil
	}
	return t.parts.get(int(n))
}

// Partitions are the topic's partitions with their numbers, in order.
func (t *Topic) Partitions() iter.Seq2[int32, *Partition] {
	return func(yield func(int32, *Partition) bool) {
		for n := range t.count {
			if p := t.Partition(n); p != nil && !yield(n, p) {
				return
			}
		}
	}
}

// announced tells whether the topic's own key has been seen.
func (t *Topic) announced() bool { return t.Name != "" }

// topicDegree is the B-trees' degree: wide nodes are compact, narrow ones are cheap to copy.
const topicDegree = 8

// topicIndex finds topics by name and by id. It holds topics not announced yet by id only.
type topicIndex struct {
	byName *btree.BTreeG[nameEntry]
	byID   *btree.BTreeG[idEntry]
	// partitions counts those announced.
	partitions int
}

// The key stands beside the pointer so that a lookup needs no Topic to compare with.
type nameEntry struct {
	name  string
	topic *Topic
}

type idEntry struct {
	id    ident.TopicID
	topic *Topic
}

func newTopicIndex() topicIndex {
	return topicIndex{
		byName: btree.NewG(topicDegree, func(a, b nameEntry) bool { return strings.Compare(a.name, b.name) < 0 }),
		byID:   btree.NewG(topicDegree, func(a, b idEntry) bool { return bytes.Compare(a.id[:], b.id[:]) < 0 }),
	}
}

// clone makes an index that may be changed without the original's seeing it.
func (x topicIndex) clone() topicIndex {
	return topicIndex{byName: x.byName.Clone(), byID: x.byID.Clone(), partitions: x.partitions}
}

func (x topicIndex) named(name string) *Topic {
	entry, _ := x.byName.Get(nameEntry{name: name})
	return entry.topic
}

func (x topicIndex) withID(id ident.TopicID) *Topic {
	entry, _ := x.byID.Get(idEntry{id: id})
	return entry.topic
}

func (x topicIndex) count() int { return x.byName.Len() }

func (x topicIndex) from(name string) iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		x.byName.AscendGreaterOrEqual(nameEntry{name: name}, func(e nameEntry) bool { return yield(e.topic) })
	}
}

// put stores a topic in the place of the one with its id.
func (x *topicIndex) put(t *Topic) {
	old, _ := x.byID.ReplaceOrInsert(idEntry{t.ID, t})
	if old.topic != nil && old.topic.announced() {
		x.partitions -= int(old.topic.count)
		if old.topic.Name != t.Name {
			x.unname(old.topic)
		}
	}
	if t.announced() {
		x.partitions += int(t.count)
		x.byName.ReplaceOrInsert(nameEntry{t.Name, t})
	}
}

// drop forgets a topic altogether.
func (x *topicIndex) drop(id ident.TopicID) {
	old, found := x.byID.Delete(idEntry{id: id})
	if !found || !old.topic.announced() {
		return
	}
	x.partitions -= int(old.topic.count)
	x.unname(old.topic)
}

// unname takes a topic's name from it, unless another one has it by now.
func (x *topicIndex) unname(t *Topic) {
	if entry, ok := x.byName.Get(nameEntry{name: t.Name}); ok && entry.topic.ID == t.ID {
		x.byName.Delete(nameEntry{name: t.Name})
	}
}
