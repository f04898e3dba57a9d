package storage

import (
	"math"

	"barnabas/internal/record"
)

// sentBatches is how many batches a producer may have in flight, and so how many of its last ones are
// remembered to recognise one that is sent again.
const sentBatches = 5

// sentBatch is a batch that a producer has appended.
type sentBatch struct {
	lastOffset   record.Offset
	timestampMs  int64 // the batch's maximum
	lastSequence record.Sequence
	offsetDelta  int32 // lastOffset less the first
}

// sentOf is what is remembered of a batch.
func sentOf(b record.Batch) sentBatch {
	return sentBatch{
		lastOffset: b.LastOffset(), timestampMs: b.MaxTimestamp(), lastSequence: b.LastSequence(), offsetDelta: b.LastOffsetDelta(),
	}
}

// FirstOffset is the offset of the batch's first record.
func (s sentBatch) firstOffset() record.Offset { return s.lastOffset - record.Offset(s.offsetDelta) }

func (s sentBatch) firstSequence() record.Sequence {
	first := int64(s.lastSequence) - int64(s.offsetDelta)
	if first < 0 {
		first += math.MaxInt32 + 1
	}
	return record.Sequence(first)
}

// producerEntry is the state of one producer in one partition. The remembered batches are all of epoch.
type producerEntry struct {
	id               record.ProducerID
	lastTimestampMs  int64
	txnStart         record.Offset // first offset of the open transaction, or -1
	coordinatorEpoch int32
	epoch            record.ProducerEpoch
	count            int8 // of sent
	sent             [sentBatches]sentBatch
}

func newProducerEntry(id record.ProducerID) producerEntry {
	return producerEntry{
		id:               id,
		lastTimestampMs:  record.NoTimestamp,
		txnStart:         -1,
		coordinatorEpoch: -1,
		epoch:            record.NoProducerEpoch,
	}
}

func (e *producerEntry) lastSequence() record.Sequence {
	if e.count == 0 {
		return record.NoSequence
	}
	return e.sent[e.count-1].lastSequence
}

func (e *producerEntry) lastOffset() record.Offset {
	if e.count == 0 {
		return -1
	}
	return e.sent[e.count-1].lastOffset
}

func (e *producerEntry) lastDelta() int32 {
	if e.count == 0 {
		return 0
	}
	return e.sent[e.count-1].offsetDelta
}

func (e *producerEntry) find(first, last record.Sequence) (sentBatch, bool) {
	for _, sent := range e.sent[:e.count] {
		if sent.lastSequence == last && sent.firstSequence() == first {
			return sent, true
		}
	}
	return sentBatch{}, false
}

// enter makes epoch the producer's: batches of another one are forgotten.
func (e *producerEntry) enter(epoch record.ProducerEpoch) {
	if e.epoch != epoch {
		e.epoch, e.count = epoch, 0
	}
}

func (e *producerEntry) remember(sent sentBatch) {
	if e.count == sentBatches {
		copy(e.sent[:], e.sent[1:])
		e.count--
	}
	e.sent[e.count] = sent
	e.count++
}
