package broker

import (
	"strconv"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/group"
	"barnabas/internal/record"
)

// groupConfig is what the settings mean to groups and offsets.
func groupConfig(v *config.View) group.Config {
	c := group.DefaultConfig()
	c.MinSessionTimeout = config.GroupMinSessionTimeout.In(v)
	c.MaxSessionTimeout = config.GroupMaxSessionTimeout.In(v)
	c.InitialRebalanceDelay = config.GroupInitialRebalanceDelay.In(v)
	c.MaxSize = config.GroupMaxSize.In(v)
	c.OffsetsRetention = config.OffsetsRetention.In(v)
	c.OffsetsCheckInterval = config.OffsetsRetentionCheckInterval.In(v)
	c.OffsetMetadataMax = config.OffsetMetadataMaxBytes.In(v)
	c.CommitTimeout = config.OffsetsCommitTimeout.In(v)
	c.LoadBufferBytes = config.OffsetsLoadBuffer.In(v)
	c.Codec = record.Codec(config.OffsetsTopicCompression.In(v))
	return c
}

// offsetsTopicConfigs are the settings that the offsets topic is created with, as Kafka's.
func offsetsTopicConfigs(v *config.View) []controller.ConfigEntry {
	var entries []controller.ConfigEntry
	for _, e := range [...]struct{ name, value string }{
		{"cleanup.policy", "compact"},
		{"compression.type", "producer"},
		{"segment.bytes", strconv.Itoa(config.OffsetsTopicSegmentBytes.In(v))},
	} {
		entries = append(entries, controller.ConfigEntry{Name: e.name, Value: &e.value})
	}
	return entries
}
