package storage

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// harness is a store in memory (unless told otherwise) with a clock that tests move.
type harness struct {
	t     *testing.T
	fs    vfs.FS
	dirs  []string
	now   time.Time
	mu    sync.Mutex
	boot  ident.BootID
	store *Store
	lines *lineBuffer
	tune  Settings
}

var (
	testTopic   = ident.TopicPartition{Topic: "orders", Partition: 3}
	testTopicID = ident.TopicID{1, 2, 3}
	testCluster = ident.ClusterID{7, 7}
	testStart   = time.UnixMilli(1_700_000_000_000)
)

func newHarness(t *testing.T, fsys vfs.FS) *harness {
	return &harness{t: t, fs: fsys, dirs: []string{"/data"}, now: testStart, boot: ident.BootID{9}, lines: &lineBuffer{}}
}

func (h *harness) options() Options {
	return Options{
		FS: h.fs, Dirs: h.dirs, ClusterID: testCluster, BrokerID: 1, BootID: h.boot, Settings: h.tune,
		Logger: slog.New(slog.NewTextHandler(h.lines, nil)),
		Clock: func() time.Time {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.now
		},
	}
}

func (h *harness) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// open opens the store and closes it with the test.
func (h *harness) open() *Store {
	h.t.Helper()
	s, err := OpenStore(h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	h.store = s
	h.t.Cleanup(func() {
		if h.store != nil {
			h.store.Close(false)
		}
	})
	return s
}

func (h *harness) close(clean bool) {
	h.t.Helper()
	if err := h.store.Close(clean); err != nil {
		h.t.Fatal(err)
	}
}

// log opens the store and makes a log in it.
func (h *harness) log(change func(*LogConfig)) *Log {
	h.t.Helper()
	h.open()
	return h.create(testTopic, change)
}

func (h *harness) create(tp ident.TopicPartition, change func(*LogConfig)) *Log {
	h.t.Helper()
	c := DefaultLogConfig()
	if change != nil {
		change(&c)
	}
	l, err := h.store.Create(tp, testTopicID, c, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return l
}

// small makes segments and index intervals that a few records fill.
func small(c *LogConfig) {
	c.SegmentBytes = 1000
	c.IndexIntervalBytes = 100
}

// lineBuffer gathers what is logged.
type lineBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lineBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lineBuffer) has(part string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.buf.String(), part)
}

// batchOf makes a batch of values, the first at a timestamp and each a millisecond later.
func batchOf(t testing.TB, ts int64, values ...string) record.Batch {
	t.Helper()
	return buildBatch(t, record.Options{}, ts, values...)
}

func buildBatch(t testing.TB, o record.Options, ts int64, values ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(o)
	for i, v := range values {
		b.Append(ts+int64(i), []byte("k"), []byte(v))
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func (h *harness) append(l *Log, epoch record.Epoch, values ...string) Appended {
	h.t.Helper()
	done, err := l.Append(batchOf(h.t, h.store.nowMs(), values...), AppendOptions{LeaderEpoch: epoch})
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

// appendMany appends n batches of one record, whose values are their offsets.
func (h *harness) appendMany(l *Log, n int) {
	h.t.Helper()
	for range n {
		h.append(l, 1, fmt.Sprintf("value-%d", l.EndOffset()))
	}
}

// readAll reads the values of all records from an offset to the end, with reads of so many bytes.
func readAll(t testing.TB, l *Log, from record.Offset, maxBytes int) map[record.Offset]string {
	t.Helper()
	values := map[record.Offset]string{}
	for at := from; at < l.EndOffset(); {
		span, err := l.Read(at, ReadOptions{MaxBytes: maxBytes, MinOneBatch: true})
		if err != nil {
			t.Fatal(err)
		}
		next := decodeSpan(t, &span, at, values)
		if next <= at {
			t.Fatalf("read at %d of %d made no progress", at, l.EndOffset())
		}
		at = next
	}
	return values
}

// decodeSpan notes the values from an offset on, and returns the offset after the last whole batch.
func decodeSpan(t testing.TB, span *Span, from record.Offset, values map[record.Offset]string) record.Offset {
	t.Helper()
	defer span.Release()
	buf := make([]byte, span.Len())
	if n, err := span.CopyTo(buf); err != nil && err != io.EOF || n != len(buf) {
		t.Fatalf("copied %d of %d bytes: %v", n, len(buf), err)
	}
	next := from
	for len(buf) > 0 {
		b, rest, err := record.Next(buf)
		if err != nil {
			break
		}
		if err := b.Check(record.StoredLimits); err != nil {
			t.Fatalf("batch at %d: %v", b.BaseOffset(), err)
		}
		var r record.Reader
		r.Reset(b, new(record.Decompressor))
		for r.Next() {
			if o := r.Record().Offset; o >= from {
				values[o] = string(r.Record().Value)
			}
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		buf, next = rest, b.NextOffset()
	}
	return next
}

// expectValues wants the log to hold value-N at every offset N of [from, to).
func expectValues(t testing.TB, l *Log, from, to record.Offset) {
	t.Helper()
	if l.EndOffset() != to {
		t.Fatalf("log ends at %d, want %d", l.EndOffset(), to)
	}
	for _, maxBytes := range []int{1, 500, 1 << 20} {
		expectRead(t, l, from, maxBytes)
	}
}

// expectRead wants the log to hold value-N at every offset N from one on.
func expectRead(t testing.TB, l *Log, from record.Offset, maxBytes int) {
	t.Helper()
	values, to := readAll(t, l, from, maxBytes), l.EndOffset()
	if len(values) != int(to-from) {
		t.Fatalf("read %d records, want %d", len(values), to-from)
	}
	for o := from; o < to; o++ {
		if want := fmt.Sprintf("value-%d", o); values[o] != want {
			t.Fatalf("offset %d holds %q, want %q", o, values[o], want)
		}
	}
}
