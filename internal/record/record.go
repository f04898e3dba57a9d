// Package record knows the record batch, Kafka's message format v2 (KIP-98): the bytes that producers
// send, that the log stores and that consumers receive, all three the same. It reads and patches
// headers in place, checks batches cheaply (Check) or to the last record (CheckRecords), walks records
// without allocating, writes batches (Builder) and holds the compression codecs. It is a leaf and owns
// no goroutine.
package record

import "errors"

// Offset numbers a record within its partition.
type Offset int64

// Epoch counts the leaders of a partition. NoEpoch stands where none is known.
type Epoch int32

// NoEpoch is the leader epoch of a batch that no leader has appended.
const NoEpoch Epoch = -1

// ProducerID names an idempotent producer.
type ProducerID int64

// ProducerEpoch counts the incarnations of one ProducerID; older ones are fenced.
type ProducerEpoch int16

// Sequence numbers a producer's records within a partition. After MaxInt32 comes 0.
type Sequence int32

// What the producer fields hold in a batch of a producer that isn't idempotent.
const (
	NoProducerID    ProducerID    = -1
	NoProducerEpoch ProducerEpoch = -1
	NoSequence      Sequence      = -1
)

// NoTimestamp is the timestamp of a record that has none, in milliseconds like all timestamps.
const NoTimestamp int64 = -1

// Add returns the sequence n records later.
func (s Sequence) Add(n int32) Sequence {
	return Sequence((int64(s) + int64(n)) & (1<<31 - 1))
}

// TimestampType says who set the timestamps of a batch.
type TimestampType int8

const (
	// CreateTime: the producer set each record's timestamp.
	CreateTime TimestampType = 0
	// LogAppendTime: the leader set the batch's maximum timestamp, and all its records have that.
	LogAppendTime TimestampType = 1
)

var (
	// ErrShort says that the bytes end before the batch does.
	ErrShort = errors.New("record batch is cut short")
	// ErrCorrupt says that a batch contradicts itself: CORRUPT_MESSAGE on the wire.
	ErrCorrupt = errors.New("record batch is corrupt")
	// ErrUnsupportedMagic says that a batch is of message format 0 or 1, which Kafka 4 no longer takes,
	// or of a format unknown: UNSUPPORTED_FOR_MESSAGE_FORMAT on the wire.
	ErrUnsupportedMagic = errors.New("message format isn't supported: only version 2 is")
	// ErrTooLarge says that a batch is larger than the limit: MESSAGE_TOO_LARGE on the wire.
	ErrTooLarge = errors.New("record batch is too large")
	// ErrInvalid says that a batch is well-formed but holds what may not be appended: INVALID_RECORD.
	ErrInvalid = errors.New("record batch is invalid")
	// ErrExpands says that a compressed batch would expand past the bound.
	ErrExpands = errors.New("compressed records expand past the bound")
	// ErrUnsupportedCodec says that the compression codec isn't known:
	// UNSUPPORTED_COMPRESSION_TYPE on the wire.
	ErrUnsupportedCodec = errors.New("compression codec isn't supported")
)
