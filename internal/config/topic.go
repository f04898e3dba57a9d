package config

// The settings of a topic: all that Kafka 4.4 has, by the same names, with the same defaults and
// checks, because clients create topics with them and tools copy them from cluster to cluster. Update is how the
// broker's setting of the first synonym changes.

// MaxRecordsBytes is the largest size that Kafka allows a decompressed batch to have: what a Java array holds.
const MaxRecordsBytes = 2147483639

// Retention, compaction and what a log keeps.
var (
	CleanupPolicy = topicList(Row{Name: "cleanup.policy", Default: "delete", Room: inStorage,
		Update: ClusterWide, Family: one("log.cleanup.policy"), check: someOf("compact", "delete"),
		Doc: "What happens to old segments: `delete` drops them by age and size, `compact` keeps the newest record of each key, both do both, and an empty list keeps everything."})

	RetentionMs = topicLong(Row{Name: "retention.ms", Default: "604800000", Room: inStorage,
		Update: ClusterWide, check: atLeast[int64](-1), Family: []Synonym{{Name: "log.retention.ms"},
			{Name: "log.retention.minutes", Milliseconds: 60_000},
			{Name: "log.retention.hours", Milliseconds: 3_600_000, Default: "168"}},
		Doc: "How long a segment is kept after its newest record, under the delete policy; -1 keeps it for ever."})

	RetentionBytes = topicLong(Row{Name: "retention.bytes", Default: "-1", Room: inStorage,
		Update: ClusterWide, Family: one("log.retention.bytes"),
		Doc: "How large one partition may grow before its oldest segments go, under the delete policy; -1 is no limit."})

	DeleteRetentionMs = topicLong(Row{Name: "delete.retention.ms", Default: "86400000", Room: inStorage,
		Update: ClusterWide, Family: one("log.cleaner.delete.retention.ms"), check: atLeast[int64](0),
		Doc: "How long a tombstone stays readable in a compacted log after the cleaner reached it."})

	MinCompactionLagMs = topicLong(Row{Name: "min.compaction.lag.ms", Default: "0", Room: inStorage,
		Update: ClusterWide, Family: one("log.cleaner.min.compaction.lag.ms"), check: atLeast[int64](0),
		Doc: "How old a record is at least before compaction may remove it."})

	MaxCompactionLagMs = topicLong(Row{Name: "max.compaction.lag.ms", Default: maxLong, Room: inStorage,
		Update: ClusterWide, Family: one("log.cleaner.max.compaction.lag.ms"), check: atLeast[int64](1),
		Doc: "How long a record may stay out of the cleaner's reach before the log is compacted however little of it is dirty."})

	MinCleanableDirtyRatio = topicDouble(Row{Name: "min.cleanable.dirty.ratio", Default: "0.5",
		Room: inStorage, Update: ClusterWide, Family: one("log.cleaner.min.cleanable.ratio"), check: between[int64](0, 1),
		Doc: "Which part of a compacted log has to be dirty before it is cleaned again."})

	FileDeleteDelayMs = topicLong(Row{Name: "file.delete.delay.ms", Default: "60000", Room: inStorage,
		Update: ClusterWide, Family: one("log.segment.delete.delay.ms"), check: atLeast[int64](0),
		Doc: "How long the files of a removed segment or partition stay on the disk under the suffix `.deleted`."})
)

