package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// Log is one partition's records on one log directory.
//
// Invariants: segments are sorted by base and there is always one, the last of which is appended to;
// StartOffset <= HighWatermark <= EndOffset; recoveryPoint <= EndOffset; every batch in
// [0, size) of a segment is whole. EndOffset is published after the bytes below it are written.
type Log struct {
	store *Store
	dir   *Directory
	tp    ident.TopicPartition
	id    atomic.Pointer[ident.TopicID] // shared by logs of the same topic; zero until Claim where the metadata file was lost

	// where is the log's directory, nil for the one that bears the partition's name; it changes when the log is deleted.
	where         atomic.Pointer[string]
	config        atomic.Pointer[LogConfig] // shared by all logs with the same settings
	segments      atomic.Pointer[[]*segment]
	epochs        atomic.Pointer[leaderEpochs]
	start         atomic.Int64
	end           atomic.Int64
	highWatermark atomic.Int64
	ceiling       atomic.Int64
	recoveryPoint atomic.Int64 // below it everything is synced
	synced        atomic.Int64 // below it the records are; not below the recovery point, to which indexes are synced too
	// certain is where the segment that is appended to begins, while its name may not be on the disk and what was cut off
	// before it may come back: no checkpoint file says more of the log. MaxInt64 else (truncate.go).
	certain       atomic.Int64
	firstUnstable atomic.Int64 // where the first undecided transaction begins, MaxInt64 for none
	cutTo         atomic.Int64 // the lowest offset that the end moved down to since the cleaner looked, MaxInt64 for none
	truncations   atomic.Int64 // moves before the end moves down and after: what spans one proves nothing
	closed        atomic.Bool
	boundaries    boundaries
	saved         [checkpointKinds]int64 // what the checkpoint files say, -1 for nothing, or unknownOffset; guarded by dir.mu

	// mu is held by whoever changes the log. It is taken for file operations that don't wait for the
	// disk, never for a sync.
	mu        sync.Mutex
	producers *producerTable
	bare      bool  // the log has no files yet (bare.go)
	unwritten bool  // the file of epochs lacks the last one, of which the log has no record yet
	unsynced  bool  // the directory's entries or its small files changed since they were synced
	unnamed   bool  // the name of the segment that is appended to may not be on the disk
	cuts      int   // truncations under way: the recovery point stays where they have put it
	flushedMs int64 // when the log was last synced
	// turn ends when flushing does: one sync at a time, for an error of the disk is told once, and another sync of the same
	// file that runs beside it would be told that all is well.
	turn     sync.Cond
	flushing bool // a sync is under way

	wanted   syncWant // guarded by the directory's syncing.mu
	jitterMs int64    // what the next roll by time is early by
}

// unknownOffset stands for what a checkpoint file may or may not say of a log until it's written again.
const unknownOffset = -2

func newLog(d *Directory, tp ident.TopicPartition, id ident.TopicID, path string, c LogConfig) *Log {
	l := &Log{
		store:     d.store,
		dir:       d,
		tp:        tp,
		producers: newProducerTable(d.store.producerIDExpirationMs.Load()),
		flushedMs: d.store.nowMs(),
	}
	l.turn.L = &l.mu
	l.id.Store(d.store.sharedID(id))
	l.moveTo(path)
	l.config.Store(d.store.shared(c))
	l.segments.Store(new([]*segment))
	l.epochs.Store(new(leaderEpochs))
	l.ceiling.Store(math.MaxInt64)
	l.firstUnstable.Store(math.MaxInt64)
	l.certain.Store(math.MaxInt64)
	l.cutTo.Store(math.MaxInt64)
	l.jitterMs = jitter(c.SegmentJitterMs)
	for kind := range l.saved {
		l.saved[kind] = unknownOffset
	}
	return l
}

// String is topic-partition.
func (l *Log) String() string { return l.tp.String() }

// TopicPartition names the log.
func (l *Log) TopicPartition() ident.TopicPartition { return l.tp }

