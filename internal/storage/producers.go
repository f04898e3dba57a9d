package storage

import (
	"slices"

	"barnabas/internal/record"
)

// maxProducers bounds the producers that a partition remembers. Past it the ones that have been idle
// longest are forgotten, an eighth at a time; a forgotten producer may go on with any sequence.
const maxProducers = 1 << 17

// ProducerState is what a log knows of one idempotent producer, as DescribeProducers shows it (KIP-664).
type ProducerState struct {
	ID               record.ProducerID
	Epoch            record.ProducerEpoch
	LastSequence     record.Sequence // record.NoSequence if the epoch has no batch yet
	LastTimestamp    int64
	CoordinatorEpoch int32 // -1 if no transaction marker has been seen
	// TxnStart is where the producer's open transaction begins; -1 if none is open.
	TxnStart record.Offset
}

// producerTable is the producer state of one partition (KIP-98): it fences old epochs, checks
// sequences, recognises the last batches when they are sent again and knows the open transactions.
// The partition's mutex guards it. It is empty, and costs next to nothing, until an idempotent
// producer writes.
//
// An append goes: duplicate(batch); begin, add for each batch with a producer id, then, once the bytes
// are in the log, commit and setEnd. Recovery replays batches with replay.
type producerTable struct {
	expirationMs int64
	producers    map[record.ProducerID]*producerEntry
	// open holds the transactions without a marker, by first offset; unreplicated those whose marker
	// the high watermark hasn't passed yet.
	open         []openTxn
	unreplicated []openTxn
	end          record.Offset // up to where the log is reflected here
	snapshotEnd  record.Offset // end at the time of the newest snapshot
	snapshots    []record.Offset
	pending      *producerAppend // nil until a producer needs it
}

type openTxn struct {
	producer    record.ProducerID
	first, last record.Offset // last, that of the marker, is -1 while open
}

// completedTxn is a transaction whose marker an append has brought.
type completedTxn struct {
	Producer    record.ProducerID
	FirstOffset record.Offset // of the transaction
	LastOffset  record.Offset // of the marker
	Aborted     bool
	// LastStableOffset is what it would be if everything up to the marker were replicated: the
	// transaction index wants it.
	LastStableOffset record.Offset
}

// newProducerTable returns an empty table. expirationMs is producer.id.expiration.ms.
func newProducerTable(expirationMs int64) *producerTable {
	return &producerTable{expirationMs: expirationMs}
}

// duplicate looks whether exactly this batch is among the last ones that its producer has appended,
// and returns the offsets that it got then.
func (t *producerTable) duplicate(b record.Batch) (sentBatch, bool) {
	entry := t.producers[b.ProducerID()]
	if entry == nil || entry.epoch != b.ProducerEpoch() {
		return sentBatch{}, false
	}
	return entry.find(b.BaseSequence(), b.LastSequence())
}

// begin starts to collect what one append changes. Only one may be under way.
func (t *producerTable) begin(origin Origin) *producerAppend {
	if t.pending == nil {
		t.pending = new(producerAppend)
	}
	*t.pending = producerAppend{table: t, origin: origin, entries: t.pending.entries[:0]}
	return t.pending
}

// commit takes over what an append has collected, nil for nothing. It returns the transactions that it has completed.
func (t *producerTable) commit(a *producerAppend) []completedTxn {
	if a == nil {
		return nil
	}
	for i := range a.entries {
		t.put(&a.entries[i])
	}
	for _, started := range a.started {
		t.open = insertTxn(t.open, started)
	}
	for i := range a.completed {
		t.complete(&a.completed[i])
	}
	return a.completed
}

func (t *producerTable) put(updated *producerEntry) {
	if entry := t.producers[updated.id]; entry != nil {
		*entry = *updated
		return
	}
	if t.producers == nil {
		t.producers = make(map[record.ProducerID]*producerEntry)
	}
	if len(t.producers) >= maxProducers {
		t.evict(maxProducers / 8)
	}
	entry := *updated
	t.producers[updated.id] = &entry
}

// evict forgets the n producers without an open transaction that have been idle longest.
func (t *producerTable) evict(n int) {
	idle := make([]*producerEntry, 0, len(t.producers))
	for _, entry := range t.producers {
		if entry.txnStart < 0 {
			idle = append(idle, entry)
		}
	}
	slices.SortFunc(idle, func(a, b *producerEntry) int {
		if a.lastTimestampMs < b.lastTimestampMs {
			return -1
		}
		return 1
	})
	for _, entry := range idle[:min(n, len(idle))] {
		delete(t.producers, entry.id)
	}
}

// replay takes a batch from the log into account, when the log is recovered or copied. Its errors are
// those of a batch that can't be read.
func (t *producerTable) replay(b record.Batch) ([]completedTxn, error) {
	var completed []completedTxn
	if b.HasProducerID() {
		a := t.begin(Follower)
		if err := a.add(b); err != nil {
			return nil, err
		}
		completed = t.commit(a)
	}
	t.setEnd(b.NextOffset())
	return completed, nil
}

// setEnd says up to which offset the log is reflected.
func (t *producerTable) setEnd(end record.Offset) { t.end = end }

// expire forgets producers that have been idle longer than producer.id.expiration.ms.
func (t *producerTable) expire(nowMs int64) (expired int) {
	for id, entry := range t.producers {
		if t.isExpired(entry, nowMs) {
			delete(t.producers, id)
			expired++
		}
	}
	if len(t.producers) == 0 {
		t.producers, t.pending = nil, nil
	}
	return expired
}

func (t *producerTable) isExpired(entry *producerEntry, nowMs int64) bool {
	return entry.txnStart < 0 && nowMs-entry.lastTimestampMs >= t.expirationMs
}

// states lists the producers by id.
func (t *producerTable) states() []ProducerState {
	states := make([]ProducerState, 0, len(t.producers))
	for _, entry := range t.producers {
		states = append(states, ProducerState{
			ID:               entry.id,
			Epoch:            entry.epoch,
			LastSequence:     entry.lastSequence(),
			LastTimestamp:    entry.lastTimestampMs,
			CoordinatorEpoch: entry.coordinatorEpoch,
			TxnStart:         entry.txnStart,
		})
	}
	slices.SortFunc(states, func(a, b ProducerState) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return states
}

// lastRecord is where compaction must leave at least an empty batch, so that a producer's sequence can
// be read from the log again.
type lastRecord struct {
	offset record.Offset // of the last data batch, -1 if there was none in this epoch
	epoch  record.ProducerEpoch
}

// lastRecords returns the last record of every producer that is remembered.
func (t *producerTable) lastRecords() map[record.ProducerID]lastRecord {
	records := make(map[record.ProducerID]lastRecord, len(t.producers))
	for id, entry := range t.producers {
		records[id] = lastRecord{offset: entry.lastOffset(), epoch: entry.epoch}
	}
	return records
}
