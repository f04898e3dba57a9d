package broker

import (
	"slices"
	"strconv"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

func brokerResource(id ident.BrokerID) metadata.Resource {
	return metadata.Resource{Type: metadata.BrokerResource, Name: strconv.Itoa(int(id))}
}

// logConfig is what a topic's settings mean to its logs.
func logConfig(v *config.View) storage.LogConfig {
	c := storage.LogConfig{
		SegmentBytes:       int32(segmentBytes(v)),
		SegmentMs:          config.SegmentMs.In(v),
		SegmentJitterMs:    config.SegmentJitterMs.In(v),
		SegmentIndexBytes:  int32(config.SegmentIndexBytes.In(v)),
		IndexIntervalBytes: int32(config.IndexIntervalBytes.In(v)),

		RetentionMs:       config.RetentionMs.In(v),
		RetentionBytes:    config.RetentionBytes.In(v),
		FileDeleteDelayMs: config.FileDeleteDelayMs.In(v),

		FlushMessages: config.FlushMessages.In(v),
		FlushMs:       config.FlushMs.In(v),
		SyncOnAck:     config.FsyncOnAck.In(v),

		MinCleanableDirtyRatio: config.MinCleanableDirtyRatio.In(v),
		MinCompactionLagMs:     config.MinCompactionLagMs.In(v),
		MaxCompactionLagMs:     config.MaxCompactionLagMs.In(v),
		DeleteRetentionMs:      config.DeleteRetentionMs.In(v),

		MaxMessageBytes: int32(config.MaxMessageBytes.In(v)),

		MaxDecompressedBytes: int32(config.MaxDecompressedMessageBytes.In(v)),

		TimestampBeforeMs: config.MessageTimestampBeforeMaxMs.In(v),
		TimestampAfterMs:  config.MessageTimestampAfterMaxMs.In(v),
		Strict:            config.RecordValidation.In(v) == "strict",
	}
	policy := config.CleanupPolicy.In(v)
	c.Delete, c.Compact = slices.Contains(policy, "delete"), slices.Contains(policy, "compact")
	if config.MessageTimestampType.In(v) == "LogAppendTime" {
		c.TimestampType = record.LogAppendTime
	}
	c.Compression, c.CompressionLevel, c.KeepCompression = compression(v)
	return c
}

// segmentBytes is segment.bytes, unless a test asks for less than that allows.
func segmentBytes(v *config.View) int {
	if n := config.InternalSegmentBytes.In(v); n > 0 {
		return n
	}
	return config.SegmentBytes.In(v)
}

func compression(v *config.View) (codec record.Codec, level int, keep bool) {
	codec, err := record.ParseCodec(config.CompressionType.In(v))
	if err != nil { // the table has checked it: what is left is "producer"
		return record.None, 0, true
	}
	switch codec {
	case record.Gzip:
		level = config.CompressionGzipLevel.In(v)
	case record.LZ4:
		level = config.CompressionLz4Level.In(v)
	case record.Zstd:
		level = config.CompressionZstdLevel.In(v)
	}
	return codec, level, false
}

// storeSettings are the settings that concern all logs together.
func storeSettings(v *config.View) storage.Settings {
	return storage.Settings{
		RetentionCheckInterval:          config.RetentionCheckInterval.In(v),
		RecoveryCheckpointInterval:      config.FlushCheckpointInterval.In(v),
		StartOffsetCheckpointInterval:   config.StartOffsetCheckpointInterval.In(v),
		HighWatermarkCheckpointInterval: config.HighWatermarkCheckpointInterval.In(v),
		RecoveryThreads:                 config.RecoveryThreads.In(v),
		FlushCheckInterval:              config.FlushSchedulerInterval.In(v),
		InitialTaskDelay:                config.InitialTaskDelay.In(v),
		MaxOpenFiles:                    config.MaxOpenFiles.In(v),
		MaxDecompressedBytes:            config.MaxDecompressedMessageBytes.In(v),
		ProducerIDExpirationMs:          config.ProducerIDExpiration.In(v).Milliseconds(),
		BudgetBytes:                     budget(config.DataBudget.In(v)),

		ProducerIDExpirationCheckInterval: config.ProducerIDExpirationCheckInterval.In(v),
	}
}

// budget is the storage room's word for a budget that is left to the file system.
func budget(configured int64) int64 {
	if configured == config.Auto {
		return storage.BudgetOfVolume
	}
	return configured
}

// cleanerSettings are the settings of compaction.
func cleanerSettings(v *config.View) storage.CleanerSettings {
	return storage.CleanerSettings{
		Disabled:          !config.CleanerEnable.In(v) || config.CleanerThreads.In(v) == 0,
		Threads:           config.CleanerThreads.In(v),
		DedupeBufferBytes: config.CleanerDedupeBuffer.In(v),
		DedupeLoadFactor:  config.CleanerBufferLoadFactor.In(v),
		IOBufferBytes:     config.CleanerIOBuffer.In(v),
		MaxBytesPerSecond: config.CleanerMaxBytesPerSecond.In(v),
		Backoff:           config.CleanerBackoff.In(v),
	}
}
