package metadata

import (
	"iter"

	"github.com/google/btree"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// Loss is an entry of the loss ledger: records of one partition that no store holds any more.
type Loss struct {
	// Key is the entry's key in the store.
	Key string `json:"-"`
	// TopicID and Topic say which topic lost; the name stays readable after the topic is deleted.
	TopicID   ident.TopicID `json:"topicId"`
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	// LeaderEpoch is the epoch that began after the loss.
	LeaderEpoch record.Epoch `json:"leaderEpoch"`
	// Kind is how it came about; entries of before kinds were told apart have none.
	Kind LossKind `json:"kind,omitempty"`
	// Start and End bound the offsets that may have been lost: [Start, End).
	Start record.Offset `json:"start"`
	End   record.Offset `json:"end"`
	// AtMs is when it was noticed, in milliseconds since 1970.
	AtMs int64 `json:"atMs"`
	// Cause says why, for a person to read.
	Cause string `json:"cause"`
}

// LossKind is how records were lost.
type LossKind string

const (
	// LossReborn: every store that held the partition whole is destroyed. What another one held of it is kept.
	LossReborn LossKind = "reborn"
	// LossUnclean: a copy was elected that may lack records, while others may hold them yet, because the topic
	// allows that or an operator asked for it.
	LossUnclean LossKind = "unclean"
	// LossTorn: machines went down under every copy in sync, and what none of them had written out is gone.
	LossTorn LossKind = "torn"
)

type lossIndex struct{ tree *btree.BTreeG[*Loss] }

func newLossIndex() lossIndex {
	return lossIndex{btree.NewG(topicDegree, func(a, b *Loss) bool { return a.Key < b.Key })}
}

func (x lossIndex) clone() lossIndex { return lossIndex{x.tree.Clone()} }

func (x lossIndex) all() iter.Seq[*Loss] {
	return func(yield func(*Loss) bool) { x.tree.Ascend(yield) }
}
