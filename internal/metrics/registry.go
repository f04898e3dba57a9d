package metrics

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Counter only grows. Its zero value is ready.
type Counter = atomic.Int64

// Collector writes families of its own at each scrape. It may be called from several goroutines.
type Collector interface {
	Collect(w *Writer)
}

// Registry holds all metrics of one process. Its methods may be called from any goroutine; the counters in it
// are ready from the start, so that nobody has to ask whether there are metrics.
type Registry struct {
	// Topics are the counters of each topic.
	Topics Topics
	// Requests are the counters and times of each kind of request.
	Requests Requests
	// Connections are the counters of each listener.
	Connections Connections
	// Replication are the counters of the in-sync sets of this broker's partitions.
	Replication Replication

	mu         sync.Mutex
	collectors []Collector           // guarded by mu
	gatherers  []prometheus.Gatherer // guarded by mu
}

// New returns a Registry for a build of the given version. Beside its own it shows what is in
// client_golang's default registry: the process, the Go runtime, and etcd where a keeper runs inside.
func New(version string) *Registry {
	r := &Registry{gatherers: []prometheus.Gatherer{prometheus.DefaultGatherer}}
	r.collectors = []Collector{
		buildInfo(version), &r.Topics, &r.Requests, &r.Connections, &r.Replication,
	}
	return r
}

// Add makes c part of every scrape from now on.
func (r *Registry) Add(c Collector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.collectors = append(r.collectors, c)
}

// AddGatherer makes another registry of client_golang part of every scrape from now on.
func (r *Registry) AddGatherer(g prometheus.Gatherer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gatherers = append(r.gatherers, g)
}

// Gauge shows what value returns at each scrape. The labels are pairs of name and value.
func (r *Registry) Gauge(name, help string, value func() float64, labels ...string) {
	r.Add(gauge{name, help, value, labels})
}

type gauge struct {
	name, help string
	value      func() float64
	labels     []string
}

func (g gauge) Collect(w *Writer) {
	w.Family(g.name, GaugeType, g.help)
	w.Sample(g.value(), g.labels...)
}

type buildInfo string

func (version buildInfo) Collect(w *Writer) {
	w.Family("barnabas_build_info", GaugeType, "The version of Barnabas that runs; always 1.")
	w.Sample(1, "version", string(version))
}

func (r *Registry) sources() ([]Collector, []prometheus.Gatherer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.collectors), slices.Clone(r.gatherers)
}
