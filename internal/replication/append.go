package replication

import (
	"errors"
	"fmt"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// AcksAll asks that all members of the in-sync set have the records before they are acknowledged.
const AcksAll int16 = -1

// AppendRequest says how to append.
type AppendRequest struct {
	// Acks is the producer's: 0, 1 or AcksAll. The minimum in-sync set is checked for AcksAll only.
	Acks int16
	// Epoch is the leader epoch that the caller believes in, or record.NoEpoch. Coordinators
	// name theirs, so that a deposed one can't write.
	Epoch  record.Epoch
	Origin storage.Origin
}

// Appended is where records went.
type Appended struct {
	storage.Appended
	// Epoch is the leader epoch they were written in; Committed wants it back.
	Epoch record.Epoch
}

// Append writes batches to a led partition, patching offsets and epoch into them in place. On return they are
// in this replica's log; a producer that asked for AcksAll waits until Committed says so. Errors: ErrNotLeader,
// ErrFencedEpoch, ErrUnknownEpoch, ErrNotEnoughReplicas, ErrCeiling, ErrStorage, and those of storage.
func (p *Partition) Append(batches []byte, req AppendRequest) (Appended, error) {
	p.mu.Lock()
	at, woken, err := p.append(batches, req)
	p.mu.Unlock()
	woken.make()
	return at, err
}

// append is Append's part under mu.
func (p *Partition) append(batches []byte, req AppendRequest) (Appended, calls, error) {
	v := p.view.Load()
	log, err := v.serving(req.Epoch, false)
	if err != nil {
		return Appended{}, nil, err
	}
	if req.Acks == AcksAll && len(v.inSync.Committed) < v.minISR {
		return Appended{}, nil, fmt.Errorf("%s: %d of %d: %w", p.name, len(v.inSync.Committed), v.minISR, ErrNotEnoughReplicas)
	}
	at, err := log.Append(batches, storage.AppendOptions{LeaderEpoch: v.epoch, Origin: req.Origin})
	p.lookAhead(v, log.EndOffset(), errors.Is(err, storage.ErrCeiling))
	if err != nil {
		return Appended{Appended: at}, nil, failed(err)
	}
	if err := p.mirror(log); err != nil {
		return Appended{}, nil, err
	}
	return Appended{Appended: at, Epoch: v.epoch}, p.advance(v), nil
}

// failed gives storage's errors this room's names.
func failed(err error) error {
	switch {
	case errors.Is(err, storage.ErrStorage):
		return fmt.Errorf("%w: %w", ErrStorage, err)
	case errors.Is(err, storage.ErrOffsetOutOfRange):
		return fmt.Errorf("%w: %w", ErrOffsetOutOfRange, err)
	case errors.Is(err, storage.ErrCeiling):
		return fmt.Errorf("%w: %w", ErrCeiling, err)
	case errors.Is(err, storage.ErrDeleted):
		return fmt.Errorf("%w: %w", ErrNotLeader, err) // deleted or moved: the client asks again who has it
	}
	return err
}

// lookAhead asks for a higher ceiling when half of what was asked for last is used, or when an append has
// met the ceiling. The caller holds mu.
func (p *Partition) lookAhead(v *view, end record.Offset, met bool) {
	if end <= v.ceiling-metadata.CeilingStep/2 && !met || p.asked > v.ceiling {
		return
	}
	p.asked = max(end, v.ceiling) + metadata.CeilingStep
	p.local.propose(Proposal{Partition: p, Epoch: v.epoch, Ceiling: p.asked})
}

// Committed reports whether records up to required (the last offset plus one), appended in the given
// leader epoch, are on all members of the in-sync set. When done, a nil error acknowledges; ErrNotLeader says
// that leadership went before that was known, ErrNotEnoughReplicasAfterAppend that the set has shrunk below the minimum.
func (p *Partition) Committed(epoch record.Epoch, required record.Offset) (done bool, err error) {
	v := p.view.Load()
	switch {
	case v.role != Leading || v.epoch != epoch || v.log == nil:
		return true, ErrNotLeader
	case v.log.Directory().Err() != nil || v.torn():
		return true, ErrStorage
	case v.log.HighWatermark() < required:
		return false, nil
	case len(v.inSync.Committed) < v.minISR:
		return true, ErrNotEnoughReplicasAfterAppend
	}
	return true, nil
}
