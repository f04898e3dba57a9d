package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestProducerPerfLines(t *testing.T) {
	var lines []string
	began := time.UnixMilli(1_000_000)
	s := newPerfStats(4, time.Second, func(line string) { lines = append(lines, line) })
	s.began, s.since = began, began
	for i, latency := range []int{10, 30, 20, 40} {
		s.record(began.Add(time.Duration(i+1)*400*time.Millisecond), time.Duration(latency)*time.Millisecond, 1<<20)
	}
	want := []string{"3 records sent, 2.5 records/sec (2.50 MB/sec), 20.0 ms avg latency, 30.0 ms max latency."}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("windows %q, want %q", lines, want)
	}
	total := s.totalLine(began.Add(2 * time.Second))
	if want := "4 records sent, 2.000000 records/sec (2.00 MB/sec), 25.00 ms avg latency, 40.00 ms max latency, " +
		"30 ms 50th, 40 ms 95th, 40 ms 99th, 40 ms 99.9th."; total != want {
		t.Errorf("%s\nwant %s", total, want)
	}
	s.steady = true
	if line := s.totalLine(began.Add(time.Second)); !strings.HasPrefix(line, "4 steady state records sent, 4.000000 ") {
		t.Error(line)
	}
}

func TestProducerPerfWithoutAnyRecord(t *testing.T) {
	s := newPerfStats(3, time.Second, func(string) {})
	if line := s.totalLine(s.began); line != "0 records sent, NaN records/sec (NaN MB/sec), NaN ms avg latency, 0.00 ms max latency, "+
		"0 ms 50th, 0 ms 95th, 0 ms 99th, 0 ms 99.9th." {
		t.Error(line)
	}
}

func TestProducerPerfSamples(t *testing.T) {
	s := newPerfStats(4*maxSamples, time.Hour, func(string) {})
	for range 4 * maxSamples {
		s.record(s.began, time.Millisecond, 1)
	}
	if len(s.samples) != maxSamples {
		t.Errorf("%d samples are kept", len(s.samples))
	}
}

