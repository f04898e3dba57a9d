package config

// The broker's log directories, and the work done on them in the background. The values that topics
// inherit (log.retention.hours, log.segment.bytes …) are defined with the topic's rows.
var (
	LogDirs = listSetting(Row{Name: "log.dirs", Null: true, Room: inStorage,
		Doc: "The directories that hold the partitions, separated by commas; one that fails is set aside and the others serve on. By default the one of log.dir."})

	DataBudget = longSetting(Row{Name: "barnabas.data.budget.bytes", Default: "0", Room: inStorage, check: atLeast[int64](0), auto: true,
		Doc: "How many bytes each log directory may hold before whoever runs the broker takes the volume away, as Kubernetes does with a pod that outgrows the sizeLimit of its emptyDir. From 80 % on the oldest segments go before their retention is over, where the topic deletes; from 95 % on producers are refused with POLICY_VIOLATION. `auto` takes 90 % of the file system, above which Kubernetes evicts pods; 0 is no budget."})

	LogDir = listSetting(Row{Name: "log.dir", Default: "data", Room: inStorage,
		Kafka: "/tmp/kafka-logs", Why: "A reboot empties /tmp.",
		Doc: "The directory that holds the partitions where log.dirs is not given."})

	RetentionCheckInterval = msSetting(Long, Row{Name: "log.retention.check.interval.ms", Default: "300000", Room: inStorage, check: atLeast[int64](1),
		Doc: "How often the broker looks for segments that retention lets go."})

	FlushCheckpointInterval = msSetting(Int, Row{Name: "log.flush.offset.checkpoint.interval.ms", Default: "60000", Room: inStorage, check: atLeast[int64](0),
		Doc: "How often the offsets up to which partitions are synced are written down, from which recovery starts after a crash."})

	StartOffsetCheckpointInterval = msSetting(Int, Row{Name: "log.flush.start.offset.checkpoint.interval.ms", Default: "60000", Room: inStorage, check: atLeast[int64](0),
		Doc: "How often the first offsets of partitions are written down, so that deleted records stay deleted after a crash."})

	FlushSchedulerInterval = msSetting(Long, Row{Name: "log.flush.scheduler.interval.ms", Default: maxLong, Room: inStorage, check: atLeast[int64](1),
		Doc: "How often the broker looks for partitions whose flush.ms has passed, and the flush.ms of topics that have none of their own where log.flush.interval.ms is not given. By default never: a topic's flush.ms needs this one."})

	HighWatermarkCheckpointInterval = msSetting(Long, Row{Name: "replica.high.watermark.checkpoint.interval.ms", Default: "5000", Room: inReplication, check: atLeast[int64](1),
		Doc: "How often the high watermarks of partitions are written down."})

	InitialTaskDelay = msSetting(Long, Row{Name: "log.initial.task.delay.ms", Default: "30000", Room: inStorage, check: atLeast[int64](0),
		Doc: "How long after the start the background work on the logs begins."})

	RecoveryThreads = intSetting(Row{Name: "num.recovery.threads.per.data.dir", Default: "2", Room: inStorage, check: atLeast[int64](1),
		Doc: "How many partitions of one directory are opened at a time at the start, and closed at a stop."})

	CleanerEnable = boolSetting(Row{Name: "log.cleaner.enable", Default: "true", Room: inStorage,
		Doc: "Whether compacted partitions are compacted. Without it the offsets of groups pile up for ever."})

	CleanerThreads = intSetting(Row{Name: "log.cleaner.threads", Default: "1", Room: inStorage, Update: ClusterWide, check: atLeast[int64](0),
		Doc: "How many partitions are compacted at a time."})

	CleanerBackoff = msSetting(Long, Row{Name: "log.cleaner.backoff.ms", Default: "15000", Room: inStorage, Update: ClusterWide, check: atLeast[int64](0),
		Doc: "How long the cleaner rests when there is nothing to compact."})

	CleanerDedupeBuffer = longSetting(Row{Name: "log.cleaner.dedupe.buffer.size", Default: "134217728", Room: inStorage, Update: ClusterWide, check: atLeast[int64](1 << 16),
		Doc: "How much memory the cleaner may use for keys, over all its threads. It is taken while compacting and given back."})

	CleanerBufferLoadFactor = doubleSetting(Row{Name: "log.cleaner.io.buffer.load.factor", Default: "0.9", Room: inStorage, Update: ClusterWide,
		Doc: "How full the memory for keys may get; fuller holds more keys, which collide more."})

	CleanerIOBuffer = intSetting(Row{Name: "log.cleaner.io.buffer.size", Default: "524288", Room: inStorage, Update: ClusterWide, check: atLeast[int64](0),
		Doc: "How much memory the cleaner reads and writes with, over all its threads."})

	CleanerMaxBytesPerSecond = doubleSetting(Row{Name: "log.cleaner.io.max.bytes.per.second", Default: "1.7976931348623157E308", Room: inStorage, Update: ClusterWide,
		Doc: "How many bytes a second the cleaner reads and writes at most."})

	MaxOpenFiles = intSetting(Row{Name: "storage.max.open.files", Default: "4096", Room: inStorage, check: atLeast[int64](64),
		Doc: "How many segment and index files the broker keeps open; those used longest ago are closed. Files that are being sent don't count."})

	RecordValidation = stringSetting(Row{Name: "log.record.validation", Default: "relaxed", Room: inStorage, check: oneOf("relaxed", "strict"),
		Doc: "How closely a produced batch is looked at: `relaxed` checks its frame and CRC, `strict` decompresses it and checks every record."})

	ProducerIDExpiration = msSetting(Int, Row{Name: "producer.id.expiration.ms", Default: "86400000", Room: inStorage, Update: ClusterWide, check: atLeast[int64](1),
		Doc: "How long a partition remembers an idempotent producer that has gone quiet."})

	ProducerIDExpirationCheckInterval = msSetting(Int, Row{Name: "producer.id.expiration.check.interval.ms", Default: "600000", Room: inStorage, check: atLeast[int64](1),
		Doc: "How often partitions look for producers to forget."})
)
