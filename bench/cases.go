package main

import "slices"

// figures are what one round of one case measured, by name of the figure, in the unit that the name ends with.
type figures map[string]float64

// benchCase measures one thing.
type benchCase struct {
	name, what string
	run        func(system) (figures, error)
	// systems are the names of those that take part.
	systems []string
	marks   []mark
	// shared: brokers and generator share all cores.
	shared bool
}

// mark is what is to be reached: a bound of Barnabas' figure, or of its ratio to that of another system in the same run.
// Rates and volumes are to be at least, times, memory and processor time at most what is said.
type mark struct {
	figure string
	than   string // a system's name; the bound is a ratio then
	bound  float64
	most   bool
}

func atLeast(figure, than string, bound float64) mark { return mark{figure, than, bound, false} }

func atMost(figure string, bound float64) mark { return mark{figure, "", bound, true} }

func atMostOf(figure, than string, bound float64) mark { return mark{figure, than, bound, true} }

const (
	nameKafka    = "Apache Kafka"
	nameNATS     = "NATS JetStream"
	nameLimit    = "limit"
	nameBarnabas = "Barnabas"
)

var (
	brokers  = []string{nameKafka, nameBarnabas}
	andNATS  = []string{nameKafka, nameNATS, nameBarnabas}
	andLimit = []string{nameKafka, nameLimit, nameBarnabas}
)

// cases in their order.
var cases = []benchCase{
	{name: "produce100", what: "produce 100 B, 1 MiB batches, 12 partitions", run: measureProduce(100), systems: andLimit,
		marks: []mark{atLeast("records/s", nameKafka, 3), atLeast("records/s", nameLimit, 0.6)}},
	{name: "produce1k", what: "produce 1 KiB, 1 MiB batches, 12 partitions", run: measureProduce(1024), systems: andLimit,
		marks: []mark{atLeast("MB/s", nameKafka, 2), atLeast("MB/s", nameLimit, 0.75)}},
	{name: "small", what: "one-record produce requests, 64 connections", run: measureSmall, systems: andLimit,
		marks: []mark{atLeast("requests/s", nameKafka, 2), atLeast("requests/s", nameLimit, 0.75),
			atMost("resident after the load, MiB", 150)}},
	{name: "fetch", what: "catch-up fetch of 1 KiB records", run: measureFetch, systems: andLimit,
		marks: []mark{atLeast("MB/s", nameLimit, 0.9)}},
	{name: "tlsproduce", what: "produce 1 KiB, 1 MiB batches, 12 partitions, TLS 1.3", run: measureTLSProduce, systems: andLimit,
		marks: []mark{atLeast("MB/s", nameKafka, 1.5)}},
	{name: "tlsfetch", what: "catch-up fetch of 1 KiB records, TLS 1.3", run: measureTLSFetch, systems: andLimit,
		marks: []mark{atLeast("MB/s", nameKafka, 1.5)}},
	{name: "three", what: "three brokers, RF 3, acks=all, 1 KiB, prepared frames", run: measureThree, systems: brokers, shared: true,
		marks: []mark{atLeast("MB/s", nameKafka, 2.5)}},
	{name: "threeclient", what: "three brokers, RF 3, acks=all, 1 KiB, franz-go", run: measureThreeClient, systems: brokers, shared: true,
		marks: []mark{atLeast("MB/s", nameKafka, 2.5)}},
	{name: "latency", what: "end to end at 1,000 records/s of 1 KiB", run: measureLatency(1000), systems: andNATS,
		marks: []mark{atMost("p50, ms", 0.4), atMost("p99, ms", 1.2), atMost("p99.9, ms", 4)}},
	{name: "latencyframes", what: "end to end at 1,000 records/s of 1 KiB, prepared frames", run: measureLatencyFrames(1000), systems: andLimit,
		marks: []mark{atMost("p50, ms", 0.4), atMost("p99, ms", 1.2), atMost("p99.9, ms", 4)}},
	{name: "latency20k", what: "end to end at 20,000 records/s of 1 KiB", run: measureLatency(20_000), systems: andNATS,
		marks: []mark{atMost("p50, ms", 0.4), atMost("p99, ms", 2.5), atMost("p99.9, ms", 8)}},
	{name: "latencyframes20k", what: "end to end at 20,000 records/s of 1 KiB, prepared frames", run: measureLatencyFrames(20_000), systems: andLimit,
		marks: []mark{atMost("p50, ms", 0.4), atMost("p99, ms", 2.5), atMost("p99.9, ms", 8)}},
	{name: "latency3", what: "end to end at 1,000 records/s of 1 KiB, RF 3, acks=all", run: measureLatencyThree, systems: brokers,
		shared: true, marks: []mark{atMost("p50, ms", 1), atMost("p99, ms", 5)}},
	{name: "start", what: "exec to the first acknowledged record", run: measureStart, systems: brokers,
		marks: []mark{atMost("empty directory, s", 0.15), atMost("after kill -9, s", 0.4)}},
	{name: "idle", what: "an idle broker", run: measureIdle, systems: andNATS,
		marks: []mark{atMost("idle CPU, % of a core", 0.5), atMost("resident, MiB", 48)}},
	{name: "idle3", what: "three idle brokers", run: measureIdleThree, systems: brokers, shared: true,
		marks: []mark{atMost("idle CPU, % of a core", 2), atMost("resident, MiB", 150), atMost("resident after a load, MiB", 450)}},
	{name: "parts1k", what: "1,000 partitions", run: measurePartitions(1000), systems: brokers},
	{name: "parts5k", what: "5,000 partitions", run: measurePartitions(5000), systems: brokers,
		marks: []mark{atMost("resident, MiB", 150)}},
	{name: "parts10k", what: "10,000 partitions", run: measurePartitions(10_000), systems: brokers,
		marks: []mark{atMost("create and lead, s", 1), atMost("one record to each, s", 4), atMost("resident, MiB", 200),
			atMost("restart, clean, s", 0.5), atMost("restart after kill -9, s", 1)}},
	{name: "groups", what: "10,000 consumers in 1,000 groups", run: measureGroups, systems: brokers,
		marks: []mark{atMostOf("broker CPU, % of a core", nameKafka, 1.0/3)}},
	{name: "length", what: "cost with the log's length", run: measureLength, systems: andLimit,
		marks: []mark{atMost("produce, CPU of the long log / short", 1.1), atMost("fetch, CPU of the long log / short", 1.1)}},
	{name: "fsync", what: "one-record requests, 64 connections, by what is synced", run: measureFsync, systems: brokers},
}

func (c *benchCase) measures(system string) bool { return slices.Contains(c.systems, system) }