func TestProducerPerfUsage(t *testing.T) {
	const good = "--topic t --num-records 5 --record-size 1 --throughput -1 "
	for args, want := range map[string]string{
		"--topic t": "argument --num-records is required",
		good:        "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified.",
		good + "--bootstrap-server a:1 --warmup-records 5":                                             "must be strictly fewer",
		good + "--bootstrap-server a:1 --reporting-interval 0":                                         "--reporting-interval should be greater than zero.",
		good + "--bootstrap-server a:1 --transaction-duration-ms 0":                                    "--transaction-duration-ms should be greater than zero.",
		good + "--producer-props a=1 --command-property b=1":                                           "cannot be specified together",
		good + "--producer.config f --command-config g":                                                "cannot be specified together",
		good + "--command-property acks":                                                               "Invalid property: acks",
		"--topic t --num-records 5 --throughput -1 --bootstrap-server a:1 --payload-file /nosuch-file": "File does not exist or empty file provided.",
	} {
		_, stderr, code := run(t, append([]string{"kafka-producer-perf-test"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q\nwant %q", args, code, stderr, want)
		}
	}
}

func TestConsumerPerfLines(t *testing.T) {
	t.Setenv("TZ", "UTC")
	dates, err := parseDateFormat("'at' HH:mm:ss")
	if err != nil {
		t.Fatal(err)
	}
	r := &consumerPerf{dates: dates, reportedMs: 1000}
	r.read = perfCount{records: 300, bytes: 3 << 20}
	r.reported = perfCount{records: 100, bytes: 1 << 20}
	r.joins.total = 500
	at := dates.format(3000)
	if got, want := r.windowLine(3000, 1000), at+", 0, 3.0000, 1.0000, 300, 100.0000, 1000, 1000, 2.0000, 200.0000"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := r.windowLine(3000, 2000), at+", 0, 3.0000, 1.0000, 300, 100.0000, 2000, 0, 0.0000, 0.0000"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	from := dates.format(1000)
	if got, want := r.summary(1000, 3000), from+", "+at+", 3.0000, 1.5000, 300, 150.0000, 500, 1500, 2.0000, 200.0000"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := r.summary(1000, 1500); !strings.HasSuffix(got, ", 500, 0, Infinity, Infinity") {
		t.Errorf("all of it joining: %s", got)
	}
}

func TestConsumerPerfUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--bootstrap-server a:1 --topic t":                                             `Missing required argument "[num-records]"`,
		"--bootstrap-server a:1 --num-records 1":                                       "Exactly one of the following arguments is required: [topic], [include]",
		"--bootstrap-server a:1 --num-records 1 --topic t --include u":                 "Exactly one of",
		"--bootstrap-server a:1 --num-records 1 --topic t --reporting-interval 0":      "Reporting interval must be greater than 0.",
		"--bootstrap-server a:1 --num-records 1 --topic t --date-format b":             "Illegal pattern character 'b'",
		"--bootstrap-server a:1 --num-records 1 --topic t --timeout x":                 "Cannot parse argument 'x' of option timeout",
		"--topic t --num-records 1":                                                    `Missing required argument "[bootstrap-server]"`,
		"--bootstrap-server a:1 --num-records 1 --include ( --command-property acks=1": "missing closing )",
	} {
		_, stderr, code := run(t, append([]string{"kafka-consumer-perf-test"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q\nwant %q", args, code, stderr, want)
		}
	}
}

func TestLatencyUsage(t *testing.T) {
	const good = "--bootstrap-server a:1 --topic t --num-records 1 --producer-acks all --record-size 1 "
	for args, want := range map[string]string{
		"a:1 t 1":                          "Expected 5 or 6 positional arguments, but got 3.",
		"a:1 t 1 0 1":                      "Latency testing requires synchronous acknowledgement.",
		good + "--num-headers -1":          "Value for --num-headers must be a non-negative integer.",
		good + "--record-header-size -2":   "or -1 for null header value.",
		"--bootstrap-server a:1 --topic t": `Missing required argument "[num-records]"`,
	} {
		_, stderr, code := run(t, append([]string{"kafka-e2e-latency"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q\nwant %q", args, code, stderr, want)
		}
	}
}

func TestCompareRecords(t *testing.T) {
	sent := &kgo.Record{Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "h"}}}
	same := *sent
	if err := compareRecords(sent, []*kgo.Record{&same}); err != nil {
		t.Error(err)
	}
	for want, got := range map[string]kgo.Record{
		"message value read [x]":   {Key: []byte("k"), Value: []byte("x")},
		"Expected message key":     {Value: []byte("v")},
		"message key read [y]":     {Key: []byte("y"), Value: []byte("v")},
		"Header count mismatch":    {Key: []byte("k"), Value: []byte("v")},
		"message header read [i:]": {Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "i"}}},
	} {
		if err := compareRecords(sent, []*kgo.Record{&got}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := compareRecords(sent, []*kgo.Record{&same, &same}); err == nil {
		t.Error("two records for one were taken")
	}
}

func TestDateFormat(t *testing.T) {
	ms := time.Date(2026, 3, 5, 0, 7, 9, 42e6, time.Local).UnixMilli()
	for pattern, want := range map[string]string{
		"yyyy-MM-dd HH:mm:ss:SSS": "2026-03-05 00:07:09:042",
		"yy MMM MMMM d D":         "26 Mar March 5 64",
		"EEE EEEE u":              "Thu Thursday 4",
		"h:K:k a":                 "12:0:24 AM",
		"'o''clock' HH'h'":        "o'clock 00h",
	} {
		f, err := parseDateFormat(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got := f.format(ms); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	for _, bad := range []string{"'open", "b"} {
		if _, err := parseDateFormat(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestBar(t *testing.T) {
	for done, want := range map[int64]string{
		0:   "[                              ]   0%",
		50:  "[###############               ]  50%  10s left",
		100: "[##############################] 100%  0s left",
		120: "[##############################] 100%  0s left",
	} {
		if got := bar(done, 100, 10*time.Second); got != want {
			t.Errorf("%d: %q, want %q", done, got, want)
		}
	}
}
