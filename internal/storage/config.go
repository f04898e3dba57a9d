package storage

import (
	"math"
	"time"

	"barnabas/internal/record"
)

// LogConfig is the settings of one topic that its logs obey. It is a value: a log holds one at a
// time and swaps it whole (SetConfig). Names are those of Kafka's topic settings; milliseconds and
// bytes stay what they are there, so that -1 can mean "no limit" where Kafka says so.
type LogConfig struct {
	SegmentBytes       int32 // segment.bytes
	SegmentMs          int64 // segment.ms
	SegmentJitterMs    int64 // segment.jitter.ms
	SegmentIndexBytes  int32 // segment.index.bytes: a segment is rolled when an index has grown to it
	IndexIntervalBytes int32 // index.interval.bytes

	Delete            bool  // cleanup.policy has delete
	Compact           bool  // cleanup.policy has compact
	RetentionMs       int64 // retention.ms, -1 for no limit
	RetentionBytes    int64 // retention.bytes, -1 for no limit
	FileDeleteDelayMs int64 // file.delete.delay.ms

	FlushMessages int64 // flush.messages
	FlushMs       int64 // flush.ms
	// SyncOnAck is fsync.on.ack: no record counts as had by this replica before it is on the disk.
	SyncOnAck bool

	MinCleanableDirtyRatio float64 // min.cleanable.dirty.ratio
	MinCompactionLagMs     int64   // min.compaction.lag.ms
	MaxCompactionLagMs     int64   // max.compaction.lag.ms
	DeleteRetentionMs      int64   // delete.retention.ms

	MaxMessageBytes int32 // max.message.bytes
	// MaxDecompressedBytes is max.decompressed.message.bytes, what one batch may expand to when its
	// records are looked into; 0 is the store's bound.
	MaxDecompressedBytes int32
	// Compression is the codec that stored batches have; KeepCompression ("producer") overrides it and
	// leaves them as they came. CompressionLevel is the codec's own scale, 0 for its default.
	Compression      record.Codec
	CompressionLevel int
	KeepCompression  bool

	TimestampType     record.TimestampType // message.timestamp.type
	TimestampBeforeMs int64                // message.timestamp.before.max.ms
	TimestampAfterMs  int64                // message.timestamp.after.max.ms

	// Strict makes a leader decompress every batch and check each record. Without it records are looked
	// into only where a rule needs that: keys of compacted topics, timestamp limits, recompression.
	Strict bool
}

// DefaultLogConfig is what a topic has that says nothing.
func DefaultLogConfig() LogConfig {
	return LogConfig{
		SegmentBytes:           1 << 30,
		SegmentMs:              (7 * 24 * time.Hour).Milliseconds(),
		SegmentIndexBytes:      10 << 20,
		IndexIntervalBytes:     4096,
		Delete:                 true,
		RetentionMs:            (7 * 24 * time.Hour).Milliseconds(),
		RetentionBytes:         -1,
		FileDeleteDelayMs:      time.Minute.Milliseconds(),
		FlushMessages:          math.MaxInt64,
		FlushMs:                math.MaxInt64,
		MinCleanableDirtyRatio: 0.5,
		MaxCompactionLagMs:     math.MaxInt64,
		DeleteRetentionMs:      (24 * time.Hour).Milliseconds(),
		MaxMessageBytes:        1<<20 + record.PrefixSize,
		KeepCompression:        true,
		TimestampBeforeMs:      math.MaxInt64,
		TimestampAfterMs:       time.Hour.Milliseconds(),
	}
}

// Settings are the broker's settings that concern the store as a whole. Zero values mean the defaults.
type Settings struct {
	// RetentionCheckInterval is log.retention.check.interval.ms, how often old segments are looked for.
	RetentionCheckInterval time.Duration
	// FlushCheckInterval is log.flush.scheduler.interval.ms, how often logs with flush.ms are looked
	// at. The default never does.
	FlushCheckInterval time.Duration
	// RecoveryCheckpointInterval is log.flush.offset.checkpoint.interval.ms.
	RecoveryCheckpointInterval time.Duration
	// StartOffsetCheckpointInterval is log.flush.start.offset.checkpoint.interval.ms.
	StartOffsetCheckpointInterval time.Duration
	// HighWatermarkCheckpointInterval is replica.high.watermark.checkpoint.interval.ms.
	HighWatermarkCheckpointInterval time.Duration
	// ProbeInterval is how often an offline directory is tried again.
	ProbeInterval time.Duration
	// RecoveryThreads is num.recovery.threads.per.data.dir.
	RecoveryThreads int
	// MaxOpenFiles bounds the files that the store keeps open (storage.max.open.files). Files that
	// readers have pinned at the moment don't count against it.
	MaxOpenFiles int
	// ProducerIDExpirationMs is producer.id.expiration.ms.
	ProducerIDExpirationMs int64
	// ProducerIDExpirationCheckInterval is producer.id.expiration.check.interval.ms, how often idle
	// producers are forgotten.
	ProducerIDExpirationCheckInterval time.Duration
	// InitialTaskDelay is log.initial.task.delay.ms: how soon after the start retention and syncs
	// are due for the first time.
	InitialTaskDelay time.Duration
	// MaxDecompressedBytes bounds what one batch may expand to when its records are looked into.
	MaxDecompressedBytes int
	// BudgetBytes is barnabas.data.budget.bytes, for each directory: 0 is none, BudgetOfVolume reads it from the
	// file system.
	BudgetBytes int64
	// SyncTogether is from how many logs on their files are synced by one sync of the volume.
	SyncTogether int
}

func (s Settings) withDefaults() Settings {
	setDefault(&s.RetentionCheckInterval, 5*time.Minute)
	setDefault(&s.FlushCheckInterval, math.MaxInt64)
	setDefault(&s.RecoveryCheckpointInterval, time.Minute)
	setDefault(&s.StartOffsetCheckpointInterval, time.Minute)
	setDefault(&s.HighWatermarkCheckpointInterval, 5*time.Second)
	setDefault(&s.ProbeInterval, time.Second)
	setDefault(&s.RecoveryThreads, 2)
	setDefault(&s.MaxOpenFiles, 4096)
	setDefault(&s.SyncTogether, 64)
	setDefault(&s.ProducerIDExpirationMs, (24 * time.Hour).Milliseconds())
	setDefault(&s.ProducerIDExpirationCheckInterval, 10*time.Minute)
	setDefault(&s.InitialTaskDelay, 30*time.Second)
	setDefault(&s.MaxDecompressedBytes, 128<<20)
	return s
}

func setDefault[T ~int | ~int64](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}
