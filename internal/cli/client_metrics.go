package cli

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientMetrics collects, for --print-metrics, what a Java client would tell of itself under the
// same names. It is hooked into a client; its methods are safe for concurrent use.
type clientMetrics struct {
	mu                     sync.Mutex // guards all below
	began                  time.Time
	connections            int64 // made
	open                   int64
	requests, sent, read   int64 // requests, bytes
	requestTime            time.Duration
	slowestRequest         time.Duration
	acknowledged, failed   int64 // records; given up
	batches                int64
	batchBytes, plainBytes int64 // compressed and not
	largestBatch           int64
	fetches, fetched       int64 // fetch responses with records, records
	fetchedBytes           int64
	fetchTime              time.Duration
	slowestFetch           time.Duration
}

func newClientMetrics() *clientMetrics { return &clientMetrics{began: time.Now()} }

// fetchKey is the number of the Fetch request.
const fetchKey = 1

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (m *clientMetrics) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.connections++
		m.open++
	}
}

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect.
func (m *clientMetrics) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open--
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (m *clientMetrics) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	took := e2e.DurationE2E()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests++
	m.sent += int64(e2e.BytesWritten)
	m.read += int64(e2e.BytesRead)
	m.requestTime += took
	m.slowestRequest = max(m.slowestRequest, took)
	if key == fetchKey {
		m.fetches++
		m.fetchTime += took
		m.slowestFetch = max(m.slowestFetch, took)
	}
}

// OnProduceBatchWritten implements kgo.HookProduceBatchWritten.
func (m *clientMetrics) OnProduceBatchWritten(_ kgo.BrokerMetadata, _ string, _ int32, b kgo.ProduceBatchMetrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches++
	m.batchBytes += int64(b.CompressedBytes)
	m.plainBytes += int64(b.UncompressedBytes)
	m.largestBatch = max(m.largestBatch, int64(b.CompressedBytes))
}

// OnProduceRecordUnbuffered implements kgo.HookProduceRecordUnbuffered. Records are counted here and not by
// batch: the batch's hook is called after the promises of its records, when the totals may be printed already.
func (m *clientMetrics) OnProduceRecordUnbuffered(_ *kgo.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.failed++
		return
	}
	m.acknowledged++
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (m *clientMetrics) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, b kgo.FetchBatchMetrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched += int64(b.NumRecords)
	m.fetchedBytes += int64(b.CompressedBytes)
}

// print shows the metrics of a producer or a consumer as Kafka's tools print them.
func (m *clientMetrics) print(env *Env, role, client string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	values := map[string]float64{}
	common := role + "-metrics"
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	add := func(group, name string, value float64) {
		values[fmt.Sprintf("%s:%s:{client-id=%s}", group, name, client)] = value
	}
	seconds := time.Since(m.began).Seconds()
	add(common, "connection-count", float64(m.open))
	add(common, "connection-creation-total", float64(m.connections))
	add(common, "request-total", float64(m.requests))
	add(common, "request-rate", float64(m.requests)/seconds)
	add(common, "outgoing-byte-total", float64(m.sent))
	add(common, "outgoing-byte-rate", float64(m.sent)/seconds)
	add(common, "incoming-byte-total", float64(m.read))
	add(common, "incoming-byte-rate", float64(m.read)/seconds)
	if role == "producer" {
		add(common, "request-latency-avg", ms(m.requestTime)/float64(m.requests))
		add(common, "request-latency-max", ms(m.slowestRequest))
		add(common, "record-send-total", float64(m.acknowledged))
		add(common, "record-send-rate", float64(m.acknowledged)/seconds)
		add(common, "record-error-total", float64(m.failed))
		add(common, "batch-size-avg", float64(m.batchBytes)/float64(m.batches))
		add(common, "batch-size-max", float64(m.largestBatch))
		add(common, "records-per-request-avg", float64(m.acknowledged)/float64(m.batches))
		add(common, "compression-rate-avg", float64(m.batchBytes)/float64(m.plainBytes))
	} else {
		fetching := "consumer-fetch-manager-metrics"
		add(fetching, "records-consumed-total", float64(m.fetched))
		add(fetching, "records-consumed-rate", float64(m.fetched)/seconds)
		add(fetching, "bytes-consumed-total", float64(m.fetchedBytes))
		add(fetching, "bytes-consumed-rate", float64(m.fetchedBytes)/seconds)
		add(fetching, "fetch-total", float64(m.fetches))
		add(fetching, "fetch-latency-avg", ms(m.fetchTime)/float64(m.fetches))
		add(fetching, "fetch-latency-max", ms(m.slowestFetch))
	}
	printMetrics(env, values)
}

func printMetrics(env *Env, values map[string]float64) {
	var names []string
	width := 0
	for name := range values {
		names = append(names, name)
		width = max(width, len(name))
	}
	slices.Sort(names)
	env.printf("\n%-*s   %s\n", width, "Metric Name", "Value")
	for _, name := range names {
		env.printf("%-*s : %s\n", width, name, fixed(values[name], 3))
	}
}
