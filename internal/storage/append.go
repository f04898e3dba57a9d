package storage

import "barnabas/internal/record"

// Origin says who appends, which decides what is checked and who numbers the records.
type Origin uint8

const (
	// Client is a producer: one batch, checked in full, numbered by the log.
	Client Origin = iota
	// Coordinator is a coordinator of this broker: numbered by the log, and trusted to write control batches.
	Coordinator
	// Follower is a copy of what the leader has numbered and stamped; sizes and records are not judged again.
	Follower
)

// AppendOptions accompany an append.
type AppendOptions struct {
	// LeaderEpoch is stamped on the batches, unless the origin is Follower.
	LeaderEpoch record.Epoch
	Origin      Origin
}

// Appended tells what an append did. Offsets are -1 when nothing was appended.
type Appended struct {
	// BaseOffset and LastOffset are the first and last offset given. For a duplicate they
	// are those of the batch that is in the log already.
	BaseOffset, LastOffset record.Offset
	// LogAppendTime is the timestamp in milliseconds that the log put on the records, -1 if the producer's stand.
	LogAppendTime int64
	// LogStartOffset is the log's start after the append.
	LogStartOffset record.Offset
	// Duplicate says that an idempotent producer sent this batch before, and nothing was written (KIP-98).
	Duplicate bool
	// Records and Bytes are how much was written.
	Records, Bytes int64
	// RecordErrors and Message accompany ErrInvalidRecord and ErrInvalidTimestamp (KIP-467).
	RecordErrors []RecordError
	Message      string
}

// RecordError says what is wrong with one record of a refused batch.
type RecordError struct {
	// Index is the record's place in the batch.
	Index   int32
	Message string
}
