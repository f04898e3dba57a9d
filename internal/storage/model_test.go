package storage

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// TestLogAgainstAModel does anything in any order with a log, and compares with a slice. Retention is the model's own doing.
func TestLogAgainstAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{T: rt, harness: newHarness(t, vfs.NewMem())}
		m.tune.InitialTaskDelay, m.tune.RetentionCheckInterval = 1000*time.Hour, 1000*time.Hour
		m.open()
		defer func() { m.store.Close(false) }()
		m.log = m.create(testTopic, m.config)
		actions := []func(){m.append, m.append, m.append, m.truncate, m.advance, m.retain, m.read, m.read, m.reopen, m.flush}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			actions[rapid.IntRange(0, len(actions)-1).Draw(rt, "action")]()
			m.check()
		}
	})
}

// model is what a log should be: batches by their first offset, and where it begins.
type model struct {
	*rapid.T
	*harness
	log    *Log
	ends   []record.Offset // after each batch
	values []string        // by offset, from 0
	start  record.Offset
}

func (m *model) config(c *LogConfig) { small(c); c.RetentionBytes = 4000; c.FileDeleteDelayMs = 10 }

func (m *model) append() {
	values := make([]string, rapid.IntRange(1, 5).Draw(m.T, "records"))
	for i := range values {
		values[i] = fmt.Sprintf("%d-%d", len(m.values)+i, rapid.IntRange(0, 1<<20).Draw(m.T, "value"))
	}
	codec := record.Codec(rapid.IntRange(0, 4).Draw(m.T, "codec"))
	b := buildBatch(m.t, record.Options{Codec: codec}, m.store.nowMs(), values...)
	done, err := m.log.Append(b, AppendOptions{LeaderEpoch: record.Epoch(len(m.values) / 30)})
	if err != nil || done.BaseOffset != record.Offset(len(m.values)) {
		m.T.Fatalf("append: %+v %v", done, err)
	}
	m.values = append(m.values, values...)
	m.ends = append(m.ends, record.Offset(len(m.values)))
	m.pass(time.Second)
}

func (m *model) truncate() {
	to := record.Offset(rapid.IntRange(int(m.start), len(m.values)).Draw(m.T, "to"))
	if err := m.log.TruncateTo(to); err != nil {
		m.T.Fatal(err)
	}
	end := record.Offset(0)
	for len(m.ends) > 0 && m.ends[len(m.ends)-1] > to {
		m.ends = m.ends[:len(m.ends)-1]
	}
	if len(m.ends) > 0 {
		end = m.ends[len(m.ends)-1]
	}
	m.values = m.values[:end]
	// A batch that began before the start of the log may have been cut: then the start follows.
	m.start = min(m.start, end)
}

func (m *model) advance() {
	m.log.SetHighWatermark(m.log.EndOffset())
	o := record.Offset(rapid.IntRange(0, len(m.values)).Draw(m.T, "start"))
	if err := m.log.AdvanceStart(o); err != nil {
		m.T.Fatal(err)
	}
	m.start = max(m.start, o)
}

func (m *model) retain() {
	m.log.SetHighWatermark(m.log.EndOffset())
	m.store.retain(m.store.Logs())
	if m.log.StartOffset() < m.start {
		m.T.Fatalf("retention moved the start from %d to %d", m.start, m.log.StartOffset())
	}
	m.start = m.log.StartOffset()
	m.store.deletions.run(m.store)
}

func (m *model) reopen() {
	clean := rapid.Bool().Draw(m.T, "clean")
	if !clean {
		// What the start offset was is only certain once it is written.
		m.store.dirs[0].checkpoint(startOffsets)
	}
	if err := m.store.Close(clean); err != nil {
		m.T.Fatal(err)
	}
	s, err := OpenStore(m.options())
	if err != nil {
		m.T.Fatal(err)
	}
	m.store, m.log = s, s.Log(testTopic)
	c := DefaultLogConfig()
	m.config(&c)
	m.log.SetConfig(c)
}

func (m *model) flush() {
	if err := m.log.Flush(); err != nil {
		m.T.Fatal(err)
	}
}

func (m *model) read() {
	from := record.Offset(rapid.IntRange(int(m.start), len(m.values)).Draw(m.T, "from"))
	upTo := record.Offset(rapid.IntRange(int(from), len(m.values)).Draw(m.T, "upTo"))
	maxBytes := rapid.IntRange(0, 3000).Draw(m.T, "maxBytes")
	span, err := m.log.Read(from, ReadOptions{MaxBytes: maxBytes, UpTo: upTo, MinOneBatch: true})
	if err != nil {
		m.T.Fatal(err)
	}
	values := map[record.Offset]string{}
	next := decodeSpan(m.t, &span, from, values)
	for o, v := range values {
		if m.values[o] != v || o >= upTo && upTo > 0 {
			m.T.Fatalf("offset %d of [%d, %d): %q, want %q", o, from, upTo, v, m.values[o])
		}
	}
	first := m.endAfter(from)
	if from < upTo && first <= upTo && next < first {
		m.T.Fatalf("read [%d, %d) ended at %d, the first batch ends at %d", from, upTo, next, first)
	}
}

// endAfter is the end of the batch that holds an offset.
func (m *model) endAfter(o record.Offset) record.Offset {
	for _, end := range m.ends {
		if end > o {
			return end
		}
	}
	return o
}

func (m *model) check() {
	if end := m.log.EndOffset(); end != record.Offset(len(m.values)) || m.log.StartOffset() != m.start {
		m.T.Fatalf("log is [%d, %d), want [%d, %d)", m.log.StartOffset(), end, m.start, len(m.values))
	}
	if hw := m.log.HighWatermark(); hw < m.start || hw > m.log.EndOffset() {
		m.T.Fatalf("high watermark %d in [%d, %d)", hw, m.start, m.log.EndOffset())
	}
	values := readAll(m.t, m.log, m.start, 700)
	if len(values) != len(m.values)-int(m.start) {
		m.T.Fatalf("%d values from %d, want %d", len(values), m.start, len(m.values)-int(m.start))
	}
	for o, v := range values {
		if m.values[o] != v {
			m.T.Fatalf("offset %d: %q, want %q", o, v, m.values[o])
		}
	}
}
