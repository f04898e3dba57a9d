package metrics

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the reference page anew")

// scrape writes the page and reads it as Prometheus would.
func scrape(t *testing.T, r *Registry) map[string]*dto.MetricFamily {
	t.Helper()
	var page bytes.Buffer
	n, err := r.WriteTo(&page)
	if err != nil || n != int64(page.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, page.Len(), err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&page)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value is the only sample of a family with these labels.
func value(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	family := families[name]
	if family == nil {
		t.Errorf("no family %s", name)
		return -1
	}
	for _, m := range family.Metric {
		var got []string
		for _, l := range m.Label {
			got = append(got, l.GetName(), l.GetValue())
		}
		if !slices.Equal(got, labels) {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.Counter.GetValue()
		case m.Gauge != nil:
			return m.Gauge.GetValue()
		case m.Summary != nil:
			return float64(m.Summary.GetSampleCount())
		}
	}
	t.Errorf("no sample of %s with %v", name, labels)
	return -1
}

type fixture struct{}

func (fixture) AppendPartitions(list []Partition) []Partition {
	return append(list,
		Partition{Topic: "a", Partition: 0, Leader: true, Preferred: true, LogStartOffset: 5, LogEndOffset: 20, HighWatermark: 18,
			LastStableOffset: 15, SizeBytes: 1000, Segments: 2, Replicas: 3, InSync: 2, MinInSync: 2},
		Partition{Topic: "a", Partition: 1, Leader: true, Replicas: 3, InSync: 1, MinInSync: 2, Reassigning: true},
		Partition{Topic: "b", Partition: 0, Offline: true, LogEndOffset: 7})
}

func (fixture) AppendGroups(list []Group) []Group {
	return append(list, Group{Name: `say "hi"`, State: "Stable", Members: 2, Offsets: []GroupOffset{
		{Topic: "a", Partition: 0, Committed: 10, End: 18}, {Topic: "a", Partition: 1, Committed: 3, End: 3},
		{Topic: "b", Partition: 0, Committed: 4, End: -1}}},
		Group{Name: "idle", State: "Empty"})
}

func (fixture) ClusterState() Cluster {
	return Cluster{Active: true, Brokers: 3, OfflinePartitions: 1, Partitions: map[string]int{"a": 2, "b": 1}}
}

func (fixture) LogDirStates() []LogDir {
	return []LogDir{{Path: "/data", TotalBytes: 100, FreeBytes: 40}, {Path: "/disk2", Offline: true}}
}

func (fixture) Certificates() []Certificate { return []Certificate{{"SSL", time.Unix(2e9, 0)}} }

func (fixture) AdvertisedAddresses() []Address {
	return []Address{{"OUTSIDE", "203.0.113.1:30901", true}}
}

func (fixture) DeclaredTopics() (Declared, bool) { return Declared{3, 1, 2}, true }

func (fixture) DroppedEvents() int64 { return 5 }

func (fixture) Registered() bool { return true }

// filled is a registry in which everything there is has been counted.
func filled() *Registry {
	r := New("1.2.3")
	r.AddPartitions(fixture{})
	r.AddGroups(fixture{})
	r.AddCluster(fixture{})
	r.AddLogDirs(fixture{})
	r.AddPod(fixture{})
	r.Gauge("kafka_server_delayedoperationpurgatory_purgatorysize", "Requests that wait.", func() float64 { return 4 }, "delayedOperation", "Fetch")
	a := r.Topics.Get("a")
	a.MessagesIn.Add(100)
	r.Topics.Get("b").MessagesIn.Add(1)
	produce := r.Requests.Get("Produce")
	for _, times := range requestTimes {
		times.of(produce).Observe(3 * time.Millisecond)
	}
	produce.Done(9)
	produce.Done(13)
	produce.Done(13)
	produce.Error(0)
	produce.Error(-1)
	r.Connections.Opened("PLAINTEXT")
	r.Connections.Opened("PLAINTEXT")
	r.Connections.Closed("PLAINTEXT")
	r.Connections.Refused("PLAINTEXT")
	r.Replication.ISRShrinks.Add(2)
	return r
}

func TestPage(t *testing.T) {
	r := filled()
	names := func(code int16) string { return fmt.Sprintf("E%d", code) }
	r.Requests.ErrorName.Store(&names)
	families := scrape(t, r)
	for _, c := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{101, "kafka_server_brokertopicmetrics_messagesin_total", nil},
		{100, "kafka_server_brokertopicmetrics_messagesin_total", []string{"topic", "a"}},
		{0, "kafka_server_brokertopicmetrics_failedproducerequests_total", []string{"topic", "a"}},
		{2, "kafka_network_requestmetrics_requests_total", []string{"request", "Produce", "version", "13"}},
		{1, "kafka_network_requestmetrics_errors_total", []string{"request", "Produce", "error", "E-1"}},
		{1, "kafka_network_requestmetrics_totaltimems", []string{"request", "Produce"}},
		{1, "kafka_server_socket_server_metrics_connection_count", []string{"listener", "PLAINTEXT", "networkProcessor", "0"}},
		{3, "kafka_server_replicamanager_partitioncount", nil},
		{2, "kafka_server_replicamanager_leadercount", nil},
		{2, "kafka_server_replicamanager_underreplicatedpartitions", nil},
		{1, "kafka_server_replicamanager_underminisrpartitioncount", nil},
		{1, "kafka_server_replicamanager_atminisrpartitioncount", nil},
		{1, "kafka_server_replicamanager_offlinereplicacount", nil},
		{1, "kafka_server_replicamanager_reassigningpartitions", nil},
		{2, "kafka_server_replicamanager_isrshrinks_total", nil},
		{7, "kafka_log_log_logendoffset", []string{"topic", "b", "partition", "0"}},
		{3, "kafka_cluster_partition_laststableoffsetlag", []string{"topic", "a", "partition", "0"}},
		{18, "kafka_topic_partition_current_offset", []string{"topic", "a", "partition", "0"}},
		{8, "kafka_consumergroup_lag", []string{"consumergroup", `say "hi"`, "topic", "a", "partition", "0"}},
		{4, "kafka_consumergroup_current_offset", []string{"consumergroup", `say "hi"`, "topic", "b", "partition", "0"}},
		{8, "kafka_consumergroup_lag_sum", []string{"consumergroup", `say "hi"`, "topic", "a"}},
		{0, "kafka_consumergroup_members", []string{"consumergroup", "idle"}},
		{1, "kafka_coordinator_group_groupmetadatamanager_numgroupsstable", nil},
		{3, "kafka_coordinator_group_groupmetadatamanager_numoffsets", nil},
		{1, "kafka_controller_kafkacontroller_activecontrollercount", nil},
		{3, "kafka_controller_kafkacontroller_globalpartitioncount", nil},
		{2, "kafka_topic_partitions", []string{"topic", "a"}},
		{1, "kafka_log_logmanager_offlinelogdirectorycount", nil},
		{40, "barnabas_log_directory_free_bytes", []string{"logDirectory", "/data"}},
		{4, "kafka_server_delayedoperationpurgatory_purgatorysize", []string{"delayedOperation", "Fetch"}},
		{1, "barnabas_build_info", []string{"version", "1.2.3"}},
	} {
		if got := value(t, families, c.name, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if len(families["kafka_topic_partition_current_offset"].Metric) != 2 {
		t.Error("a follower shows what its leader shows")
	}
	if len(families["kafka_consumergroup_lag"].Metric) != 2 {
		t.Error("an unknown lag is shown")
	}
	if families["go_goroutines"] == nil || runtime.GOOS == "linux" && families["process_open_fds"] == nil {
		t.Error("the process's own metrics are missing")
	}
}

// page is docs/metrics.md: what a scrape of everything shows, family by family.
func page(t *testing.T) string {
	var b strings.Builder
	b.WriteString(pageHead)
	families := scrape(t, filled())
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
			continue
		}
		family := families[name]
		labels := map[string]bool{}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				labels["`"+l.GetName()+"`"] = true
			}
			if m.Summary != nil {
				labels["`quantile`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), ", "), family.GetHelp())
	}
	b.WriteString(pageTail)
	return b.String()
}

const pageHead = `# Metrics

This page is written by ` + "`go test ./internal/metrics -update`" + `; do not edit it.

` + "`/metrics` of `http.listener`" + ` (127.0.0.1:8080 unless told otherwise) has the names that Kafka's metrics have behind the JMX exporter with
Strimzi's rules, and those of kafka_exporter, so that dashboards and alerts made for these work unchanged.

- What a topic counts comes for each topic, and once without a label for all of them: sum one or the other.
- What a partition's leader knows is shown by its leader alone, and what the controller knows by the controller alone, so that sums over
  all brokers are right.
- The quantiles of times are of the last minute or two; sums and counts are since the start.
- A group is shown by the broker that coordinates it, idle groups too.

| name | type | labels | what it is |
|---|---|---|---|
`

const pageTail = `
Beside them are ` + "`process_*` and `go_*`" + `, the metrics of the process and of the Go runtime, as every Go program has them, and where
a keeper runs inside the broker ` + "`etcd_*` and `grpc_*`" + `, as etcd has them.

## What Kafka has and Barnabas has not

There are no pools of threads whose idleness would say how busy a broker is
(` + "`kafka_network_socketserver_networkprocessoravgidle_percent`, `kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent`" + `):
` + "`rate(process_cpu_seconds_total[1m])`" + ` says it. Neither a request nor its answer waits in a queue
(` + "`…_requestqueuetimems`, `…_responsequeuetimems`" + `), and none is throttled, for there are no quotas yet (` + "`…_throttletimems`" + `). There is no Java virtual machine (` + "`jvm_*`" + `).
`

func TestReferencePageIsCurrent(t *testing.T) {
	const file = "../../docs/metrics.md"
	want := page(t)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what a scrape shows (%v): run go test ./internal/metrics -update", file, err)
	}
}