// TopicID is the id of the topic for which the log was made; zero, until Claim, if its metadata file was lost, or not made yet
// when the process before was killed.
func (l *Log) TopicID() ident.TopicID { return *l.id.Load() }

// Claim has a log that does not know its topic say again which one it is of: its metadata file was lost in a crash of the machine, or
// it never had one, for it is bare, and makes it with its first record. One that knows its topic is not changed. Errors: ErrStorage,
// ErrDeleted.
func (l *Log) Claim(id ident.TopicID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.TopicID().IsZero() || id.IsZero() {
		return nil
	}
	if l.bare {
		l.id.Store(l.store.sharedID(id))
		return nil
	}
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.writeTopicID(id, false); err != nil {
		return l.failed("write the topic's id", err)
	}
	l.id.Store(l.store.sharedID(id))
	l.unsynced = true
	l.store.flusher.add(l)
	return nil
}

// Directory is where the log is.
func (l *Log) Directory() *Directory { return l.dir }

// StartOffset is the first offset that may be read.
func (l *Log) StartOffset() record.Offset { return record.Offset(l.start.Load()) }

// EndOffset is the offset that the next record gets.
func (l *Log) EndOffset() record.Offset { return record.Offset(l.end.Load()) }

// HighWatermark is the offset below which records are committed, as last set; after a start it is what
// the last checkpoint said.
func (l *Log) HighWatermark() record.Offset { return record.Offset(l.highWatermark.Load()) }

// SetHighWatermark moves the high watermark; it is kept within [StartOffset, EndOffset].
func (l *Log) SetHighWatermark(o record.Offset) {
	o = max(min(o, l.EndOffset()), l.StartOffset())
	l.highWatermark.Store(int64(o))
	if l.firstUnstable.Load() == math.MaxInt64 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.producers.onHighWatermark(o)
	l.publishUnstable()
}

// publishUnstable makes LastStableOffset see the producers' transactions. The caller holds mu.
func (l *Log) publishUnstable() {
	first, ok := l.producers.firstUnstable()
	if !ok {
		first = math.MaxInt64
	}
	l.firstUnstable.Store(int64(first))
}

// LastStableOffset is the offset below which all transactions are decided; it never exceeds the high
// watermark.
func (l *Log) LastStableOffset() record.Offset {
	// The high watermark first: it never passes a transaction that was not published as unstable
	// before.
	highWatermark := l.HighWatermark()
	return max(l.StartOffset(), min(record.Offset(l.firstUnstable.Load()), highWatermark))
}

// Producers are the idempotent producers that the log knows.
func (l *Log) Producers() []ProducerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producers.states()
}

// SetCeiling bounds the offsets that Append may assign: all stay below it (ADR 3). Followers
// are not bound.
func (l *Log) SetCeiling(o record.Offset) { l.ceiling.Store(int64(o)) }

// Ceiling is what SetCeiling set; MaxInt64 before.
func (l *Log) Ceiling() record.Offset { return record.Offset(l.ceiling.Load()) }

// Config is the settings that the log obeys.
func (l *Log) Config() LogConfig { return *l.config.Load() }

// SyncOnAck is whether fsync.on.ack is set.
func (l *Log) SyncOnAck() bool { return l.config.Load().SyncOnAck }

// SetConfig replaces the settings.
func (l *Log) SetConfig(c LogConfig) {
	if c == *l.config.Load() {
		return
	}
	l.config.Store(l.store.shared(c))
}

// Size is the bytes of the log's segments, without their indexes.
func (l *Log) Size() int64 {
	var size int64
	for _, s := range l.list() {
		size += s.size.Load()
	}
	return size
}

// Segments is the number of segments.
func (l *Log) Segments() int { return len(l.list()) }

// LatestEpoch is the epoch of the last leader known to the log; NoEpoch for none.
func (l *Log) LatestEpoch() record.Epoch { return l.epochs.Load().latest() }

