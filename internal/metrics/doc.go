// Package metrics counts what a broker does and shows it to Prometheus, under the names that Kafka's
// metrics have behind the JMX exporter with Strimzi's rules and behind kafka_exporter, so that dashboards and alerts
// made for these work unchanged. docs/metrics.md lists them.
//
// What is counted on the hot path is an atomic integer in a struct whose pointer the caller keeps: a topic's
// counters, a request's, a listener's. What is a state (a log's size, a group's lag) is not stored here: its
// owner is asked at each scrape, through the small interfaces of this package. The page is written as a
// stream, because 10,000 partitions make 100,000 lines, which client_golang would build in memory first; it serves
// the process and Go runtime metrics, and those that others registered.
//
// The package starts no goroutine.
package metrics
