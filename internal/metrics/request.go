package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what a Request counts apart; what lies beyond is counted with the last.
const (
	maxVersions = 32  // of a protocol key
	maxErrors   = 192 // error codes, from -1
)

// Request are the counters of one kind of request: a protocol key, or one of its uses that Kafka
// counts apart (FetchConsumer, FetchFollower). Whoever answers the requests keeps the pointer.
type Request struct {
	Total  Durations // from the last byte received to the last byte sent
	Local  Durations // in the handler
	Remote Durations // waiting: for replicas, for records, for members of a group
	Send   Durations // from the ready answer to the last byte sent

	versions [maxVersions]Counter
	errors   [maxErrors]Counter
}

// Done counts an answered request of the given version.
func (r *Request) Done(version int16) {
	r.versions[min(max(version, 0), maxVersions-1)].Add(1)
}

// Error counts an error code that an answer carried; Kafka counts 0, none, too.
func (r *Request) Error(code int16) {
	r.errors[min(max(int(code)+1, 0), maxErrors-1)].Add(1)
}

var requestTimes = []struct {
	name, help string
	of         func(*Request) *Durations
}{
	{"totaltimems", "From the last byte of the request to the last of the answer.", func(r *Request) *Durations { return &r.Total }},
	{"localtimems", "In the handler.", func(r *Request) *Durations { return &r.Local }},
	{"remotetimems", "Waiting: for replicas, records, or members of a group.", func(r *Request) *Durations { return &r.Remote }},
	{"responsesendtimems", "From the ready answer to its last byte.", func(r *Request) *Durations { return &r.Send }},
}

// Requests are the counters of all kinds of requests. The zero value is ready.
type Requests struct {
	// ErrorName gives the name of an error code, as NOT_LEADER_OR_FOLLOWER; nil shows numbers. It is set
	// before the first scrape.
	ErrorName atomic.Pointer[func(code int16) string]

	byName sync.Map // string -> *Request
}

// Get returns the counters of one kind of request, the same for each caller. They take 3 KiB from
// then on, and 1 KiB more for each of the times that is ever observed.
func (r *Requests) Get(name string) *Request {
	if request, ok := r.byName.Load(name); ok {
		return request.(*Request)
	}
	request, _ := r.byName.LoadOrStore(name, new(Request))
	return request.(*Request)
}

type namedRequest struct {
	name    string
	request *Request
}

func (r *Requests) sorted() []namedRequest {
	var list []namedRequest
	for name, request := range r.byName.Range {
		list = append(list, namedRequest{name.(string), request.(*Request)})
	}
	slices.SortFunc(list, func(a, b namedRequest) int { return cmp.Compare(a.name, b.name) })
	return list
}

// Collect writes the requests that were ever answered, by version, their errors by name, and their times.
func (r *Requests) Collect(w *Writer) {
	const prefix = "kafka_network_requestmetrics_"
	list := r.sorted()
	w.Family(prefix+"requests_total", CounterType, "Requests answered, by kind and version.")
	for _, named := range list {
		for version := range named.request.versions {
			if n := named.request.versions[version].Load(); n > 0 {
				w.Count(n, "request", named.name, "version", strconv.Itoa(version))
			}
		}
	}
	w.Family(prefix+"errors_total", CounterType, "Error codes answered, by kind of request; NONE is success.")
	for _, named := range list {
		for i := range named.request.errors {
			if n := named.request.errors[i].Load(); n > 0 {
				w.Count(n, "request", named.name, "error", r.errorName(int16(i-1)))
			}
		}
	}
	for _, times := range requestTimes {
		w.Family(prefix+times.name, SummaryType, times.help+
			" Milliseconds; the quantiles are of the last minute or two.")
		for _, named := range list {
			w.durations(times.of(named.request), named.name)
		}
	}
}

func (r *Requests) errorName(code int16) string {
	if name := r.ErrorName.Load(); name != nil {
		return (*name)(code)
	}
	return strconv.Itoa(int(code))
}

func (w *Writer) durations(d *Durations, request string) {
	s, ok := d.summarize(w.now)
	if !ok {
		return
	}
	for i, q := range quantiles {
		w.Sample(s.quantiles[i], "request", request, "quantile", q.label)
	}
	w.sample("_sum", s.sumMs, []string{"request", request})
	w.sample("_count", float64(s.count), []string{"request", request})
}

// Since observes the time from start until now. It reads better than an Observe around a Sub.
func (d *Durations) Since(start time.Time) { d.Observe(time.Since(start)) }
