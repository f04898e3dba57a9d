package replication

import (
	"fmt"
	"slices"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// ReadRequest is one partition of a fetch.
type ReadRequest struct {
	Offset   record.Offset
	MaxBytes int
	// Room, if given, is memory for the ranges that are found.
	Room []storage.Range
	// MinOneBatch returns the first batch even if it is larger than MaxBytes (KIP-74).
	MinOneBatch bool
	// UpTo bounds the read: AtHighWatermark for consumers, AtLastStable for read_committed ones, AtLogEnd for followers.
	UpTo Mark
	// CurrentEpoch is the leader epoch the reader believes in, or record.NoEpoch.
	CurrentEpoch record.Epoch
	// LastFetchedEpoch is the epoch of the last batch the reader has, or record.NoEpoch: where it does
	// not match this log, the result says where to truncate to (KIP-595).
	LastFetchedEpoch record.Epoch
	// AnyReplica lets a follower answer (KIP-392).
	AnyReplica bool
	// Follower is set for a replica's fetch: its progress counts.
	Follower *FollowerFetch
}

// FollowerFetch is who replicates, under which registration (0: it doesn't say), and from where on it keeps records.
type FollowerFetch struct {
	Member     metadata.Member
	Registered metadata.Revision
	LogStart   record.Offset
}

// EpochEnd is the end offset of a leader epoch.
type EpochEnd struct {
	Epoch record.Epoch
	End   record.Offset
}

// ReadResult is what a read found. The caller releases Span.
type ReadResult struct {
	Span          storage.Span
	HighWatermark record.Offset
	LastStable    record.Offset
	LogStart      record.Offset
	LogEnd        record.Offset
	// Diverging, if Diverges, is where the reader's log and this one part; Span is empty then.
	Diverging EpochEnd
	Diverges  bool
}

// Read finds records. The offsets of the result are those before the read, so that an append that comes
// in meanwhile keeps no follower out of the in-sync set; they are filled in for ErrOffsetOutOfRange too.
func (p *Partition) Read(req ReadRequest) (ReadResult, error) {
	v := p.view.Load()
	log, err := v.serving(req.CurrentEpoch, req.AnyReplica && req.Follower == nil)
	if err != nil {
		return ReadResult{}, err
	}
	if req.Follower != nil && !p.isReplica(v, log, req.Follower.Member) {
		return ReadResult{}, unknownReplica(req)
	}
	result := ReadResult{
		HighWatermark: log.HighWatermark(),
		LastStable:    log.LastStableOffset(),
		LogStart:      log.StartOffset(),
		LogEnd:        log.EndOffset(),
	}
	if done, err := diverges(log, v, req, &result); done || err != nil {
		return result, err
	}
	end := marks{highWatermark: result.HighWatermark, lastStable: result.LastStable, logEnd: result.LogEnd}.at(req.UpTo)
	if req.Offset < result.LogStart || req.Offset > result.LogEnd {
		return result, outOfRange(p, req.Offset, result)
	}
	if req.Offset < end {
		result.Span, err = log.Read(req.Offset, storage.ReadOptions{
			MaxBytes: req.MaxBytes, MinOneBatch: req.MinOneBatch, UpTo: end, Room: req.Room,
		})
	}
	if err != nil {
		return result, failed(err)
	}
	if req.Follower != nil {
		p.followed(v, *req.Follower, req.Offset, result.LogEnd)
	}
	return result, nil
}

func outOfRange(p *Partition, at record.Offset, r ReadResult) error {
	return fmt.Errorf("%s: offset %d, have [%d, %d): %w", p.name, at, r.LogStart, r.LogEnd, ErrOffsetOutOfRange)
}

// diverges checks the reader's last epoch against this log's history. Where that knows nothing of it, for the log begins in a
// later one, a follower's records below the start may be anything: it is told that the logs part there, even if it ends just
// there, and does not count before it comes back without them.
func diverges(log *storage.Log, v *view, req ReadRequest, result *ReadResult) (bool, error) {
	if req.LastFetchedEpoch == record.NoEpoch {
		return false, nil
	}
	epoch, end := epochEnd(log, v, req.LastFetchedEpoch)
	result.LogStart = log.StartOffset() // after that: what is told was forgotten before the start had moved
	switch {
	case epoch == record.NoEpoch || end < 0 || req.Offset < result.LogStart:
		return false, fmt.Errorf("epoch %d at offset %d: %w", req.LastFetchedEpoch, req.Offset, ErrOffsetOutOfRange)
	case req.Follower != nil && log.EpochAt(result.LogStart) > req.LastFetchedEpoch:
		result.Diverging, result.Diverges = EpochEnd{req.LastFetchedEpoch, result.LogStart}, true
	case epoch < req.LastFetchedEpoch || end < req.Offset:
		result.Diverging, result.Diverges = EpochEnd{epoch, end}, true
	}
	return result.Diverges, nil
}

// epochEnd is where an epoch, or the last one before it, ends; a leader's own ends at its log end.
func epochEnd(log *storage.Log, v *view, epoch record.Epoch) (record.Epoch, record.Offset) {
	if v.role == Leading && epoch == v.epoch {
		return epoch, log.EndOffset()
	}
	return log.EpochEnd(epoch)
}

// isReplica tells whether somebody copies this partition: another replica, or the successor of this one.
func (p *Partition) isReplica(v *view, log *storage.Log, m metadata.Member) bool {
	own := metadata.Member{Broker: p.local.broker, Store: log.Directory().ID()}
	return slices.Contains(v.replicas, m.Broker) && (m.Broker != own.Broker || isTwin(m, own))
}

// unknownReplica is the answer to a fetch by a broker that is no replica as far as this one knows: one that
// names an epoch is told to wait for the news, an older kind to look again for the leader.
func unknownReplica(req ReadRequest) error {
	if req.CurrentEpoch != record.NoEpoch {
		return fmt.Errorf("broker %d is not a replica here: %w", req.Follower.Member.Broker, ErrUnknownEpoch)
	}
	return fmt.Errorf("broker %d is not a replica here: %w", req.Follower.Member.Broker, ErrNotLeader)
}

// followed counts a follower's fetch and moves the high watermark where that allows it.
func (p *Partition) followed(v *view, who FollowerFetch, from, leaderEnd record.Offset) {
	p.mu.Lock()
	var woken calls
	now := p.view.Load() // the set may have changed since, which makes no difference to what the follower has
	if now.role == Leading && now.topic == v.topic && now.epoch == v.epoch && now.log == v.log {
		woken = p.progressed(now, who, from, leaderEnd)
	}
	p.mu.Unlock()
	woken.make()
}

// namesOther tells whether the in-sync set, as it was written since a replica's broker registered, names another directory of that
// broker for it: the broker says itself which of them is the replica (Exchange). A fetch from before it moved does not, whatever has
// become of the new directory since, and who leads only since then knows nothing of the move. What the set names and nobody fetches
// into leaves the set, and then the other joins as any would.
func (p *Partition) namesOther(v *view, f *Follower) bool {
	i := slices.IndexFunc(v.inSync.Committed, func(m metadata.Member) bool { return m.Broker == f.Member.Broker })
	if i < 0 || v.inSync.Committed[i].Store.IsZero() || v.inSync.Committed[i] == f.Member {
		return false
	}
	return v.modified > f.Since && !p.local.successor(f.Member)
}

// progressed is followed's part under mu.
func (p *Partition) progressed(v *view, who FollowerFetch, from, leaderEnd record.Offset) calls {
	if slices.ContainsFunc(p.followers, func(f Follower) bool { return f.hasLeft(who) }) {
		return nil
	}
	f := p.rowOf(who.Member)
	if f == nil {
		return nil
	}
	f.fetched(Position{
		Offset: from, LogStart: who.LogStart, LeaderEnd: leaderEnd, At: p.local.clock(),
	}, who.Registered, v.inSync)
	if next := expanded(p.replicasNow(v), *f); next != nil && !p.namesOther(v, f) {
		proposal := p.proposal(v, next)
		proposal.Registered = f.Registered
		p.proposeISR(v, proposal)
		v = p.view.Load()
	}
	return p.advance(v)
}
