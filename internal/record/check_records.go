package record

import (
	"errors"
	"fmt"
)

// ErrInvalidTimestamp says that a record's timestamp is outside of the topic's limits:
// INVALID_TIMESTAMP on the wire.
var ErrInvalidTimestamp = errors.New("record timestamp is out of range")

// maxRecordErrors bounds how many records of a batch are named in an answer. Reading ends with the last.
const maxRecordErrors = 1000

// Rules say what CheckRecords wants of each record.
type Rules struct {
	// Keys is for compacted topics: each record must have a key.
	Keys bool
	// Type is the topic's. CreateTime limits the timestamps to [NowMs-BeforeMs, NowMs+AfterMs].
	Type                     TimestampType
	NowMs, BeforeMs, AfterMs int64
	// Each, if set, is called with every record that broke no rule, in order: to copy it elsewhere.
	Each func(*Record)
}

// RecordError says what is wrong with one record of a batch (KIP-467).
type RecordError struct {
	// Index is the record's place in the batch, from 0.
	Index int32
	// Err is ErrInvalid or ErrInvalidTimestamp.
	Err     error
	Message string
}

// Findings are what CheckRecords has learnt.
type Findings struct {
	// MaxTimestamp is the largest timestamp of the records, NoTimestamp if none has any.
	MaxTimestamp int64
	// MaxTimestampOffset is the offset of the first record that has it.
	MaxTimestampOffset Offset
	// Errors names the records that broke a rule, the first maxRecordErrors of them.
	Errors []RecordError
}

// CheckRecords reads every record of a batch that Check has found sound: that each is well-formed, that
// their offsets are consecutive, that the count is right and nothing is left over, and the rules. What
// is wrong with single records is in the findings. The error tells that the records can't be read: it
// wraps ErrInvalid, and with it ErrCorrupt, ErrExpands or ErrUnsupportedCodec.
func (b Batch) CheckRecords(d *Decompressor, rules *Rules) (Findings, error) {
	found := Findings{MaxTimestamp: NoTimestamp, MaxTimestampOffset: -1}
	var r Reader
	r.Reset(b, d)
	defer r.Close()
	for r.Next() {
		rec := r.Record()
		if rec.Timestamp > found.MaxTimestamp {
			found.MaxTimestamp, found.MaxTimestampOffset = rec.Timestamp, rec.Offset
		}
		if err := rules.check(b, rec, r.Index()); err != nil {
			if found.add(r.Index(), err); len(found.Errors) == maxRecordErrors {
				return found, nil
			}
			continue
		}
		if rules.Each == nil || len(found.Errors) > 0 {
			continue
		}
		rules.Each(rec)
	}
	err := r.Err()
	if err == nil {
		err = r.Finish()
	}
	if err != nil {
		return found, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return found, nil
}

func (f *Findings) add(index int32, err error) {
	kind := ErrInvalid
	if errors.Is(err, ErrInvalidTimestamp) {
		kind = ErrInvalidTimestamp
	}
	f.Errors = append(f.Errors, RecordError{Index: index, Err: kind, Message: err.Error()})
}

func (rules *Rules) check(b Batch, rec *Record, index int32) error {
	if rec.OffsetDelta != index {
		return fmt.Errorf("offset delta %d of record %d: %w", rec.OffsetDelta, index, ErrInvalid)
	}
	if rules.Keys && rec.Key == nil {
		return fmt.Errorf("a record of a compacted topic must have a key: %w", ErrInvalid)
	}
	if rules.Type == CreateTime && rec.Timestamp != NoTimestamp {
		return rules.checkTime(rec.Timestamp)
	}
	if b.TimestampType() == LogAppendTime {
		return fmt.Errorf("a producer may not set the timestamp type LogAppendTime: %w", ErrInvalidTimestamp)
	}
	return nil
}

func (rules *Rules) checkTime(timestamp int64) error {
	// As in Kafka the difference may wrap around, and is then out of range on the other side.
	age := rules.NowMs - timestamp
	if age <= rules.BeforeMs && -age <= rules.AfterMs {
		return nil
	}
	return fmt.Errorf("timestamp %d is not within %d ms before and %d ms after %d: %w",
		timestamp, rules.BeforeMs, rules.AfterMs, rules.NowMs, ErrInvalidTimestamp)
}
