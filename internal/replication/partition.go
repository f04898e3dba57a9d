package replication

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// Role is what this broker is to a partition.
type Role uint8

const (
	// Following copies from the leader, or waits for one to be elected.
	Following Role = iota
	// Leading takes appends.
	Leading
)

// Partition is one replica that this broker holds.
//
// Invariants: the view is replaced under mu only; appends happen under mu, with the leader epoch of the
// view; the high watermark never moves back while leading; watches of a role end with it.
type Partition struct {
	name  ident.TopicPartition
	local *local // what all partitions of this broker share
	view  atomic.Pointer[view]

	mu        sync.Mutex
	watches   watches       // guarded by mu
	followers []Follower    // guarded by mu; nil unless leading more than one replica
	asked     record.Offset // guarded by mu: the ceiling that has been proposed and not heard of, or 0
	future    *future       // guarded by mu; nil unless the replica is being moved to another log directory
	// onSynced is syncedMore, made once; guarded by mu, nil before it is needed.
	onSynced func()
	// wish is where the replica is to be moved next, nil for nowhere; guarded by mu.
	wish *storage.Directory
}

// view is what a partition is at one moment. It is immutable: readers load it without a lock.
type view struct {
	role           Role
	topic          ident.TopicID
	log            *storage.Log // nil when the replica has none: its directory is offline
	replicas       []ident.BrokerID
	leader         ident.BrokerID
	adding         []ident.BrokerID // those that a reassignment brings
	leaderStore    ident.StoreID    // as the in-sync set names it; zero while nobody knows
	epoch          record.Epoch
	partitionEpoch int32
	modified       metadata.Revision // of the state in the metadata store
	named          record.Epoch      // the last election of a copy that may lack records began it
	epochStart     record.Offset     // the log end when this broker's leadership began
	inSync         InSync
	eligible       []metadata.Member // beside the in-sync set (KIP-966)
	ceiling        record.Offset     // offsets from here on may not be assigned
	minISR         int               // effective
	throttled      Throttled
	unfit          bool // the disk did not let it take its role: it neither leads nor copies before it is asked anew
	nameless       bool // the log may be another topic's of this name: it is begun anew when the leader answers
	doubtful       bool // it would lead, but its directory is torn: it does once that is settled, and it is asked anew
}

// State is a picture of a partition for those who report on it.
type State struct {
	Role           Role
	Online         bool // false while its log directory is offline
	TopicID        ident.TopicID
	Leader         ident.BrokerID
	LeaderEpoch    record.Epoch
	PartitionEpoch int32
	Replicas       int
	InSync         int
	MinISR         int // effective
	HighWatermark  record.Offset
	LastStable     record.Offset
	LogStart       record.Offset
	LogEnd         record.Offset
	Ceiling        record.Offset
	Size           int64 // bytes of records on disk
	Segments       int
}

// UnderReplicated reports whether a led partition misses a replica from its in-sync set.
func (s State) UnderReplicated() bool { return s.Role == Leading && s.InSync < s.Replicas }

// UnderMinISR reports whether a led partition refuses acks=all.
func (s State) UnderMinISR() bool { return s.Role == Leading && s.InSync < s.MinISR }

func newPartition(name ident.TopicPartition, local *local) *Partition {
	p := &Partition{name: name, local: local}
	p.view.Store(&view{epoch: record.NoEpoch, partitionEpoch: -1, leader: ident.NoBroker})
	return p
}

// Name is the partition's topic and number.
func (p *Partition) Name() ident.TopicPartition { return p.name }

// Log is the replica's log, or nil while its directory is offline.
func (p *Partition) Log() *storage.Log { return p.view.Load().log }

// State takes a picture.
func (p *Partition) State() State {
	v := p.view.Load()
	s := State{
		Role: v.role, Online: v.online(), TopicID: v.topic, Leader: v.leader, LeaderEpoch: v.epoch,
		PartitionEpoch: v.partitionEpoch, Replicas: len(v.replicas), InSync: len(v.inSync.Committed),
		MinISR: v.minISR, Ceiling: v.ceiling,
	}
	if v.log != nil {
		s.HighWatermark, s.LogStart, s.LogEnd = v.log.HighWatermark(), v.log.StartOffset(), v.log.EndOffset()
		s.LastStable, s.Size, s.Segments = v.log.LastStableOffset(), v.log.Size(), v.log.Segments()
	}
	return s
}

// IsLeader reports whether this broker leads the partition now, and in which epoch.
func (p *Partition) IsLeader() (record.Epoch, bool) {
	v := p.view.Load()
	return v.epoch, v.role == Leading
}

