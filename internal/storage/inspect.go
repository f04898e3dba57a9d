package storage

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"barnabas/internal/record"
)

// shownRecordErrors is how many records the message of a refusal names. All are in
// Appended.RecordErrors.
const shownRecordErrors = 3

// rules are what a topic wants of each record.
func (c *LogConfig) rules(nowMs int64) record.Rules {
	return record.Rules{
		Keys:     c.Compact,
		Type:     c.TimestampType,
		NowMs:    nowMs,
		BeforeMs: c.TimestampBeforeMs,
		AfterMs:  c.TimestampAfterMs,
	}
}

// recompresses tells whether the topic stores batches otherwise than this one is compressed.
func recompresses(b record.Batch, c *LogConfig) bool {
	return !c.KeepCompression && b.Codec() != c.Compression
}

// needsInspection tells whether a batch's records must be looked into: where the setting says so,
// where they must be compressed anew, and where a rule can't be checked by the header.
func needsInspection(b record.Batch, c *LogConfig, nowMs int64) bool {
	if c.Strict || c.Compact || recompresses(b, c) || b.TimestampType() == record.LogAppendTime {
		return true
	}
	if c.TimestampType != record.CreateTime || b.MaxTimestamp() == record.NoTimestamp {
		return false
	}
	return c.TimestampBeforeMs != math.MaxInt64 || b.MaxTimestamp()-nowMs > c.TimestampAfterMs
}

// inspect checks every record of a batch. It returns the batch as it's to be stored: the same, its
// largest timestamp set right, or another in the topic's own compression.
func (l *Log) inspect(b record.Batch, c *LogConfig, rules record.Rules, done *Appended) (record.Batch, error) {
	x := l.expand(c)
	defer x.end()
	var builder *record.Builder
	if recompresses(b, c) {
		builder = record.NewBuilder(rebuilt(b, c))
		rules.Each = func(rec *record.Record) { builder.AppendRecord(rec.Offset, rec) }
	}
	found, err := b.CheckRecords(x.decompressor, &rules)
	if err != nil {
		return nil, l.refused(err, done)
	}
	if len(found.Errors) > 0 {
		return nil, l.refusedRecords(found.Errors, done)
	}
	if builder == nil {
		b.SetCreateTime(found.MaxTimestamp)
		return b, nil
	}
	anew, err := builder.Build()
	if errors.Is(err, record.ErrTooLarge) {
		err = fmt.Errorf("%s: compressed with %s, as the topic wants it: %w: %w", l, c.Compression, ErrMessageTooLarge, err)
	}
	return anew, err
}

// rebuilt are the options for a batch that is to hold the same in the topic's compression.
func rebuilt(b record.Batch, c *LogConfig) record.Options {
	options := record.Options{
		Codec:      c.Compression,
		Level:      c.CompressionLevel,
		BaseOffset: b.BaseOffset(),
		MaxBytes:   int(c.MaxMessageBytes),
	}
	if b.HasProducerID() {
		options.Producer = &record.Producer{
			ID:            b.ProducerID(),
			Epoch:         b.ProducerEpoch(),
			Sequence:      b.BaseSequence(),
			Transactional: b.IsTransactional(),
		}
	}
	return options
}

// refusedRecords words a refusal as Kafka does (KIP-467).
func (l *Log) refusedRecords(wrong []record.RecordError, done *Appended) error {
	done.RecordErrors = wrong
	for _, e := range wrong {
		if errors.Is(e.Err, record.ErrInvalidTimestamp) {
			done.Message = "One or more records have been rejected due to invalid timestamp"
			return fmt.Errorf("%s: %s: %w", l, e.Message, ErrInvalidTimestamp)
		}
	}
	var shown strings.Builder
	for i, e := range wrong[:min(len(wrong), shownRecordErrors)] {
		if i > 0 {
			shown.WriteString(", ")
		}
		fmt.Fprintf(&shown, "RecordError(batchIndex=%d, message='%s')", e.Index, e.Message)
	}
	done.Message = fmt.Sprintf("One or more records have been rejected due to %d record errors in total, "+
		"and only showing the first three errors at most: [%s]", len(wrong), shown.String())
	return fmt.Errorf("%s: %s: %w", l, done.Message, ErrInvalidRecord)
}
