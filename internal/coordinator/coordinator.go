// Package coordinator runs replicated state machines: one shard for each partition of an internal
// topic such as __consumer_offsets, whose log is the machine's only durable form.
//
// A request becomes a Command. On its shard, one command after another, it reads the machine's state
// and yields an Outcome: records and replies. The records are appended to the partition's log, only
// then applied to the state, and the replies leave when the high watermark has passed everything that the
// command could have seen. So a refused append needs no undo, and no answer tells of a change that
// a failover could take back. The room knows nothing of groups or transactions; the rooms above it
// bring their machines.
//
// A shard's state is touched by one goroutine at a time, which is lent to it while there is work: a
// shard without any costs its struct, and a few goroutines stay for all of them (crew). Timers are the machine's own heap; the shard keeps one
// runtime timer for the earliest of them.
package coordinator

import (
	"errors"
	"time"

	"barnabas/internal/record"
)

// Why a command was not carried out. The rooms above map them to protocol errors.
var (
	// ErrNotCoordinator says that this broker does not lead the shard's partition, or no longer.
	ErrNotCoordinator = errors.New("not the coordinator of this partition")
	// ErrLoading says that the shard is still reading its log.
	ErrLoading = errors.New("the coordinator is loading this partition")
	// ErrTimeout says that the records were appended but not committed in time: they may be yet.
	ErrTimeout = errors.New("the coordinator's records were not committed in time")
	// ErrQueueFull says that Options.QueueLimit commands of the shard wait already.
	ErrQueueFull = errors.New("the coordinator's queue is full")
	// ErrNotEnoughReplicas is a Log's refusal to append while the in-sync set is too small.
	ErrNotEnoughReplicas = errors.New("too few in-sync replicas for the coordinator's records")
	// ErrTooLarge is a Log's refusal of a batch over the topic's max.message.bytes.
	ErrTooLarge = errors.New("the coordinator's records are too large")
	// ErrStorage is a Log's answer while its directory is offline.
	ErrStorage = errors.New("the coordinator's log directory is offline")
)

// Log is what a shard needs of the partition that it leads. Its methods are called by one goroutine at
// a time.
type Log interface {
	// Append writes one batch as the leader of the epoch that the shard was loaded with. It returns
	// the offset after the batch: the batch is committed when the high watermark reaches it. An error
	// means that nothing was written: ErrNotCoordinator (the leadership is lost),
	// ErrNotEnoughReplicas, ErrTooLarge, ErrStorage, or another.
	Append(batch []byte) (record.Offset, error)
	// Read copies whole batches starting at or after from into a buffer of about maxBytes, at least
	// one batch if there is any. An empty answer means the end of the log.
	Read(from record.Offset, maxBytes int) ([]byte, error)
	// StartOffset is where reading begins.
	StartOffset() record.Offset
	// EndOffset is the offset after the last record of the log.
	EndOffset() record.Offset
	// HighWatermark is the offset below which every record is committed.
	HighWatermark() record.Offset
	// Watch has wake called, once, when the high watermark may have reached end or can't any more.
	// wake does not block; it may be called in vain, and after stop.
	Watch(end record.Offset, wake func()) (stop func())
}

// Record is a record of a coordinator's log. A nil Value is a tombstone: compaction drops the key.
type Record struct {
	Key, Value []byte
}

// Machine is the state of one shard: pure, with time as an argument, no locks and no I/O.
// Its methods and commands run one at a time.
type Machine interface {
	// Replay applies one record: of the log while loading, of an Outcome once it is appended.
	// It must not fail: what it can't read it logs and passes over. The bytes are valid during the call.
	Replay(Record)
	// Loaded is called once, after the last Replay of loading.
	Loaded(now time.Time)
	// Deadline is when Tick is due; the zero time means never.
	Deadline() time.Time
	// Tick carries out one timer that is due, and moves Deadline on.
	Tick(now time.Time) Outcome
	// Unloaded answers everything that waits inside of the machine with err; the machine is not used again.
	Unloaded(err error)
}

// Outcome is what a command did.
type Outcome struct {
	// Records are appended as one batch, all or none. They may share it with records of other keys.
	Records []Record
	// Applied is called instead of Replay for the Records, with nil when they are in the log and
	// with the error when they were refused. It runs before the next command of the same Key.
	Applied func(err error)
	// Replies are called when the log is committed up to and including the Records, with nil,
	// or with why that will not be. They must not block, and must not touch the machine.
	Replies []func(err error)
}

// Command is one request to a shard.
type Command[M Machine] struct {
	// Key names the part of the state that Run reads and writes, such as the group. Commands of
	// different keys may share a batch; the empty key stands for the whole state.
	Key string
	// Run reads the state and says what to do. It may change only what no record holds.
	Run func(m M, now time.Time) Outcome
	// Fail is called instead of Run when the command can't be carried out.
	Fail func(err error)
}
