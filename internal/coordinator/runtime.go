package coordinator

import (
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/record"
)

// Options are what a Runtime is made of. Zero values of the bounds mean the defaults.
type Options[M Machine] struct {
	// Topic names the internal topic in log lines.
	Topic string
	// Machine makes the empty state of a partition.
	Machine func(partition int32) M
	Logger  *slog.Logger
	// QueueLimit bounds the commands of one shard that wait to run or to be committed: default 10,000.
	QueueLimit int
	// LoadBufferBytes is how much of a log is read at a time (offsets.load.buffer.size): default 5 MiB.
	LoadBufferBytes int
	// CommitTimeout bounds the wait for the high watermark (offsets.commit.timeout.ms): default 5 s.
	CommitTimeout time.Duration
	// Codec compresses the batches (offsets.topic.compression.codec); the zero value does not.
	Codec record.Codec
	// Stage is what the shards run on: the zero value is the process.
	Stage Stage
}

// Stage is what shards run on, for a simulator that does one thing after another. What is nil is time.Now, a goroutine and
// time.AfterFunc.
type Stage struct {
	Now func() time.Time
	// Go has run called soon, and not by its caller, who may hold a lock.
	Go        func(run func())
	AfterFunc func(d time.Duration, do func()) Timer
}

// Timer is a *time.Timer, or stands for one.
type Timer interface {
	Stop() bool
	Reset(d time.Duration) bool
}

const (
	defaultQueueLimit      = 10_000
	defaultLoadBufferBytes = 5 << 20
	defaultCommitTimeout   = 5 * time.Second
	// maxLoaders bounds how many shards load at once, each with a buffer.
	maxLoaders = 4
)

func (o *Options[M]) setDefaults() {
	if o.QueueLimit <= 0 {
		o.QueueLimit = defaultQueueLimit
	}
	if o.LoadBufferBytes <= 0 {
		o.LoadBufferBytes = defaultLoadBufferBytes
	}
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = defaultCommitTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Stage.Now == nil {
		o.Stage.Now = time.Now
	}
	if o.Stage.AfterFunc == nil {
		o.Stage.AfterFunc = func(d time.Duration, do func()) Timer { return time.AfterFunc(d, do) }
	}
}

func (r *Runtime[M]) now() time.Time { return r.options.Stage.Now() }

// Runtime holds the shards of one internal topic that this broker leads. It owns their goroutines,
// which Close waits for.
type Runtime[M Machine] struct {
	options Options[M]
	crew    *crew
	loaders chan struct{} // a place for each shard that is loading
	running sync.WaitGroup

	mu     sync.RWMutex // guards what follows; never held while a shard's is wanted
	shards map[int32]*shard[M]
	closed bool
}

// New returns a Runtime without shards.
func New[M Machine](options Options[M]) *Runtime[M] {
	options.setDefaults()
	crew := newCrew()
	if options.Stage.Go == nil {
		options.Stage.Go = crew.run
	}
	return &Runtime[M]{
		options: options,
		crew:    crew,
		loaders: make(chan struct{}, maxLoaders),
		shards:  map[int32]*shard[M]{},
	}
}

// Load makes this broker the coordinator of a partition that it leads in the given epoch. It returns at
// once: commands are answered ErrLoading until the log is read. A shard of an older epoch is
// unloaded; the same or a newer one stays.
func (r *Runtime[M]) Load(partition int32, epoch record.Epoch, log Log) {
	r.mu.Lock()
	old := r.shards[partition]
	if r.closed || old != nil && old.epoch >= epoch {
		r.mu.Unlock()
		return
	}
	s := newShard(r, partition, epoch, log)
	r.shards[partition] = s
	r.mu.Unlock()
	if old != nil {
		old.stop()
	}
	s.wake()
}

// Unload ends a shard whose leadership ended with the given epoch: what waits in it is answered
// ErrNotCoordinator. A shard of a newer epoch stays.
func (r *Runtime[M]) Unload(partition int32, epoch record.Epoch) {
	r.mu.Lock()
	s := r.shards[partition]
	if s == nil || s.epoch > epoch {
		r.mu.Unlock()
		return
	}
	delete(r.shards, partition)
	r.mu.Unlock()
	s.stop()
}

// Submit hands a command to a partition's shard and returns; the command runs later, or its Fail is
// called, here or later.
func (r *Runtime[M]) Submit(partition int32, c Command[M]) {
	r.mu.RLock()
	s := r.shards[partition]
	r.mu.RUnlock()
	if s == nil {
		c.Fail(ErrNotCoordinator)
		return
	}
	if err := s.submit(c); err != nil {
		c.Fail(err)
	}
}

// Partitions lists the partitions of all shards, loading ones too, in no order.
func (r *Runtime[M]) Partitions() []int32 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	partitions := make([]int32, 0, len(r.shards))
	for p := range r.shards {
		partitions = append(partitions, p)
	}
	return partitions
}

// Leads reports whether the partition has a shard, loaded or loading.
func (r *Runtime[M]) Leads(partition int32) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.shards[partition] != nil
}

// Close unloads all shards and waits until their goroutines have ended.
func (r *Runtime[M]) Close() {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	shards := r.shards
	r.shards = map[int32]*shard[M]{}
	r.mu.Unlock()
	for _, s := range shards {
		s.stop()
	}
	r.running.Wait()
	if !again {
		r.crew.dismiss()
	}
}
