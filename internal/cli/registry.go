package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// Tool is one command of the program. It has Kafka's form, a modern form, or both.
type Tool struct {
	// Kafka is Kafka's name without its script suffix, "kafka-topics"; "" for a command that is
	// Barnabas's own.
	Kafka string
	// Run is Kafka's form: it parses args with jopt and prints as Kafka prints.
	Run func(ctx context.Context, env *Env, args []string) error
	// Command builds the modern form, a subcommand of barnabas; nil when there is none.
	Command func(m *modern) *cobra.Command
}

// registry lists every tool. Adding one is adding a line here and a file beside it.
func registry() []Tool {
	return []Tool{
		{Kafka: "kafka-topics", Run: runTopics, Command: topicsCommand},
		{Kafka: "kafka-console-producer", Run: runConsoleProducer, Command: produceCommand},
		{Kafka: "kafka-console-consumer", Run: runConsoleConsumer, Command: consumeCommand},
		{Kafka: "kafka-consumer-groups", Run: runGroups, Command: groupsCommand},
		{Kafka: "kafka-groups", Run: runAllGroups},
		{Kafka: "kafka-configs", Run: runConfigs, Command: configsCommand},
		{Kafka: "kafka-get-offsets", Run: runGetOffsets, Command: offsetsCommand},
		{Kafka: "kafka-delete-records", Run: runDeleteRecords, Command: deleteRecordsCommand},
		{Kafka: "kafka-log-dirs", Run: runLogDirs, Command: logDirsCommand},
		{Kafka: "kafka-broker-api-versions", Run: runAPIVersions, Command: brokersCommand},
		{Kafka: "kafka-cluster", Run: runCluster, Command: clusterCommand},
		{Kafka: "kafka-reassign-partitions", Run: runReassign},
		{Kafka: "kafka-leader-election", Run: runLeaderElection},
		{Kafka: "kafka-replica-verification", Run: runReplicaVerification},
		{Kafka: "kafka-metadata-quorum", Run: runMetadataQuorum},
		{Kafka: "kafka-features", Run: runFeatures, Command: featuresCommand},
		{Kafka: "kafka-dump-log", Run: runDumpLog, Command: dumpLogCommand},
		{Kafka: "kafka-storage", Run: runStorage, Command: storageCommand},
		{Kafka: "kafka-server-stop", Run: runServerStop, Command: stopCommand},
		{Command: serverCommand},
		{Command: keeperCommand},
		{Command: doctorCommand},
		{Kafka: "kafka-producer-perf-test", Run: runProducerPerf, Command: perfCommand},
		{Kafka: "kafka-consumer-perf-test", Run: runConsumerPerf},
		{Kafka: "kafka-e2e-latency", Run: runLatency},
		{Kafka: "kafka-verifiable-producer", Run: runVerifiableProducer},
		{Kafka: "kafka-verifiable-consumer", Run: runVerifiableConsumer},
	}
}

func lookup(name string) *Tool {
	for _, tool := range registry() {
		if tool.Kafka == name && name != "" {
			return &tool
		}
	}
	return nil
}