// EpochEnd answers OffsetForLeaderEpoch (KIP-101, KIP-320): the largest epoch known that is not
// larger than the one asked for, and the offset at which it ended. (NoEpoch, -1) when the epoch is
// unknown.
func (l *Log) EpochEnd(epoch record.Epoch) (record.Epoch, record.Offset) {
	return l.epochs.Load().end(epoch, l.EndOffset())
}

// EpochAt is the epoch of the record at an offset; NoEpoch if that isn't known.
func (l *Log) EpochAt(o record.Offset) record.Epoch { return l.epochs.Load().at(o) }

// SetEpoch notes that a leader's epoch begins at offset start. One that begins at the end is on the disk before its first
// record is: of an epoch without records nobody needs to know after a restart, and a broker that becomes the leader of
// 10,000 partitions need not write as many files. ErrInvalidEpoch if the log knows a later one; ErrStorage.
func (l *Log) SetEpoch(epoch record.Epoch, start record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if latest := l.LatestEpoch(); epoch < latest {
		return fmt.Errorf("%s: epoch %d after %d: %w", l, epoch, latest, ErrInvalidEpoch)
	}
	old := *l.epochs.Load()
	es := old.assign(epoch, start)
	if start == l.EndOffset() && !slices.Equal(old, es) {
		l.epochs.Store(&es)
		l.unwritten = true
		return nil
	}
	return l.failed("write leader epochs", l.setEpochs(es))
}

// setEpochs publishes the epochs and, if they are others, writes them. The caller holds mu.
func (l *Log) setEpochs(es leaderEpochs) error {
	old := *l.epochs.Load()
	if slices.Equal(old, es) {
		return nil
	}
	l.epochs.Store(&es)
	if l.bare {
		l.unwritten = len(es) > 0
		return nil
	}
	return l.writeEpochs()
}

// writeEpochs writes the epochs. The caller holds mu.
func (l *Log) writeEpochs() error {
	l.unwritten, l.unsynced = false, true
	return vfs.ReplaceFile(l.store.fs, filepath.Join(l.path(), leaderEpochsName), l.epochs.Load().encode())
}

func (l *Log) path() string {
	if where := l.where.Load(); where != nil {
		return *where
	}
	return l.dir.pathOf(l.tp)
}

// moveTo notes where the log's directory is now.
func (l *Log) moveTo(path string) {
	if path == l.dir.pathOf(l.tp) {
		l.where.Store(nil) // of 10,000 logs none keeps a path that can be told
		return
	}
	l.where.Store(&path)
}

// pathOf is the directory of a partition's log here.
func (d *Directory) pathOf(tp ident.TopicPartition) string {
	return d.path + string(filepath.Separator) + tp.String()
}

// list is the segments as of now. It never changes: a change publishes another.
func (l *Log) list() []*segment { return *l.segments.Load() }

// active is the segment that is appended to.
func (l *Log) active() *segment {
	list := l.list()
	return list[len(list)-1]
}

// setList publishes the segments. The caller holds mu.
func (l *Log) setList(list []*segment) { l.segments.Store(&list) }

// segmentAt is the index of the segment in which an offset lies, -1 if it's before the first.
func segmentAt(list []*segment, o record.Offset) int {
	low, high := 0, len(list)
	for low < high {
		mid := (low + high) / 2
		if list[mid].base <= o {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low - 1
}

// usable returns why the log can't be used, or nil.
func (l *Log) usable() error {
	if l.closed.Load() {
		return fmt.Errorf("%s: %w", l, ErrDeleted)
	}
	if err := l.dir.Err(); err != nil {
		return fmt.Errorf("%s: %w", l, err)
	}
	return nil
}

// failed turns an I/O error into ErrStorage and takes the directory offline. Errors that say
// nothing about the disk pass.
func (l *Log) failed(operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrStorage) || errors.Is(err, ErrDeleted):
		return err
	case l.closed.Load() && errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", l, ErrDeleted)
	case isBadBatch(err):
		return fmt.Errorf("%s: %s: %w: %w", l, operation, ErrCorruptMessage, err)
	}
	return l.dir.fail(fmt.Errorf("%s: %s: %w", l, operation, err))
}