// Segments, indexes and flushing.
var (
	SegmentBytes = topicInt(Row{Name: "segment.bytes", Default: "1073741824", Room: inStorage,
		Update: ClusterWide, Family: one("log.segment.bytes"), check: atLeast[int64](1 << 20),
		Doc: "How large a segment file grows before the next begins. Retention and compaction work on whole closed segments."})

	InternalSegmentBytes = topicInt(Row{Name: "internal.segment.bytes", Null: true, Room: inStorage,
		Doc: "The same without its lower bound, for tests; it comes before segment.bytes."})

	SegmentMs = topicLong(Row{Name: "segment.ms", Default: "604800000", Room: inStorage,
		Update: ClusterWide, Family: []Synonym{{Name: "log.roll.ms"},
			{Name: "log.roll.hours", Milliseconds: 3_600_000, Default: "168"}}, check: atLeast[int64](1),
		Doc: "How old the first record of a segment may become before the next segment begins, full or not."})

	SegmentJitterMs = topicLong(Row{Name: "segment.jitter.ms", Default: "0", Room: inStorage,
		Update: ClusterWide, Family: []Synonym{{Name: "log.roll.jitter.ms"},
			{Name: "log.roll.jitter.hours", Milliseconds: 3_600_000, Default: "0"}}, check: atLeast[int64](0),
		Doc: "Up to how much earlier than segment.ms a segment may end, at random, so that partitions do not all roll together."})

	SegmentIndexBytes = topicInt(Row{Name: "segment.index.bytes", Default: "10485760", Room: inStorage,
		Update: ClusterWide, Family: one("log.index.size.max.bytes"), check: atLeast[int64](4),
		Doc: "How large a segment's index may grow; a full index ends the segment. Nothing is allocated ahead."})

	IndexIntervalBytes = topicInt(Row{Name: "index.interval.bytes", Default: "4096", Room: inStorage,
		Update: ClusterWide, Family: one("log.index.interval.bytes"), check: atLeast[int64](0),
		Doc: "How many bytes of records there are between two entries of an index."})

	FlushMessages = topicLong(Row{Name: "flush.messages", Default: maxLong, Room: inStorage,
		Update: ClusterWide, Family: one("log.flush.interval.messages"), check: atLeast[int64](1),
		Doc: "After how many records a partition is synced to the disk; 1 syncs before each acknowledgement. By default the kernel decides, and replication is what keeps records."})

	FlushMs = topicLong(Row{Name: "flush.ms", Default: maxLong, Room: inStorage, check: atLeast[int64](0),
		Update: ClusterWide, Family: []Synonym{{Name: "log.flush.interval.ms"},
			{Name: "log.flush.scheduler.interval.ms", Default: maxLong}},
		Doc: "After how long a partition's records are synced to the disk."})

	FsyncOnAck = topicBool(Row{Name: "fsync.on.ack", Default: "false", Room: inStorage,
		Update: ClusterWide, Family: []Synonym{{Name: "barnabas.fsync.on.ack"}, {Name: "fsync.on.ack", Default: "false"}},
		Doc: "Whether records count as had by a replica only once they are on its disk: a leader acknowledges, with acks=1 too, and shows records to consumers after its own sync, and a follower says that it has records after its own. What waits for a partition shares one sync (a sync group), and while it is under way the next one gathers, so it costs less the more clients there are; flush.messages=1 has each append wait for a sync of its own. Barnabas' own setting."})

	Preallocate = topicBool(Row{Name: "preallocate", Default: "false",
		Update: ClusterWide, Family: one("log.preallocate"),
		Doc: "Accepted and without effect: Barnabas never allocates a segment ahead of its records."})
)

// Messages: size, compression, time.
var (
	MaxMessageBytes = topicInt(Row{Name: "max.message.bytes", Default: "1048588", Room: inStorage,
		Update: ClusterWide, Family: one("message.max.bytes"), check: atLeast[int64](0),
		Doc: "How large a record batch may be, compressed as it comes."})

	MaxDecompressedMessageBytes = topicInt(Row{Name: "max.decompressed.message.bytes", Default: "134217728",
		Kafka: "2147483639", Why: "A small batch that expands to 2 GiB would take the broker's memory.",
		Room: inStorage, Update: ClusterWide, Family: one("max.decompressed.message.bytes"), check: between[int64](1, MaxRecordsBytes),
		Doc: "How large a record batch may become when the broker has to decompress it."})

	CompressionType = topicString(Row{Name: "compression.type", Default: "producer", Room: inStorage,
		Update: ClusterWide, Family: one("compression.type"),
		check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		Doc:   "How batches are stored: `producer` as they come, anything else recompresses those that differ."})

	CompressionGzipLevel = topicInt(Row{Name: "compression.gzip.level", Default: "-1", Room: inStorage,
		Update: ClusterWide, Family: one("compression.gzip.level"), check: betweenOr(1, 9, -1),
		Doc: "The level to recompress with where compression.type is gzip; -1 is gzip's own default."})

	CompressionLz4Level = topicInt(Row{Name: "compression.lz4.level", Default: "9", Room: inStorage,
		Update: ClusterWide, Family: one("compression.lz4.level"), check: between[int64](1, 17),
		Doc: "The level to recompress with where compression.type is lz4."})

	CompressionZstdLevel = topicInt(Row{Name: "compression.zstd.level", Default: "3", Room: inStorage,
		Update: ClusterWide, Family: one("compression.zstd.level"), check: between[int64](-131072, 22),
		Doc: "The level to recompress with where compression.type is zstd."})

	MessageTimestampType = topicString(Row{Name: "message.timestamp.type", Default: "CreateTime",
		Room: inStorage, Update: ClusterWide, Family: one("log.message.timestamp.type"), check: oneOf("CreateTime", "LogAppendTime"),
		Doc: "Whether a record keeps the time its producer gave it or gets the time of its arrival."})

	MessageTimestampBeforeMaxMs = topicLong(Row{Name: "message.timestamp.before.max.ms", Default: maxLong,
		Room: inStorage, Update: ClusterWide, Family: one("log.message.timestamp.before.max.ms"), check: atLeast[int64](0),
		Doc: "How far in the past a record's own time may lie; older ones are refused. Only with CreateTime."})

	MessageTimestampAfterMaxMs = topicLong(Row{Name: "message.timestamp.after.max.ms", Default: "3600000",
		Room: inStorage, Update: ClusterWide, Family: one("log.message.timestamp.after.max.ms"), check: atLeast[int64](0),
		Doc: "How far in the future a record's own time may lie; later ones are refused. Only with CreateTime."})
)

