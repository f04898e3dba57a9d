package replication

import (
	"fmt"

	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// The special timestamps of ListOffsets.
const (
	LatestTimestamp        int64 = -1
	EarliestTimestamp      int64 = -2
	MaxTimestamp           int64 = -3 // KIP-734
	EarliestLocalTimestamp int64 = -4 // KIP-405
	LatestTieredTimestamp  int64 = -5 // KIP-1005
	EarliestPendingUpload  int64 = -6 // KIP-1023
)

// LookupRequest asks for an offset by time.
type LookupRequest struct {
	// Timestamp in milliseconds, or one of the special ones.
	Timestamp    int64
	CurrentEpoch record.Epoch // or record.NoEpoch
	// UpTo bounds what a client may learn: AtHighWatermark, or AtLastStable for read_committed. AtLogEnd is for
	// replicas and the debugging consumer.
	UpTo Mark
	// AnyReplica lets a follower answer.
	AnyReplica bool
}

// Found is a place in the log. Offset is -1 when there is none.
type Found struct {
	Offset    record.Offset
	Timestamp int64 // milliseconds, or -1
	Epoch     record.Epoch
}

var nothing = Found{Offset: -1, Timestamp: -1, Epoch: record.NoEpoch}

// Lookup finds the first record with a timestamp at or after the one asked for, or what a special timestamp
// stands for. ErrOffsetNotAvailable: a new leader whose high watermark has not reached its epoch (KIP-207).
func (p *Partition) Lookup(req LookupRequest) (Found, error) {
	v := p.view.Load()
	log, err := v.serving(req.CurrentEpoch, req.AnyReplica)
	if err != nil {
		return nothing, err
	}
	bound := marksOf(log).at(req.UpTo)
	lagging := req.UpTo != AtLogEnd && v.role == Leading && v.epochStart > log.HighWatermark()
	switch req.Timestamp {
	case LatestTimestamp:
		if lagging {
			return nothing, ErrOffsetNotAvailable
		}
		return Found{Offset: bound, Timestamp: -1, Epoch: v.epoch}, nil
	case EarliestTimestamp, EarliestLocalTimestamp:
		start := log.StartOffset()
		return Found{Offset: start, Timestamp: -1, Epoch: log.EpochAt(start)}, nil
	case LatestTieredTimestamp, EarliestPendingUpload:
		return nothing, nil // nothing is tiered
	}
	found, err := byTime(log, req.Timestamp)
	switch {
	case err != nil || found.Offset < 0 || found.Offset < bound:
		return found, err
	case lagging:
		return nothing, ErrOffsetNotAvailable
	}
	return nothing, nil
}

func byTime(log *storage.Log, timestamp int64) (Found, error) {
	var at storage.TimestampOffset
	var ok bool
	var err error
	if timestamp == MaxTimestamp {
		at, ok, err = log.MaxTimestamp()
	} else {
		at, ok, err = log.OffsetForTimestamp(timestamp)
	}
	if err != nil {
		return nothing, failed(err)
	}
	if !ok {
		return nothing, nil
	}
	return Found{Offset: at.Offset, Timestamp: at.Timestamp, Epoch: log.EpochAt(at.Offset)}, nil
}

// EpochEnd answers OffsetForLeaderEpoch: the end of the epoch, or of the last one before it; both -1 when none is known.
func (p *Partition) EpochEnd(current, epoch record.Epoch, anyReplica bool) (EpochEnd, error) {
	v := p.view.Load()
	log, err := v.serving(current, anyReplica)
	if err != nil {
		return EpochEnd{record.NoEpoch, -1}, err
	}
	found, end := epochEnd(log, v, epoch)
	return EpochEnd{found, end}, nil
}

// Producers lists the idempotent producers that the leader's log knows.
func (p *Partition) Producers() ([]storage.ProducerState, error) {
	log, err := p.view.Load().serving(record.NoEpoch, true)
	if err != nil {
		return nil, err
	}
	return log.Producers(), nil
}

// ToHighWatermark as the offset of DeleteRecords stands for the high watermark.
const ToHighWatermark record.Offset = -1

// DeleteRecords makes the log start at an offset, which may be ToHighWatermark, and returns where it starts. Followers
// do so with their next fetches: see LowWatermark. ErrPolicy, ErrOffsetOutOfRange, ErrNotLeader, ErrStorage.
func (p *Partition) DeleteRecords(before record.Offset) (record.Offset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	log, err := v.serving(record.NoEpoch, false)
	if err != nil {
		return -1, err
	}
	if !log.Config().Delete {
		return -1, fmt.Errorf("%s: %w", p.name, ErrPolicy)
	}
	if before == ToHighWatermark {
		before = log.HighWatermark()
	}
	if before < 0 || before > log.HighWatermark() {
		return -1, fmt.Errorf("%s: delete before %d, high watermark %d: %w", p.name, before, log.HighWatermark(), ErrOffsetOutOfRange)
	}
	if err := log.AdvanceStart(before); err != nil {
		return -1, failed(err)
	}
	return log.StartOffset(), nil
}

// LowWatermark is the least log start of the live replicas: what lies before is gone everywhere. It is -1 while a
// follower has not been heard of. ErrNotLeader, ErrStorage.
func (p *Partition) LowWatermark() (record.Offset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.view.Load().serving(record.NoEpoch, false)
	if err != nil {
		return -1, err
	}
	low := log.StartOffset()
	for i := range p.followers {
		if p.followers[i].Eligible {
			low = min(low, p.followers[i].Progress.LogStart)
		}
	}
	return low, nil
}