// TestDashboardsFindTheirNames has the names that Strimzi's dashboards and alerts and Grafana's 7589 and 11285 ask for.
func TestDashboardsFindTheirNames(t *testing.T) {
	families := scrape(t, filled())
	wanted, err := os.ReadFile("testdata/dashboards.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(wanted)) {
		name, why, excused := strings.Cut(strings.TrimSpace(line), " # ")
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if found := families[name] != nil; found == excused {
			t.Errorf("%s: found %v, excused %q", name, found, why)
		}
	}
}

func TestForgottenTopicsStayInTheSum(t *testing.T) {
	r := filled()
	r.Topics.Forget("a")
	r.Topics.Forget("never there")
	families := scrape(t, r)
	if got := value(t, families, "kafka_server_brokertopicmetrics_messagesin_total"); got != 101 {
		t.Errorf("the sum is %v", got)
	}
	if len(families["kafka_server_brokertopicmetrics_messagesin_total"].Metric) != 2 {
		t.Error("a forgotten topic is shown")
	}
}

func TestNotTheController(t *testing.T) {
	r := New("")
	r.AddCluster(follower{})
	families := scrape(t, r)
	if value(t, families, "kafka_controller_kafkacontroller_offlinepartitionscount") != 0 || families["kafka_topic_partitions"] != nil {
		t.Error("a broker that is not the controller tells of the cluster")
	}
}

