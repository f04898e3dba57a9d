package broker

import (
	"errors"
	"fmt"

	"barnabas/internal/coordinator"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
)

// coordinatorLog is a partition as its coordinator sees it, in one leader epoch.
type coordinatorLog struct {
	partition *replication.Partition
	epoch     record.Epoch
}

var _ coordinator.Log = coordinatorLog{}

func (l coordinatorLog) Append(batch []byte) (record.Offset, error) {
	at, err := l.partition.Append(batch, replication.AppendRequest{
		Acks: replication.AcksAll, Epoch: l.epoch, Origin: storage.Coordinator,
	})
	if err != nil {
		return -1, coordinatorError(err)
	}
	return at.LastOffset + 1, nil
}

func (l coordinatorLog) Read(from record.Offset, maxBytes int) ([]byte, error) {
	result, err := l.partition.Read(replication.ReadRequest{
		Offset: from, MaxBytes: maxBytes, MinOneBatch: true, UpTo: replication.AtLogEnd,
		CurrentEpoch: l.epoch, LastFetchedEpoch: record.NoEpoch,
	})
	if err != nil {
		return nil, coordinatorError(err)
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

func (l coordinatorLog) StartOffset() record.Offset   { return l.partition.State().LogStart }
func (l coordinatorLog) EndOffset() record.Offset     { return l.partition.State().LogEnd }
func (l coordinatorLog) HighWatermark() record.Offset { return l.partition.State().HighWatermark }

func (l coordinatorLog) Watch(end record.Offset, wake func()) (stop func()) {
	waiter := replication.NewCallback(wake)
	l.partition.Watch(waiter, replication.AtHighWatermark, end-1)
	return func() { l.partition.Unwatch(waiter) }
}

// coordinatorError gives a partition's refusal the name that coordinators know.
func coordinatorError(err error) error {
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
