package storage

import (
	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// Log is one partition's records on one log directory.
type Log struct{}

// Append adds batches to the log.
//
// From a Client or Coordinator they get the next offsets and the leader epoch of opts; the slice is patched in place. A Follower's
// keep their offsets and epochs; a batch cut short at the end is left out. Nothing is visible to readers unless all of it was written.
//
// Errors: ErrCorruptMessage, ErrInvalidRecord, ErrInvalidTimestamp, ErrMessageTooLarge, ErrRecordListTooLarge, ErrUnsupportedCompression,
// ErrOutOfOrderSequence, ErrDuplicateSequence, ErrInvalidProducerEpoch, ErrUnknownProducerID, ErrUnexpectedOffset, ErrCeiling, ErrStorage, ErrDeleted.
func (l *Log) Append(batches []byte, opts AppendOptions) (Appended, error) { return Appended{}, nil }

// Read returns where the batches from the one that holds offset from are.
//
// Errors: ErrOffsetOutOfRange when from is not within [StartOffset, EndOffset], ErrStorage, ErrDeleted.
func (l *Log) Read(from record.Offset, opts ReadOptions) (Span, error) { return Span{}, nil }

// TopicPartition names the log.
func (l *Log) TopicPartition() ident.TopicPartition { return ident.TopicPartition{} }

// TopicID is the id of the topic for which the log was made; zero if its metadata file was lost.
func (l *Log) TopicID() ident.TopicID { return ident.TopicID{} }

// Directory is where the log is.
func (l *Log) Directory() *Directory { return nil }

// StartOffset is the first offset that may be read.
func (l *Log) StartOffset() record.Offset { return 0 }

// EndOffset is the offset that the next record gets.
func (l *Log) EndOffset() record.Offset { return 0 }

// HighWatermark is the offset below which records are committed, as last set; after a start it is what
// the last checkpoint said.
func (l *Log) HighWatermark() record.Offset { return 0 }

// SetHighWatermark moves the high watermark; it is kept within [StartOffset, EndOffset].
func (l *Log) SetHighWatermark(o record.Offset) {}

// LastStableOffset is the offset below which all transactions are decided; it never exceeds the high watermark.
func (l *Log) LastStableOffset() record.Offset { return 0 }

// SetCeiling bounds the offsets that Append may assign: all stay below it (DESIGN 3.4). Followers are not bound.
func (l *Log) SetCeiling(o record.Offset) {}

// Ceiling is what SetCeiling set; MaxInt64 before.
func (l *Log) Ceiling() record.Offset { return 0 }

// LatestEpoch is the epoch of the last leader known to the log; NoEpoch for none.
func (l *Log) LatestEpoch() record.Epoch { return record.NoEpoch }

// SetEpoch notes that a leader's epoch begins at offset start. ErrInvalidEpoch if the log knows a later one; ErrStorage.
func (l *Log) SetEpoch(epoch record.Epoch, start record.Offset) error { return nil }

// EpochEnd answers OffsetForLeaderEpoch (KIP-101, KIP-320): the largest epoch known that is not larger than
// the one asked for, and the offset at which it ended. (NoEpoch, -1) when the epoch is unknown.
func (l *Log) EpochEnd(epoch record.Epoch) (record.Epoch, record.Offset) { return record.NoEpoch, -1 }

// EpochAt is the epoch of the record at an offset; NoEpoch if that isn't known.
func (l *Log) EpochAt(o record.Offset) record.Epoch { return record.NoEpoch }

// TruncateTo cuts off what is at or after an offset: whole batches, so the end may come to lie lower.
func (l *Log) TruncateTo(o record.Offset) error { return nil }

// TruncateFullyTo drops all records and lets the log begin anew at an offset.
func (l *Log) TruncateFullyTo(o record.Offset) error { return nil }

// AdvanceStart makes offsets before o unreadable (DeleteRecords). A smaller o than the start
// changes nothing; one past the high watermark is ErrOffsetOutOfRange.
func (l *Log) AdvanceStart(o record.Offset) error { return nil }

// OffsetForTimestamp finds the first record whose timestamp is ts (milliseconds) or later.
func (l *Log) OffsetForTimestamp(ts int64) (TimestampOffset, bool, error) {
	return TimestampOffset{}, false, nil
}

// MaxTimestamp finds the first record that bears the largest timestamp.
func (l *Log) MaxTimestamp() (TimestampOffset, bool, error) { return TimestampOffset{}, false, nil }

// Flush makes all that is appended survive a crash of the machine.
func (l *Log) Flush() error { return nil }

// Config is the settings that the log obeys.
func (l *Log) Config() LogConfig { return LogConfig{} }

// SetConfig replaces the settings.
func (l *Log) SetConfig(c LogConfig) {}

// Size is the bytes of the log's segments, without their indexes.
func (l *Log) Size() int64 { return 0 }

// Segments is the number of segments.
func (l *Log) Segments() int { return 0 }

// TimestampOffset is a record found by time.
type TimestampOffset struct {
	Timestamp   int64
	Offset      record.Offset
	LeaderEpoch record.Epoch
}
