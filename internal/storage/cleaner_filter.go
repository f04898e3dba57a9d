package storage

import (
	"barnabas/internal/record"
)

// cleanerFilter decides what compaction keeps of each batch, and writes it.
type cleanerFilter struct {
	keys          *offsetMap
	txns          *cleanedTxns
	lastRecords   map[record.ProducerID]lastRecord
	nowMs         int64
	retentionMs   int64         // delete.retention.ms
	upTo          record.Offset // where the next segment begins
	decompressor  record.Decompressor
	reader        record.Reader
	builder       record.Builder
	keep          []bool // of the batch's records, in order
	read, written cleanerCount
}

// cleanerCount counts what has gone in or out.
type cleanerCount struct {
	Records, Bytes int64
}

func (c *cleanerCount) add(records int, bytes int) {
	c.Records += int64(records)
	c.Bytes += int64(bytes)
}

// filter appends to out what is to stay of a batch: the batch itself, another with fewer records but
// the same offsets, an empty one, or nothing. Its error is that of a batch that can't be read.
func (f *cleanerFilter) filter(out []byte, b record.Batch) ([]byte, error) {
	f.read.add(int(b.Count()), len(b))
	droppable, err := f.txns.batch(b)
	if err != nil {
		return out, err
	}
	drop := droppable && (!b.IsControl() || f.horizonPassed(b))
	kept, tombstones := 0, false
	if !drop {
		if kept, tombstones, err = f.choose(b); err != nil {
			return out, err
		}
	}
	if kept == 0 {
		if f.mustStay(b) {
			f.written.add(0, record.HeaderSize)
			out = record.AppendEmptyBatch(out, b)
		}
		return out, nil
	}
	// A tombstone, or a marker that decides on nothing, gets its time to live when it is first met.
	_, hasHorizon := b.DeleteHorizon()
	setHorizon := (tombstones || droppable && b.IsControl()) && !hasHorizon
	at := len(out)
	if kept == int(b.Count()) && !setHorizon {
		out = append(out, b...)
	} else if out, err = f.rebuild(out, b, setHorizon); err != nil {
		return out, err
	}
	f.written.add(kept, len(out)-at)
	return out, nil
}

func (f *cleanerFilter) horizonPassed(b record.Batch) bool {
	horizon, ok := b.DeleteHorizon()
	return ok && horizon <= f.nowMs
}

// mustStay tells whether a batch must stay though it is empty: because a producer's sequence or epoch
// is read from it when the log is recovered, or because it is the segment's last: recovery takes a gap
// between two segments for a loss.
func (f *cleanerFilter) mustStay(b record.Batch) bool {
	if b.NextOffset() == f.upTo {
		return true
	}
	if !b.HasProducerID() {
		return false
	}
	last, ok := f.lastRecords[b.ProducerID()]
	if !ok {
		return false
	}
	if last.offset >= 0 {
		return b.LastOffset() == last.offset
	}
	return b.IsControl() && b.ProducerEpoch() == last.epoch
}

// choose marks the records that stay. tombstones tells whether there is one among them.
func (f *cleanerFilter) choose(b record.Batch) (kept int, tombstones bool, err error) {
	f.keep = f.keep[:0]
	f.reader.Reset(b, &f.decompressor)
	defer f.reader.Close()
	for f.reader.Next() {
		rec := f.reader.Record()
		keep := b.IsControl() || f.retains(b, rec)
		f.keep = append(f.keep, keep)
		if keep {
			kept++
			tombstones = tombstones || rec.Value == nil && !b.IsControl()
		}
	}
	return kept, tombstones, f.reader.Err()
}

// retains tells whether a record stays: it is the last of its key and, if it is a tombstone, young. One
// without a key has no business in a compacted log.
func (f *cleanerFilter) retains(b record.Batch, rec *record.Record) bool {
	if rec.Offset > f.keys.latest {
		return true
	}
	if rec.Key == nil || rec.Offset < f.keys.get(rec.Key) {
		return false
	}
	return rec.Value != nil || !f.horizonPassed(b)
}

// rebuild writes the records that stay into a batch with the same offsets, producer and compression.
func (f *cleanerFilter) rebuild(out []byte, b record.Batch, setHorizon bool) ([]byte, error) {
	options := record.Options{
		Codec:        b.Codec(),
		BaseOffset:   b.BaseOffset(),
		Span:         int64(b.LastOffsetDelta()) + 1,
		Control:      b.IsControl(),
		Type:         b.TimestampType(),
		AppendTimeMs: b.MaxTimestamp(),
		Producer: &record.Producer{
			ID:            b.ProducerID(),
			Epoch:         b.ProducerEpoch(),
			Sequence:      b.BaseSequence(),
			Transactional: b.IsTransactional(),
		},
	}
	if horizon, ok := b.DeleteHorizon(); ok {
		options.DeleteHorizonMs = horizon
	} else if setHorizon {
		options.DeleteHorizonMs = f.nowMs + f.retentionMs
	}
	f.builder.Reset(options)
	f.reader.Reset(b, &f.decompressor)
	defer f.reader.Close()
	for f.reader.Next() {
		if f.keep[f.reader.Index()] {
			f.builder.AppendRecord(f.reader.Record().Offset, f.reader.Record())
		}
	}
	if err := f.reader.Err(); err != nil {
		return out, err
	}
	built, err := f.builder.Build()
	if err != nil {
		return out, err
	}
	built.SetLeaderEpoch(b.LeaderEpoch())
	return append(out, built...), nil
}