type follower struct{ fixture }

func (follower) ClusterState() Cluster { return Cluster{OfflinePartitions: 3} }

func TestHandler(t *testing.T) {
	r := filled()
	for accept, want := range map[string]bool{"": false, "gzip": true, "deflate, gzip;q=1.0": true, "gzip;q=0": false, "br": false} {
		request := httptest.NewRequest("GET", "/metrics", nil)
		request.Header.Set("Accept-Encoding", accept)
		answer := httptest.NewRecorder()
		r.Handler().ServeHTTP(answer, request)
		body := io.Reader(answer.Body)
		if got := answer.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Fatalf("%q: compressed %v", accept, got)
		}
		if want {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		page, err := io.ReadAll(body)
		if err != nil || !bytes.Contains(page, []byte("kafka_server_replicamanager_partitioncount 3\n")) {
			t.Errorf("%q: %v, %d bytes", accept, err, len(page))
		}
	}
}

func TestBuckets(t *testing.T) {
	last := -1
	for us := int64(0); us < 1<<30; us += 1 + us/50 {
		b := bucketOf(us)
		if b < last || b >= bucketCount {
			t.Fatalf("%d µs is in bucket %d, after %d", us, b, last)
		}
		if middle := bucketMiddle(b); us < 1<<maxPower && (middle < float64(us)*0.93 || middle > float64(us)*1.07+0.5) {
			t.Errorf("%d µs is shown as %v", us, middle)
		}
		last = b
	}
	if last != bucketCount-1 {
		t.Errorf("the last bucket is %d", last)
	}
}

func TestQuantilesAreOfTheLastMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Durations
		if _, ok := d.summarize(time.Now()); ok {
			t.Error("something was observed")
		}
		for range 1000 {
			d.Observe(100 * time.Millisecond)
		}
		s, _ := d.summarize(time.Now())
		if s.count != 1000 || s.sumMs != 100_000 || s.quantiles[0] < 93 || s.quantiles[0] > 107 {
			t.Errorf("got %+v", s)
		}
		for range 3 {
			time.Sleep(windowLength) // the bubble's time
			for range 100 {
				d.Observe(time.Millisecond)
			}
			s, _ = d.summarize(time.Now())
		}
		if s.count != 1300 || s.quantiles[5] > 1.1 {
			t.Errorf("old times are still there: %+v", s)
		}
	})
}

func TestCountingWhileScraping(t *testing.T) {
	r := filled()
	var counting sync.WaitGroup
	for i := range 4 {
		counting.Go(func() {
			for n := range 2000 {
				name := fmt.Sprint("t", n%10)
				r.Topics.Get(name).BytesIn.Add(10)
				r.Requests.Get(fmt.Sprint("R", i%2)).Total.Observe(time.Duration(n) * time.Microsecond)
				r.Connections.Opened("L")
				if n%100 == 0 {
					r.Topics.Forget(name)
				}
			}
		})
	}
	for range 5 {
		scrape(t, r)
	}
	counting.Wait()
	if got := value(t, scrape(t, r), "kafka_network_requestmetrics_totaltimems", "request", "R0"); got != 4000 {
		t.Errorf("%v requests were counted", got)
	}
}

func TestOthersMetrics(t *testing.T) {
	r := New("")
	other := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "etcd_something_total", Help: "Something."})
	other.MustRegister(counter)
	counter.Add(3)
	r.AddGatherer(other)
	r.AddGatherer(prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, io.ErrUnexpectedEOF }))
	if got := value(t, scrape(t, r), "etcd_something_total"); got != 3 {
		t.Errorf("got %v", got)
	}
}

type many int

func (n many) AppendPartitions(list []Partition) []Partition {
	for i := range int(n) {
		list = append(list, Partition{Topic: "topic", Partition: int32(i), Leader: true})
	}
	return list
}

// TestTenThousandPartitions bounds what a scrape of them allocates: it is garbage in a process that should stay small.
func TestTenThousandPartitions(t *testing.T) {
	r := New("")
	r.AddPartitions(many(10_000))
	r.WriteTo(io.Discard) // the process's metrics are set up once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := r.WriteTo(io.Discard)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; err != nil || allocated > 16<<20 {
		t.Errorf("a page of %d bytes allocates %d, %v", n, allocated, err)
	}
}

func TestNewIsLight(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := New("")
	for i := range 60 {
		r.Requests.Get(fmt.Sprint("R", i)).Done(1)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 256<<10 {
		t.Errorf("a registry with 60 kinds of requests takes %d bytes", allocated)
	}
}

func BenchmarkObserve(b *testing.B) {
	var d Durations
	b.ReportAllocs()
	for b.Loop() {
		d.Observe(time.Millisecond)
	}
}
