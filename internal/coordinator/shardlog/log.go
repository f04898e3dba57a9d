// Package shardlog is a partition as its coordinator sees it.
package shardlog

import (
	"errors"
	"fmt"

	"barnabas/internal/coordinator"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
)

// Log is a partition in one leader epoch.
type Log struct {
	Partition *replication.Partition
	Epoch     record.Epoch
}

var _ coordinator.Log = Log{}

// Append implements coordinator.Log.
func (l Log) Append(batch []byte) (record.Offset, error) {
	at, err := l.Write(batch)
	if err != nil {
		return -1, err
	}
	return at.LastOffset + 1, nil
}

// Write is Append for who wants to know where the batch is. Its errors are those of coordinator.Log.
func (l Log) Write(batch []byte) (replication.Appended, error) {
	at, err := l.Partition.Append(batch, replication.AppendRequest{
		Acks: replication.AcksAll, Epoch: l.Epoch, Origin: storage.Coordinator,
	})
	return at, named(err)
}

// Read implements coordinator.Log.
func (l Log) Read(from record.Offset, maxBytes int) ([]byte, error) {
	result, err := l.Partition.Read(replication.ReadRequest{
		Offset: from, MaxBytes: maxBytes, MinOneBatch: true, UpTo: replication.AtLogEnd,
		CurrentEpoch: l.Epoch, LastFetchedEpoch: record.NoEpoch,
	})
	if err != nil {
		return nil, named(err)
	}
	defer result.Span.Release()
	buf := make([]byte, result.Span.Len())
	n, err := result.Span.CopyTo(buf)
	return wholeBatches(buf[:n]), err
}

// wholeBatches leaves out a last batch that the bound of the read has cut.
func wholeBatches(buf []byte) []byte {
	rest := buf
	for len(rest) > 0 {
		_, next, err := record.Next(rest)
		if errors.Is(err, record.ErrShort) {
			break
		}
		if err != nil {
			return buf // the coordinator says what is wrong with it
		}
		rest = next
	}
	return buf[:len(buf)-len(rest)]
}

// StartOffset implements coordinator.Log.
func (l Log) StartOffset() record.Offset { return l.Partition.State().LogStart }

// EndOffset implements coordinator.Log.
func (l Log) EndOffset() record.Offset { return l.Partition.State().LogEnd }

// HighWatermark implements coordinator.Log.
func (l Log) HighWatermark() record.Offset { return l.Partition.State().HighWatermark }

// Watch implements coordinator.Log.
func (l Log) Watch(end record.Offset, wake func()) (stop func()) {
	waiter := replication.NewCallback(wake)
	l.Partition.Watch(waiter, replication.AtHighWatermark, end-1)
	return func() { l.Partition.Unwatch(waiter) }
}

// named gives a partition's refusal the name that coordinators know.
func named(err error) error {
	for _, pair := range [...]struct{ from, to error }{
		{replication.ErrNotLeader, coordinator.ErrNotCoordinator},
		{replication.ErrFencedEpoch, coordinator.ErrNotCoordinator},
		{replication.ErrUnknownEpoch, coordinator.ErrNotCoordinator},
		{replication.ErrNotEnoughReplicas, coordinator.ErrNotEnoughReplicas},
		{replication.ErrCeiling, coordinator.ErrNotEnoughReplicas},
		{replication.ErrStorage, coordinator.ErrStorage},
		{storage.ErrMessageTooLarge, coordinator.ErrTooLarge},
		{storage.ErrRecordListTooLarge, coordinator.ErrTooLarge},
	} {
		if errors.Is(err, pair.from) {
			return fmt.Errorf("%w: %w", pair.to, err)
		}
	}
	return err
}