// checkEpoch compares the leader epoch that a request names (record.NoEpoch: none) with this broker's (KIP-320).
func (v *view) checkEpoch(requested record.Epoch) error {
	switch {
	case requested == record.NoEpoch || requested == v.epoch:
		return nil
	case requested < v.epoch:
		return fmt.Errorf("%w: %d before %d", ErrFencedEpoch, requested, v.epoch)
	default:
		return fmt.Errorf("%w: %d after %d", ErrUnknownEpoch, requested, v.epoch)
	}
}

// serving is the log to read from: the epoch must be right, the directory online, and,
// unless any replica will do, this broker the leader.
func (v *view) serving(epoch record.Epoch, anyReplica bool) (*storage.Log, error) {
	if !v.online() {
		return nil, ErrStorage
	}
	if err := v.checkEpoch(epoch); err != nil {
		return nil, err
	}
	if v.role != Leading && !anyReplica {
		return nil, ErrNotLeader
	}
	if v.role == Leading && v.torn() {
		return nil, ErrStorage
	}
	return v.log, nil
}

// online reports whether the replica has a log in a directory that works.
func (v *view) online() bool { return v.log != nil && v.log.Directory().Err() == nil }

// torn reports whether the end of the log may be missing and the cluster does not know yet: the epochs in which this
// broker leads by its store are over.
func (v *view) torn() bool { return v.log.Directory().Torn() }

// replicasNow is the decision cores' picture of a led partition. The caller holds mu.
func (p *Partition) replicasNow(v *view) Replicas {
	return Replicas{
		Leader:        metadata.Member{Broker: p.local.broker, Store: v.log.Directory().ID()},
		LogEnd:        v.log.EndOffset(),
		Synced:        p.synced(v.log),
		HighWatermark: v.log.HighWatermark(),
		EpochStart:    v.epochStart,
		InSync:        v.inSync,
		Eligible:      v.eligible,
		Followers:     p.followers,
		MinISR:        v.minISR,
		MaxLag:        p.local.maxLag,
	}
}

// advance moves the high watermark as far as it is safe and wakes who waits for that. The caller
// holds mu, and makes the calls once it has let go.
func (p *Partition) advance(v *view) calls {
	var now time.Time
	p.syncSoon(v.log)
	if len(p.followers) > 0 { // else nobody's lag is asked for, and every append would read the clock
		now = p.local.clock()
	}
	if !p.local.held.Load() && !v.torn() && (p.future == nil || !p.future.broken) {
		if next := nextHighWatermark(p.replicasNow(v), now); next > v.log.HighWatermark() {
			v.log.SetHighWatermark(next)
		}
	}
	if len(p.watches) == 0 {
		return nil
	}
	return p.watches.passed(p.marks(v.log))
}

// marks are all marks of a replica. The caller holds mu.
func (p *Partition) marks(log *storage.Log) marks {
	m := marksOf(log)
	m.synced = p.synced(log)
	return m
}

// marksOf are the marks by which a log is read. A follower has nothing to acknowledge: who waits for its disk looks again.
func marksOf(log *storage.Log) marks {
	return marks{
		highWatermark: log.HighWatermark(),
		lastStable:    log.LastStableOffset(),
		logEnd:        log.EndOffset(),
		synced:        log.EndOffset(),
	}
}

// Watch leaves a waiter that wakes when the mark stands beyond an offset, or the partition's role changes. It
// fires once; a mark that stands there already wakes it at once.
func (p *Partition) Watch(w *Waiter, mark Mark, after record.Offset) {
	p.mu.Lock()
	v := p.view.Load()
	// A replica whose directory is offline gets no progress to wake for: look again, and be refused.
	due := !v.online() || p.marks(v.log).at(mark) > after
	if !due {
		p.watches = append(p.watches, watch{waiter: w, mark: mark, after: after})
	}
	p.mu.Unlock()
	if due {
		w.Wake()
	}
}

// Unwatch takes back whatever the waiter has left with this partition.
func (p *Partition) Unwatch(w *Waiter) {
	p.mu.Lock()
	p.watches.drop(w)
	p.mu.Unlock()
}

// local is what all partitions of a broker share: who it is and its settings.
type local struct {
	broker  ident.BrokerID
	store   *storage.Store
	maxLag  time.Duration
	clock   func() time.Time
	propose func(Proposal)
	// succeeds says that this process stands beside the one that is registered under its id, and copies from that.
	succeeds atomic.Bool
	// held says that no high watermark moves by what this broker decides yet; see [Manager.Release].
	held atomic.Bool
	// successor finds the store of a successor among the brokers registered.
	successor func(metadata.Member) bool
	// eligible says whether a replica may be in sync: its store is registered, and not leaving.
	eligible eligibility
}
