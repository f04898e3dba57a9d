package storage

import (
	"slices"

	"barnabas/internal/record"
)

// cleanedTxns follows the transactions while the batches of a log go by in order: which batches belong
// to an aborted one, and which markers have nothing left that they decide on.
type cleanedTxns struct {
	// coming are aborted transactions that haven't begun yet, by first offset.
	coming    []abortedTxn
	aborted   map[record.ProducerID]*seenTxn
	committed map[record.ProducerID]bool // transactions with data that has gone by
	// kept are the aborted transactions whose markers stay: they make the new segment's index.
	kept []abortedTxn
}

type seenTxn struct {
	txn abortedTxn
	// hasData tells whether a batch of the transaction is still in the log.
	hasData bool
}

func newCleanedTxns() *cleanedTxns {
	return &cleanedTxns{
		aborted:   make(map[record.ProducerID]*seenTxn),
		committed: make(map[record.ProducerID]bool),
	}
}

func (t *cleanedTxns) add(txns []abortedTxn) {
	t.coming = append(t.coming, txns...)
	slices.SortFunc(t.coming, func(a, b abortedTxn) int {
		return int(min(max(a.FirstOffset-b.FirstOffset, -1), 1))
	})
}

func (t *cleanedTxns) advance(to record.Offset) {
	for len(t.coming) > 0 && t.coming[0].FirstOffset <= to {
		txn := t.coming[0]
		t.coming = t.coming[1:]
		if t.aborted[txn.Producer] == nil {
			t.aborted[txn.Producer] = &seenTxn{txn: txn}
		}
	}
}

// batch takes a batch into account, and tells whether it may be dropped: data of an aborted transaction,
// or a marker without data.
func (t *cleanedTxns) batch(b record.Batch) (droppable bool, err error) {
	t.advance(b.LastOffset())
	if b.IsControl() {
		return t.control(b)
	}
	if !b.IsTransactional() {
		return false, nil
	}
	if txn := t.aborted[b.ProducerID()]; txn != nil {
		txn.hasData = true
		return true, nil
	}
	t.committed[b.ProducerID()] = true
	return false, nil
}

func (t *cleanedTxns) control(b record.Batch) (droppable bool, err error) {
	if b.Count() == 0 {
		return true, nil
	}
	marker, ok, err := record.ParseMarker(b)
	if err != nil || !ok {
		return false, err
	}
	id := b.ProducerID()
	if marker.Commit {
		hadData := t.committed[id]
		delete(t.committed, id)
		return !hadData, nil
	}
	txn := t.aborted[id]
	delete(t.aborted, id)
	if txn == nil || !txn.hasData {
		return true, nil
	}
	t.kept = append(t.kept, txn.txn)
	return false, nil
}
