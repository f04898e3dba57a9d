package metadata

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/google/btree"

	"barnabas/internal/ident"
)

// MaxDeletions bounds how many deleted topics are remembered: the oldest are forgotten. Logs of those stay where they are.
const MaxDeletions = 10_000

// Deletion says that a topic was deleted. A broker that was down then may delete its logs by it: that a topic is not
// there says nothing, for the metadata may have been lost and put back from an older Image.
type Deletion struct {
	ID   ident.TopicID `json:"-"`
	Name string        `json:"name"`
	// AtMs is when, in milliseconds since 1970.
	AtMs int64 `json:"atMs"`
}

// DeletionKey holds a deleted topic.
func DeletionKey(id ident.TopicID) string { return deletionPrefix + id.String() }

// EncodeDeletion is the value of DeletionKey.
func EncodeDeletion(d *Deletion) []byte { return encodeJSON(d) }

// DeletionOf deletes a topic, with its partitions, its settings and what stores have said of it, and remembers that.
func DeletionOf(d *Deletion) []Op {
	return []Op{
		Delete(TopicKey(d.ID)),
		DeletePrefix(PartitionsOf(d.ID)),
		DeletePrefix(AnswersOfTopic(d.ID)),
		Delete(ConfigKey(Resource{Type: TopicResource, Name: d.Name})),
		Put(DeletionKey(d.ID), EncodeDeletion(d)),
	}
}

// deletionIndex is the deleted topics by id. A clone shares what neither changes.
type deletionIndex struct{ tree *btree.BTreeG[*Deletion] }

func newDeletionIndex() deletionIndex {
	return deletionIndex{btree.NewG(32, func(a, b *Deletion) bool { return slices.Compare(a.ID[:], b.ID[:]) < 0 })}
}

func (x deletionIndex) clone() deletionIndex { return deletionIndex{x.tree.Clone()} }

// Deleted tells whether a topic is known to have been deleted, and has not come back with metadata that were put back.
func (img *Image) Deleted(id ident.TopicID) bool {
	return img.TopicByID(id) == nil && img.deletions.tree.Has(&Deletion{ID: id})
}

// Deletions are the deleted topics that are remembered.
func (img *Image) Deletions() iter.Seq[*Deletion] {
	return func(yield func(*Deletion) bool) { img.deletions.tree.Ascend(yield) }
}

// MayHaveDeleted tells whether a topic of that name was deleted, be it there again now; also where so many were that some are
// forgotten.
func (img *Image) MayHaveDeleted(name string) bool {
	if img.deletions.tree.Len() >= MaxDeletions {
		return true
	}
	for d := range img.Deletions() {
		if d.Name == name {
			return true
		}
	}
	return false
}

// OldestDeletions are those to be forgotten before so many more may be remembered.
func (img *Image) OldestDeletions(more int) []*Deletion {
	surplus := img.deletions.tree.Len() + more - MaxDeletions
	if surplus <= 0 {
		return nil
	}
	all := slices.SortedFunc(img.Deletions(), func(a, b *Deletion) int {
		return cmp.Or(cmp.Compare(a.AtMs, b.AtMs), slices.Compare(a.ID[:], b.ID[:]))
	})
	return all[:min(surplus, len(all))]
}

func (b *builder) deletion(e *Event) error {
	id, err := ident.ParseTopicID(strings.TrimPrefix(e.Key, deletionPrefix))
	if err != nil {
		return err
	}
	if !b.ownsDeletions {
		b.ownsDeletions = true
		b.next.deletions = b.next.deletions.clone()
	}
	if e.Deleted {
		b.next.deletions.tree.Delete(&Deletion{ID: id})
		return nil
	}
	d := &Deletion{}
	if err := decodeJSON(e.Value, d); err != nil {
		return err
	}
	d.ID = id
	b.next.deletions.tree.ReplaceOrInsert(d)
	return nil
}
