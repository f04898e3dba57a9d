package storage

import "errors"

// The errors of this room. What a client sees of them is decided in api/errors.go.
var (
	// ErrOffsetOutOfRange says that an offset is not within [start, end] of a log.
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrCorruptMessage says that a batch's checksum, size or framing is wrong.
	ErrCorruptMessage = errors.New("corrupt message")
	// ErrInvalidRecord says that a batch or a record in it breaks a rule; Appended has the details.
	ErrInvalidRecord = errors.New("invalid record")
	// ErrInvalidTimestamp says that records lie outside the topic's timestamp limits (KIP-937).
	ErrInvalidTimestamp = errors.New("invalid timestamp")
	// ErrMessageTooLarge says that a batch exceeds max.message.bytes.
	ErrMessageTooLarge = errors.New("message too large")
	// ErrRecordListTooLarge says that a batch exceeds segment.bytes.
	ErrRecordListTooLarge = errors.New("batch exceeds the segment size")
	// ErrUnsupportedCompression says that a batch is compressed in a way that is not known.
	ErrUnsupportedCompression = errors.New("unsupported compression")

	// ErrOutOfOrderSequence says that an idempotent producer left a gap (KIP-98).
	ErrOutOfOrderSequence = errors.New("out of order sequence")
	// ErrDuplicateSequence says that a batch repeats one too old to answer with its offset.
	ErrDuplicateSequence = errors.New("duplicate sequence")
	// ErrInvalidProducerEpoch says that a newer incarnation of the producer has written.
	ErrInvalidProducerEpoch = errors.New("invalid producer epoch")
	// ErrUnknownProducerID says that nothing is known of a producer that does not start afresh.
	ErrUnknownProducerID = errors.New("unknown producer id")
	// ErrInvalidTxnState says that a transactional batch or marker does not fit the producer's state.
	ErrInvalidTxnState = errors.New("invalid transaction state")
	// ErrTransactionCoordinatorFenced says that a newer transaction coordinator has written a marker.
	ErrTransactionCoordinatorFenced = errors.New("transaction coordinator fenced")

	// ErrUnexpectedOffset says that a follower's batch starts before the end of the log.
	ErrUnexpectedOffset = errors.New("batch starts before the end of the log")
	// ErrCeiling says that assigning the offsets asked for would reach the log's ceiling. Raise it
	// (SetCeiling) and append again: nothing was written.
	ErrCeiling = errors.New("offset ceiling reached")
	// ErrBudget says that the directory has used up what it may (POLICY_VIOLATION). Nothing was written.
	ErrBudget = errors.New("the data directory has used up its budget")
	// ErrInvalidEpoch says that an epoch is older than the log's latest.
	ErrInvalidEpoch = errors.New("leader epoch is older than the log's")

	// ErrStorage says that the log's directory is offline (KAFKA_STORAGE_ERROR). It wraps the cause.
	ErrStorage = errors.New("log directory is offline")
	// ErrDeleted says that the log was deleted or its store closed.
	ErrDeleted = errors.New("log is closed")
	// ErrLogExists says that the partition has a log already.
	ErrLogExists = errors.New("log exists")
	// ErrUnknownLog says that the partition has no log in this store.
	ErrUnknownLog = errors.New("no such log")

	// ErrDirectoryInUse says that another process holds a log directory.
	ErrDirectoryInUse = errors.New("log directory is in use by another process")
	// ErrWrongCluster says that a log directory belongs to another cluster.
	ErrWrongCluster = errors.New("log directory belongs to another cluster")
	// ErrWrongBroker says that a log directory belongs to another broker.
	ErrWrongBroker = errors.New("log directory belongs to another broker")
)
