package storage

import (
	"slices"

	"barnabas/internal/record"
)

// firstUnstable is the first offset whose fate isn't settled: of an open transaction, or of one whose
// marker isn't replicated yet. ok is false when everything is stable.
func (t *producerTable) firstUnstable() (first record.Offset, ok bool) {
	if len(t.open) > 0 {
		first, ok = t.open[0].first, true
	}
	if len(t.unreplicated) > 0 && (!ok || t.unreplicated[0].first < first) {
		first, ok = t.unreplicated[0].first, true
	}
	return first, ok
}

// onHighWatermark settles the transactions whose markers are below the high watermark.
func (t *producerTable) onHighWatermark(highWatermark record.Offset) {
	if len(t.unreplicated) == 0 {
		return
	}
	t.unreplicated = slices.DeleteFunc(t.unreplicated, func(txn openTxn) bool {
		return txn.last < highWatermark
	})
}

// complete moves a transaction from the open ones to those that await replication.
func (t *producerTable) complete(txn *completedTxn) {
	txn.LastStableOffset = txn.LastOffset + 1
	for _, other := range t.open {
		if other.producer != txn.Producer {
			txn.LastStableOffset = other.first
			break
		}
	}
	i := slices.IndexFunc(t.open, func(o openTxn) bool { return o.first == txn.FirstOffset })
	if i < 0 {
		panic("storage: completed a transaction that was not open")
	}
	done := t.open[i]
	t.open = slices.Delete(t.open, i, i+1)
	done.last = txn.LastOffset
	t.unreplicated = insertTxn(t.unreplicated, done)
}

func insertTxn(txns []openTxn, txn openTxn) []openTxn {
	i, _ := slices.BinarySearchFunc(txns, txn.first, func(t openTxn, first record.Offset) int {
		if t.first < first {
			return -1
		}
		if t.first > first {
			return 1
		}
		return 0
	})
	return slices.Insert(txns, i, txn)
}
