package storage

import "barnabas/internal/record"

// ProducerState is what a log knows of one idempotent producer, as DescribeProducers shows it (KIP-664).
type ProducerState struct {
	ID               record.ProducerID
	Epoch            record.ProducerEpoch
	LastSequence     record.Sequence
	LastTimestamp    int64
	CoordinatorEpoch int32
	// TxnStart is where the producer's open transaction begins; -1 if none is open.
	TxnStart record.Offset
}

// Producers are the idempotent producers that the log knows.
func (l *Log) Producers() []ProducerState { return nil }
