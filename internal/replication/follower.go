package replication

import (
	"errors"
	"fmt"
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// Upstream is from whom a replica copies, and in which leader epoch.
type Upstream struct {
	Topic  ident.TopicID
	Leader ident.BrokerID
	// Store is the leader's, zero where it is not known; by it a broker and its successor are told apart.
	Store ident.StoreID
	Epoch record.Epoch
}

// Upstream tells whom the replica copies from now; false while it leads, has no log, or has nobody to copy from.
func (p *Partition) Upstream() (Upstream, bool) {
	v := p.view.Load()
	if v.role != Following || v.unfit || v.leader == ident.NoBroker || !v.online() {
		return Upstream{}, false
	}
	if v.leader == p.local.broker && !p.local.succeeds.Load() {
		return Upstream{}, false
	}
	return Upstream{Topic: v.topic, Leader: v.leader, Store: v.leaderStore, Epoch: v.epoch}, true
}

// InSync tells whether this replica is in the in-sync set that the metadata know, or its broker is with a store that nobody has
// named yet.
func (p *Partition) InSync() bool {
	v := p.view.Load()
	return p.isInSync(v) || slices.Contains(v.inSync.Committed, metadata.Member{Broker: p.local.broker})
}

func (p *Partition) isInSync(v *view) bool {
	return v.log != nil &&
		slices.Contains(v.inSync.Committed, metadata.Member{Broker: p.local.broker, Store: v.log.Directory().ID()})
}

// FetchPosition is where a follower wants to read on.
type FetchPosition struct {
	// Offset is its log end, LogStart where its log begins.
	Offset, LogStart record.Offset
	// LastEpoch is the leader epoch of its last record, record.NoEpoch when it has none. The leader finds by
	// it where the two logs part (KIP-595).
	LastEpoch record.Epoch
	// Store is the one that it copies into.
	Store ident.StoreID
}

// Position is where the replica reads on. One that may hold another topic's records says that it has none.
func (p *Partition) Position() FetchPosition {
	v := p.view.Load()
	if v.nameless {
		return FetchPosition{LastEpoch: record.NoEpoch, Store: v.log.Directory().ID()}
	}
	return endOf(v.log)
}

// endOf is where a log ends; it may be nil.
func endOf(log *storage.Log) FetchPosition {
	if log == nil {
		return FetchPosition{LastEpoch: record.NoEpoch}
	}
	at := FetchPosition{
		Offset: log.EndOffset(), LogStart: log.StartOffset(), LastEpoch: record.NoEpoch, Store: log.Directory().ID(),
	}
	if at.Offset > at.LogStart {
		at.LastEpoch = log.EpochAt(at.Offset - 1)
	}
	return at
}

// Copied is a leader's answer for one partition.
type Copied struct {
	// Epoch is the leader epoch in which it was asked, Offset what was asked for: an answer to another
	// question is of no use any more.
	Epoch  record.Epoch
	Offset record.Offset
	// Batches may end with a part of one.
	Batches                 []byte
	HighWatermark, LogStart record.Offset
	Diverging               EpochEnd // where the logs part, if Diverges
	Diverges                bool
}

// Cut tells of records that a follower has dropped because its leader does not have them.
type Cut struct {
	From, To      record.Offset // they were [From, To)
	HighWatermark record.Offset // before; records below it had been shown as safe
}

// Any reports whether anything was cut.
func (c Cut) Any() bool { return c.To > c.From }

// Copy takes over a leader's answer: it appends, or cuts off what the leader does not have, and moves high
// watermark and log start. Errors are storage's; ErrNotLeader and ErrFencedEpoch mean that the answer came too late.
func (p *Partition) Copy(c Copied) (Cut, error) {
	p.mu.Lock()
	cut, woken, err := p.copyLocked(c)
	p.mu.Unlock()
	woken.make()
	return cut, err
}

func (p *Partition) copyLocked(c Copied) (Cut, calls, error) {
	log, err := p.copying(c.Epoch)
	if err == nil {
		err = p.dropNameless(log, 0)
	}
	if err != nil || log.EndOffset() != c.Offset {
		return Cut{}, nil, err
	}
	if c.Diverges && c.Diverging.End <= c.LogStart {
		cut, err := p.partBelow(log, c.LogStart)
		return cut, nil, err
	}
	if c.Diverges {
		cut, err := p.cutOff(log, truncation(c.Diverging, log.EndOffset(), log.EpochEnd))
		return cut, nil, err
	}
	if len(c.Batches) > 0 {
		err := appendCopy(log, c.Batches)
		if errors.Is(err, storage.ErrUnexpectedOffset) && log.StartOffset() < log.EndOffset() && log.EndOffset() <= c.LogStart {
			return Cut{}, nil, p.beginAnew(log, c.LogStart) // the leader's log begins behind all of it, within a batch
		}
		if err != nil {
			return Cut{}, nil, failed(err)
		}
		p.cutFuture(log)
		if err := p.mirror(log); err != nil {
			return Cut{}, nil, err
		}
	}
	if c.HighWatermark > log.HighWatermark() {
		log.SetHighWatermark(c.HighWatermark)
	}
	if start := min(c.LogStart, log.HighWatermark()); start > log.StartOffset() {
		err = log.AdvanceStart(start)
	}
	return Cut{}, p.watches.passed(marksOf(log)), failed(err)
}

// copying is the log to copy into, if this broker follows in that epoch. The caller holds mu.
func (p *Partition) copying(epoch record.Epoch) (*storage.Log, error) {
	v := p.view.Load()
	switch {
	case v.role == Leading:
		return nil, ErrNotLeader
	case v.epoch != epoch:
		return nil, ErrFencedEpoch
	case !v.online():
		return nil, ErrStorage
	}
	return v.log, nil
}

// appendCopy appends a leader's batches. A log that is empty may be given a batch that begins before it: the
// leader's log starts within that batch.
func appendCopy(log *storage.Log, batches []byte) error {
	_, err := log.Append(batches, storage.AppendOptions{Origin: storage.Follower})
	if !errors.Is(err, storage.ErrUnexpectedOffset) || log.StartOffset() != log.EndOffset() {
		return err
	}
	first, _, framing := record.Next(batches)
	if framing != nil || first.LastOffset() < log.EndOffset() {
		return err
	}
	start := log.StartOffset()
	if err := log.TruncateFullyTo(first.BaseOffset()); err != nil {
		return err
	}
	if _, err := log.Append(batches, storage.AppendOptions{Origin: storage.Follower}); err != nil {
		return err
	}
	log.SetHighWatermark(start)
	return log.AdvanceStart(start)
}

// OutOfRange takes over that the leader's log is [start, end), and this one's end is not within. What the
// leader does not have goes; a log that ends before the leader's begins is begun anew there.
func (p *Partition) OutOfRange(epoch record.Epoch, start, end record.Offset) (Cut, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.copying(epoch)
	if err == nil {
		err = p.dropNameless(log, start)
	}
	if err != nil {
		return Cut{}, err
	}
	switch have := log.EndOffset(); {
	case have > end:
		return p.cutOff(log, end)
	case have < start:
		return Cut{}, p.beginAnew(log, start) // the leader's retention has gone that far
	}
	return Cut{}, nil
}

// partBelow has a log begin where its leader's does, which knows nothing any more of the leader epoch that this one's last
// records are of. What was committed before the start was the same in both, and only goes. What was not may be a deposed
// leader's: nothing of that may be shown, and what is known of producers by it would have them told of gaps
// (OUT_OF_ORDER_SEQUENCE_NUMBER), for they have gone on in what the leader has deleted. The caller holds mu.
func (p *Partition) partBelow(log *storage.Log, start record.Offset) (Cut, error) {
	shown, end := log.HighWatermark(), log.EndOffset()
	if shown != start {
		if err := mayGiveUp(log, start, p.view.Load().named); err != nil {
			return Cut{}, err
		}
		return Cut{From: min(shown, start), To: end, HighWatermark: shown}, p.beginAnew(log, start)
	}
	cut, err := p.cutOff(log, start)
	if err != nil || log.EndOffset() < start {
		return cut, err
	}
	return cut, failed(log.AdvanceStart(start))
}

// dropNameless drops what may be another topic's, now that the leader answers: nobody needs it. The caller holds mu.
func (p *Partition) dropNameless(log *storage.Log, start record.Offset) error {
	v := p.view.Load()
	if !v.nameless {
		return nil
	}
	if err := p.beginAnew(log, start); err != nil {
		return err
	}
	if err := log.Claim(v.topic); err != nil {
		return failed(err)
	}
	next := *v
	next.nameless = false
	p.view.Store(&next)
	return nil
}

// beginAnew drops all of a log, which begins again where its leader's does, and its second copy with it. The caller holds mu.
func (p *Partition) beginAnew(log *storage.Log, start record.Offset) error {
	err := log.TruncateFullyTo(start)
	if f := p.future; f != nil && f.log.EndOffset() >= start {
		p.futureCut(f.log.TruncateFullyTo(start))
	} else {
		p.cutFuture(log)
	}
	return failed(err)
}

// cutOff truncates a log and tells what is gone. The caller holds mu.
func (p *Partition) cutOff(log *storage.Log, to record.Offset) (Cut, error) {
	before := Cut{To: log.EndOffset(), HighWatermark: log.HighWatermark()}
	if err := mayGiveUp(log, to, p.view.Load().named); err != nil {
		return Cut{}, err
	}
	err := log.TruncateTo(to)
	p.cutFuture(log)
	if err != nil {
		return Cut{}, fmt.Errorf("truncate to %d: %w", to, failed(err))
	}
	before.From = log.EndOffset()
	return before, nil
}

// truncation is where a follower's log has to end for the next try, after its leader has answered
// that the follower's last epoch ends earlier there, or that it knows only an earlier one. Each try goes at least one
// epoch further back, until both logs agree (KIP-279).
func truncation(leader EpochEnd, end record.Offset, local func(record.Epoch) (record.Epoch, record.Offset)) record.Offset {
	to := min(leader.End, end)
	if _, ours := local(leader.Epoch); ours >= 0 {
		to = min(to, ours)
	}
	return max(to, 0)
}
