package config

// Consumer groups and their offsets.
var (
	GroupInitialRebalanceDelay = msSetting(Int, Row{Name: "group.initial.rebalance.delay.ms", Default: "3000", Room: inGroup, check: atLeast[int64](0),
		Doc: "How long the first rebalance of an empty group waits for more members; each newcomer prolongs it, up to the rebalance timeout."})

	GroupMinSessionTimeout = msSetting(Int, Row{Name: "group.min.session.timeout.ms", Default: "6000", Room: inGroup, check: atLeast[int64](0),
		Doc: "The shortest session timeout that a member may ask for."})

	GroupMaxSessionTimeout = msSetting(Int, Row{Name: "group.max.session.timeout.ms", Default: "1800000", Room: inGroup, check: atLeast[int64](0),
		Doc: "The longest session timeout that a member may ask for."})

	GroupMaxSize = intSetting(Row{Name: "group.max.size", Default: "2147483647", Room: inGroup, check: atLeast[int64](1),
		Doc: "How many members one group may have."})

	OffsetMetadataMaxBytes = intSetting(Row{Name: "offset.metadata.max.bytes", Default: "4096", Room: inGroup, check: atLeast[int64](0),
		Doc: "How many bytes of its own a client may store with a committed offset."})

	OffsetsCommitTimeout = msSetting(Int, Row{Name: "offsets.commit.timeout.ms", Default: "5000", Room: inGroup, check: atLeast[int64](1),
		Doc: "How long an offset commit may wait for the replicas of its partition."})

	OffsetsLoadBuffer = intSetting(Row{Name: "offsets.load.buffer.size", Default: "5242880", Room: inGroup, check: atLeast[int64](1),
		Doc: "How many bytes at a time a coordinator reads while it loads the groups of a partition."})

	OffsetsRetention = minutesSetting(Int, Row{Name: "offsets.retention.minutes", Default: "10080", Room: inGroup, check: atLeast[int64](1),
		Doc: "How long the offsets of a group without members are kept."})

	OffsetsRetentionCheckInterval = msSetting(Long, Row{Name: "offsets.retention.check.interval.ms", Default: "600000", Room: inGroup, check: atLeast[int64](1),
		Doc: "How often a coordinator looks for offsets and groups to forget."})

	OffsetsTopicPartitions = intSetting(Row{Name: "offsets.topic.num.partitions", Default: "50", Room: inGroup, check: atLeast[int64](1),
		Doc: "How many partitions __consumer_offsets is created with. It can't change later: groups are placed by it."})

	OffsetsTopicReplicationFactor = shortSetting(Row{Name: "offsets.topic.replication.factor", Default: "auto", Room: inGroup, check: atLeast[int64](1), auto: true,
		Kafka: "3", Why: "One broker alone should work, and three should keep three copies.",
		Doc: "How many replicas __consumer_offsets is created with; `auto` is 3, or as many as there are brokers."})

	OffsetsTopicSegmentBytes = intSetting(Row{Name: "offsets.topic.segment.bytes", Default: "104857600", Room: inGroup, check: atLeast[int64](1),
		Doc: "The segment.bytes that __consumer_offsets is created with. Small segments are compacted, and loaded, sooner."})

	OffsetsTopicCompression = intSetting(Row{Name: "offsets.topic.compression.codec", Default: "0", Room: inGroup, check: between[int64](0, 4),
		Doc: "The codec of the batches in __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."})
)
