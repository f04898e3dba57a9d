// Package config holds the settings of Barnabas: one table of typed rows, from which come the reference
// page (docs/configuration.md), the checks of a configuration, and the answers to DescribeConfigs.
//
// A broker calls Load once at start: it reads the properties file, the environment and the command line,
// and reports every mistake together. What Load returns is immutable. A View resolves the layers of
// a setting in Kafka's order: the topic's own value, the broker's dynamic value, the cluster-wide dynamic
// value, the static value (with Kafka's synonyms, such as log.retention.hours), the default. Rooms read
// a setting through its handle:
//
//	config.NumPartitions.In(view)
//
// The package owns no goroutine and logs nothing; it is a leaf.
package config
