package storage

import (
	"fmt"
	"math"

	"barnabas/internal/record"
)

// producerAppend collects what one append would change in a producerTable. Each batch is checked
// against the state that the ones before it in the same append lead to. Nothing is changed before
// commit, so that an append that fails halfway leaves no trace.
type producerAppend struct {
	table     *producerTable
	origin    Origin
	entries   []producerEntry
	started   []openTxn
	completed []completedTxn
}

// add checks a batch whose base offset is set, of which HasProducerID holds, and collects its effects.
// A control batch must have passed Check; it may be empty, which says that compaction has removed the
// marker with its transaction. Errors: ErrInvalidProducerEpoch, ErrOutOfOrderSequence,
// ErrInvalidTxnState, ErrTransactionCoordinatorFenced, or that of a marker that can't be read. What
// comes from a leader's log is never refused by these rules.
func (a *producerAppend) add(b record.Batch) error {
	entry := a.entry(b.ProducerID())
	if b.IsControl() {
		return a.addControl(entry, b)
	}
	return a.addData(entry, b)
}

func (a *producerAppend) entry(id record.ProducerID) *producerEntry {
	for i := range a.entries {
		if a.entries[i].id == id {
			return &a.entries[i]
		}
	}
	if current := a.table.producers[id]; current != nil {
		a.entries = append(a.entries, *current)
	} else {
		a.entries = append(a.entries, newProducerEntry(id))
	}
	return &a.entries[len(a.entries)-1]
}

func (a *producerAppend) addData(entry *producerEntry, b record.Batch) error {
	epoch, first := b.ProducerEpoch(), b.BaseOffset()
	if err := a.checkEpoch(entry, epoch, first); err != nil {
		return err
	}
	if a.origin == Client {
		if err := a.checkSequence(entry, epoch, b.BaseSequence(), first); err != nil {
			return err
		}
	}
	if entry.txnStart >= 0 && !b.IsTransactional() && a.origin != Follower {
		return fmt.Errorf("producer %d at offset %d: %w", entry.id, first, ErrInvalidTxnState)
	}
	entry.enter(epoch)
	entry.remember(sentOf(b))
	entry.lastTimestampMs = b.MaxTimestamp()
	if entry.txnStart < 0 && b.IsTransactional() {
		entry.txnStart = first
		a.started = append(a.started, openTxn{producer: entry.id, first: first, last: -1})
	}
	return nil
}

func (a *producerAppend) checkEpoch(
	entry *producerEntry, epoch record.ProducerEpoch, at record.Offset,
) error {
	if epoch >= entry.epoch || a.origin == Follower {
		return nil
	}
	return fmt.Errorf("producer %d at offset %d: epoch %d, last seen %d: %w",
		entry.id, at, epoch, entry.epoch, ErrInvalidProducerEpoch)
}

// checkSequence wants the batch to follow the producer's last one, and a new epoch to begin with 0. Of
// a producer that isn't remembered, perhaps because retention has removed all it wrote, any sequence
// is taken.
func (a *producerAppend) checkSequence(
	entry *producerEntry, epoch record.ProducerEpoch, sequence record.Sequence, at record.Offset,
) error {
	known := a.table.producers[entry.id]
	if epoch != entry.epoch {
		if sequence != 0 && entry.epoch != record.NoProducerEpoch {
			return fmt.Errorf("producer %d at offset %d: sequence %d begins epoch %d, after epoch %d: %w",
				entry.id, at, sequence, epoch, entry.epoch, ErrOutOfOrderSequence)
		}
		return nil
	}
	if known == nil || known.epoch == record.NoProducerEpoch {
		return nil
	}
	last := entry.lastSequence()
	if int64(sequence) == int64(last)+1 || sequence == 0 && last == math.MaxInt32 {
		return nil
	}
	return fmt.Errorf("producer %d at offset %d: sequence %d, last seen %d: %w",
		entry.id, at, sequence, last, ErrOutOfOrderSequence)
}

func (a *producerAppend) addControl(entry *producerEntry, b record.Batch) error {
	marker, ok, err := record.ParseMarker(b)
	if err != nil || !ok {
		return err
	}
	if err := a.checkEpoch(entry, b.ProducerEpoch(), b.BaseOffset()); err != nil {
		return err
	}
	if entry.coordinatorEpoch > marker.CoordinatorEpoch && a.origin != Follower {
		return fmt.Errorf("producer %d at offset %d: coordinator epoch %d, last seen %d: %w", entry.id,
			b.BaseOffset(), marker.CoordinatorEpoch, entry.coordinatorEpoch, ErrTransactionCoordinatorFenced)
	}
	if entry.txnStart >= 0 {
		a.completed = append(a.completed, completedTxn{
			Producer:    entry.id,
			FirstOffset: entry.txnStart,
			LastOffset:  b.BaseOffset(),
			Aborted:     !marker.Commit,
		})
	}
	entry.enter(b.ProducerEpoch())
	entry.coordinatorEpoch = marker.CoordinatorEpoch
	entry.lastTimestampMs = marker.TimestampMs
	entry.txnStart = -1
	return nil
}
