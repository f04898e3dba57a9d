package replication

import (
	"errors"
	"fmt"
	"math"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// Holding is what a replica holds, for the controller that asks because no whole copy is left
// (metadata.Partition.Inquiry, ADR 8). Nothing is written to the replica until a leader is elected.
type Holding struct {
	// LeaderEpoch is that of the question.
	LeaderEpoch record.Epoch
	// Offline says that there is no log to look into.
	Offline bool
	FetchPosition
	HighWatermark record.Offset
}

// Holding tells what the replica holds of the partition of that topic; false where it has not taken its part in the
// question yet, or knows of a later one.
func (p *Partition) Holding(topic ident.TopicID, epoch record.Epoch) (Holding, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	if v.topic != topic || v.epoch != epoch || v.role == Leading {
		return Holding{}, false
	}
	h := Holding{LeaderEpoch: epoch, Offline: !v.online()}
	if !h.Offline {
		h.FetchPosition, h.HighWatermark = endOf(v.log), v.log.HighWatermark()
	}
	return h, true
}

// ErrShownLacking says that a leader lacks records that this store has shown as safe, and that no election named that
// leader as one that may lack them. The store keeps them, and stays out of sync, until somebody decides.
var ErrShownLacking = errors.New("the leader lacks records below this copy's high watermark, and no election " +
	"has allowed that: the copy keeps them, and is not in sync")

// mayGiveUp tells whether a follower may cut its log off at an offset. Above the high watermark it may always. What is
// below had been shown, and goes only where it is older than the last election of a copy that may lack records
// (ADR 8); the loss ledger has that election.
func mayGiveUp(log *storage.Log, to record.Offset, named record.Epoch) error {
	shown := log.HighWatermark()
	if to >= shown {
		return nil
	}
	if last := log.EpochAt(shown - 1); last >= named {
		return fmt.Errorf("%w: it was to be cut off at %d, its high watermark is %d in leader epoch %d, the last such election began epoch %d",
			ErrShownLacking, to, shown, last, named)
	}
	return nil
}

// beginAt has the log of a new leader end where offsets may go on. A log without records that was made before its partition's
// loss was known begins anew at the start. One with records is filled up, with batches that hold none: what stood
// between may have been given out by a leader whose records are lost, and a consumer or a replica that was there
// sees by the epoch that it is not what it knew.
func beginAt(log *storage.Log, state *metadata.Partition) error {
	end := log.EndOffset()
	if end < state.Start && (log.StartOffset() == end || state.Resume == 0) {
		if err := log.TruncateFullyTo(state.Start); err != nil {
			return fmt.Errorf("begin at offset %d after a loss: %w", state.Start, err)
		}
	}
	return nil
}

// fill takes up the offsets up to resume.
func fill(log *storage.Log, epoch record.Epoch, resume record.Offset) error {
	for end := log.EndOffset(); end < resume; end = log.EndOffset() {
		span := min(int64(resume-end), math.MaxInt32)
		batch, err := record.NewBuilder(record.Options{BaseOffset: end, Span: span}).Build()
		if err != nil {
			return err
		}
		batch.SetLeaderEpoch(epoch)
		if _, err := log.Append(batch, storage.AppendOptions{Origin: storage.Follower}); err != nil {
			return fmt.Errorf("fill up from offset %d to %d after a loss: %w", end, resume, err)
		}
	}
	return nil
}
