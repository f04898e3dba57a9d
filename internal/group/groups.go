package group

import (
	"log/slog"
	"math"
	"sync"
	"time"
	"unicode/utf16"

	"barnabas/internal/coordinator"
	"barnabas/internal/record"
)

// Topic is the internal topic that holds groups and offsets.
const Topic = "__consumer_offsets"

// Config are the settings of groups and offsets. Their defaults are those of the settings table.
type Config struct {
	MinSessionTimeout     time.Duration // group.min.session.timeout.ms
	MaxSessionTimeout     time.Duration // group.max.session.timeout.ms
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MaxSize               int           // group.max.size

	OffsetsRetention     time.Duration // offsets.retention.minutes
	OffsetsCheckInterval time.Duration // offsets.retention.check.interval.ms
	OffsetMetadataMax    int           // offset.metadata.max.bytes, in UTF-16 units as Kafka counts
	CommitTimeout        time.Duration // offsets.commit.timeout.ms
	LoadBufferBytes      int           // offsets.load.buffer.size
	QueueLimit           int           // commands that may wait for one partition of Topic
	Codec                record.Codec  // offsets.topic.compression.codec
}

// DefaultConfig returns Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		MinSessionTimeout:     6 * time.Second,
		MaxSessionTimeout:     30 * time.Minute,
		InitialRebalanceDelay: 3 * time.Second,
		MaxSize:               math.MaxInt32,
		OffsetsRetention:      7 * 24 * time.Hour,
		OffsetsCheckInterval:  10 * time.Minute,
		OffsetMetadataMax:     4096,
		CommitTimeout:         5 * time.Second,
		LoadBufferBytes:       5 << 20,
		QueueLimit:            10_000,
	}
}

// Options are what Groups is made of.
type Options struct {
	Config Config
	Logger *slog.Logger
	// Partitions is how many partitions Topic has, or will have once it is created.
	Partitions func() int32
	// EndOffset is a partition's high watermark, -1 if this broker does not know it: for the lag. nil
	// means never known.
	EndOffset func(topic string, partition int32) int64
	// NewID returns a random identity for a member's id; nil means a random UUID, as Kafka's.
	NewID func() string
	// Stage is what the groups run on: the zero value is the process.
	Stage coordinator.Stage
}

// Client is who sent a request.
type Client struct {
	ID   string // the header's client id
	Host string // its address as Kafka prints it: /127.0.0.1
}

// Groups answers every request about classic groups and committed offsets. Its methods return at once;
// done is called once, on any goroutine, and must not block. Requests belong to Groups from the call on.
type Groups struct {
	config     Config
	logger     *slog.Logger
	partitions func() int32
	endOffset  func(topic string, partition int32) int64
	runtime    *coordinator.Runtime[*machine]
	counters   Counters
	closeOnce  sync.Once
}

// New returns Groups that coordinates no partition yet.
func New(o Options) *Groups {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.NewID == nil {
		o.NewID = newUUID
	}
	if o.EndOffset == nil {
		o.EndOffset = func(string, int32) int64 { return -1 }
	}
	g := &Groups{
		config:     o.Config,
		logger:     o.Logger,
		partitions: o.Partitions,
		endOffset:  o.EndOffset,
	}
	g.runtime = coordinator.New(coordinator.Options[*machine]{
		Topic: Topic,
		Machine: func(partition int32) *machine {
			return newMachine(machineOptions{
				config:   &g.config,
				logger:   o.Logger.With("partition", partition),
				newID:    o.NewID,
				counters: &g.counters,
			})
		},
		Logger:          o.Logger,
		QueueLimit:      o.Config.QueueLimit,
		LoadBufferBytes: o.Config.LoadBufferBytes,
		CommitTimeout:   o.Config.CommitTimeout,
		Codec:           o.Config.Codec,
		Stage:           o.Stage,
	})
	return g
}

// Elect makes this broker the coordinator of a partition of Topic that it leads since epoch.
func (g *Groups) Elect(partition int32, epoch record.Epoch, log coordinator.Log) {
	g.runtime.Load(partition, epoch, log)
}

// Resign ends what Elect began, for every epoch up to this one.
func (g *Groups) Resign(partition int32, epoch record.Epoch) {
	g.runtime.Unload(partition, epoch)
}

// Close answers everything that waits with NOT_COORDINATOR and waits for the room's goroutines.
func (g *Groups) Close() { g.closeOnce.Do(g.runtime.Close) }

// PartitionFor is the partition of Topic that holds a group: the absolute value of Java's
// String.hashCode modulo the partitions, where the smallest integer counts as 0.
func (g *Groups) PartitionFor(groupID string) int32 {
	return partitionFor(groupID, g.partitions())
}

func partitionFor(groupID string, partitions int32) int32 {
	hash := int32(0)
	for _, unit := range utf16.Encode([]rune(groupID)) {
		hash = 31*hash + int32(unit)
	}
	switch {
	case hash == math.MinInt32 || partitions <= 0:
		return 0
	case hash < 0:
		hash = -hash
	}
	return hash % partitions
}

// command hands a command about one group to its shard.
func (g *Groups) command(groupID string, run func(m *machine, s *step), fail func(err error)) {
	g.runtime.Submit(g.PartitionFor(groupID), coordinator.Command[*machine]{
		Key: groupID,
		Run: func(m *machine, now time.Time) coordinator.Outcome {
			return m.run(now, func(s *step) { run(m, s) })
		},
		Fail: fail,
	})
}