// Replication.
var (
	MinInsyncReplicas = topicInt(Row{Name: "min.insync.replicas", Default: "auto", Room: inReplication,
		Update: ClusterWide, Family: one("min.insync.replicas"), check: atLeast[int64](1), auto: true,
		Kafka: "1", Why: "One in-sync replica of three is one failure away from losing acknowledged records.",
		Doc: "How many in-sync replicas a record needs before a producer with acks=all is told that it is kept. Where nobody says, it is 2 for a partition of three replicas or more, and 1 below."})

	UncleanLeaderElection = topicBool(Row{Name: "unclean.leader.election.enable", Default: "false", Room: inController,
		Update: ClusterWide, Family: one("unclean.leader.election.enable"),
		Doc: "Whether a replica that may lack acknowledged records can lead when no other is alive. Otherwise such a replica leads on request only (`kafka-leader-election`)."})

	LeaderThrottledReplicas = topicList(Row{Name: "leader.replication.throttled.replicas", Room: inReplication, check: throttledReplicas(),
		Doc: "Whose copying is throttled at the leader, `partition:broker` each or `*`, where the broker is the one that leads. Tools that move partitions set it, together with `leader.replication.throttled.rate` of the brokers. Replicas in sync are never throttled."})

	FollowerThrottledReplicas = topicList(Row{Name: "follower.replication.throttled.replicas", Room: inReplication, check: throttledReplicas(),
		Doc: "Whose copying is throttled at the follower, `partition:broker` each or `*`, where the broker is the one that copies. Tools that move partitions set it, together with `follower.replication.throttled.rate` of the brokers. Replicas in sync are never throttled."})
)

// Settings of parts of Kafka that Barnabas does not have: they are kept with the topic, so that what a tool
// writes it reads again, and remote.storage.enable=true is refused as Kafka without tiered storage refuses it.
var (
	RemoteStorageEnable = topicBool(Row{Name: "remote.storage.enable", Default: "false", Doc: noTiers})

	_ = topicBool(Row{Name: "remote.log.copy.disable", Default: "false", Doc: noTiers})
	_ = topicBool(Row{Name: "remote.log.delete.on.disable", Default: "false", Doc: noTiers})
	_ = topicLong(Row{Name: "remote.copy.lag.bytes", Default: "-1", Family: one("log.remote.copy.lag.bytes"),
		Update: ClusterWide, check: atLeast[int64](-1), Doc: noTiers})
	_ = topicLong(Row{Name: "remote.copy.lag.ms", Default: "0", Family: one("log.remote.copy.lag.ms"),
		Update: ClusterWide, check: atLeast[int64](-1), Doc: noTiers})
	_ = topicLong(Row{Name: "local.retention.bytes", Default: "-2", Family: one("log.local.retention.bytes"),
		Update: ClusterWide, check: atLeast[int64](-2), Doc: noTiers})
	_ = topicLong(Row{Name: "local.retention.ms", Default: "-2", Family: one("log.local.retention.ms"),
		Update: ClusterWide, check: atLeast[int64](-2), Doc: noTiers})
	_ = topicBool(Row{Name: "errors.deadletterqueue.group.enable", Default: "false",
		Doc: "Kept with the topic and without effect: share groups do not write dead letters yet."})
)

const (
	maxLong = "9223372036854775807"
	noTiers = "Kept with the topic and without effect: Barnabas has no tiered storage, and refuses to turn it on."
)

func one(name string) []Synonym { return []Synonym{{Name: name}} }
