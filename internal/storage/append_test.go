package storage

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func TestRefusedBatches(t *testing.T) {
	now := testStart.UnixMilli()
	spoil := func(at int, value byte) func(testing.TB) []byte {
		return func(t testing.TB) []byte {
			b := batchOf(t, now, "a", "b")
			b[at] ^= value
			return b
		}
	}
	built := func(o record.Options, values ...string) func(testing.TB) []byte {
		return func(t testing.TB) []byte { return buildBatch(t, o, now, values...) }
	}
	tests := []struct {
		name   string
		config func(*LogConfig)
		batch  func(testing.TB) []byte
		want   error
	}{
		{"nothing", nil, func(testing.TB) []byte { return nil }, ErrInvalidRecord},
		{"garbage", nil, func(testing.TB) []byte { return []byte(strings.Repeat("x", 100)) }, ErrCorruptMessage},
		{"cut short", nil, func(t testing.TB) []byte { return batchOf(t, now, "a")[:66] }, ErrCorruptMessage},
		{"wrong checksum", nil, spoil(70, 1), ErrCorruptMessage},
		{"old magic", nil, spoil(16, 3), ErrInvalidRecord},
		{"two batches", nil, func(t testing.TB) []byte {
			return append(batchOf(t, now, "a"), batchOf(t, now, "b")...)
		}, ErrInvalidRecord},
		{"base offset not 0", nil, built(record.Options{BaseOffset: 5}, "a"), ErrInvalidRecord},
		{"control batch", nil, built(record.Options{Control: true}, "a"), ErrInvalidRecord},
		{"too large", func(c *LogConfig) { c.MaxMessageBytes = 100 }, built(record.Options{}, strings.Repeat("x", 100)),
			ErrMessageTooLarge},
		{"larger than a segment", func(c *LogConfig) { c.SegmentBytes = 100 },
			built(record.Options{}, strings.Repeat("x", 100)), ErrRecordListTooLarge},
		{"from the future", nil, func(t testing.TB) []byte {
			return batchOf(t, now+2*time.Hour.Milliseconds(), "a")
		}, ErrInvalidTimestamp},
		{"from long ago", func(c *LogConfig) { c.TimestampBeforeMs = 1000 }, func(t testing.TB) []byte {
			return batchOf(t, now-2000, "a")
		}, ErrInvalidTimestamp},
		{"a producer's append time", func(c *LogConfig) { c.TimestampType = record.LogAppendTime },
			built(record.Options{Type: record.LogAppendTime, AppendTimeMs: now}, "a"), ErrInvalidTimestamp},
		{"a producer's append time, of none", nil,
			built(record.Options{Type: record.LogAppendTime, AppendTimeMs: record.NoTimestamp}, "a"), ErrInvalidTimestamp},
		{"a producer's append time, out of range", nil,
			built(record.Options{Type: record.LogAppendTime, AppendTimeMs: now + 2*time.Hour.Milliseconds()}, "a"),
			ErrInvalidTimestamp},
		{"fewer records than it says", func(c *LogConfig) { c.Strict = true }, func(t testing.TB) []byte {
			b := buildBatch(t, record.Options{}, now, "a", "b")
			b[60]++ // the count
			b[26]++ // the last offset delta
			b.SetLogAppendTime(now)
			b.SetCreateTime(now)
			return b
		}, ErrInvalidRecord},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHarness(t, vfs.NewMem())
			l := h.log(tt.config)
			done, err := l.Append(tt.batch(t), AppendOptions{LeaderEpoch: 1})
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if done.BaseOffset != -1 || l.EndOffset() != 0 || l.Size() != 0 {
				t.Fatalf("something was appended: %+v, end %d, size %d", done, l.EndOffset(), l.Size())
			}
			if errors.Is(err, ErrInvalidRecord) && done.Message == "" {
				t.Error("no message says why")
			}
			h.append(l, 1, "fine")
		})
	}
}

func TestCompactedTopicWantsKeys(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { c.Compact = true })
	b := record.NewBuilder(record.Options{Codec: record.Zstd})
	b.Append(testStart.UnixMilli(), []byte("k"), []byte("v"))
	b.Append(testStart.UnixMilli(), nil, []byte("v"))
	batch, _ := b.Build()
	done, err := l.Append(batch, AppendOptions{})
	if !errors.Is(err, ErrInvalidRecord) || len(done.RecordErrors) != 1 || done.RecordErrors[0].Index != 1 {
		t.Fatalf("%v, %+v", err, done)
	}
}

func TestHeaderIsPatchedAndTheRestStaysAsItCame(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	h.append(l, 4, "first")
	sent := batchOf(t, testStart.UnixMilli(), "a", "b", "c")
	want := slices.Clone(sent)
	done, err := l.Append(sent, AppendOptions{LeaderEpoch: 7})
	if err != nil {
		t.Fatal(err)
	}
	if done.BaseOffset != 1 || done.LastOffset != 3 || done.LogAppendTime != record.NoTimestamp || done.Records != 3 {
		t.Fatalf("%+v", done)
	}
	want.SetBaseOffset(1)
	want.SetLeaderEpoch(7)
	span, err := l.Read(1, ReadOptions{MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer span.Release()
	got := make([]byte, span.Len())
	if _, err := span.CopyTo(got); err != nil || !slices.Equal(got, want) {
		t.Fatalf("read %x\nwant %x (%v)", got, want, err)
	}
	if epoch, end := l.EpochEnd(4); epoch != 4 || end != 1 {
		t.Fatalf("epoch 4 is answered with %d, %d", epoch, end)
	}
}

// TestProducersAppendTime: on a topic whose records keep their own time, Kafka takes a batch that claims the time of a
// leader, if that is in range, for one of the producer's.
func TestProducersAppendTime(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	now := testStart.UnixMilli()
	_, err := l.Append(buildBatch(t, record.Options{Type: record.LogAppendTime, AppendTimeMs: now}, now, "a"), AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	span, err := l.Read(0, ReadOptions{MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer span.Release()
	stored := make(record.Batch, span.Len())
	if _, err := span.CopyTo(stored); err != nil {
		t.Fatal(err)
	}
	if stored.TimestampType() != record.CreateTime || stored.MaxTimestamp() != now || stored.Check(record.StoredLimits) != nil {
		t.Errorf("stored with %v and %d", stored.TimestampType(), stored.MaxTimestamp())
	}
}

func TestLogAppendTime(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { c.TimestampType = record.LogAppendTime })
	done, err := l.Append(batchOf(t, 5, "value-0", "value-1"), AppendOptions{})
	if err != nil || done.LogAppendTime != testStart.UnixMilli() {
		t.Fatalf("%+v %v", done, err)
	}
	expectValues(t, l, 0, 2)
	at, found, err := l.MaxTimestamp()
	if err != nil || !found || at.Timestamp != testStart.UnixMilli() || at.Offset != 0 {
		t.Fatalf("%+v %v %v", at, found, err)
	}
}

func TestBatchesAreStoredInTheTopicsCompression(t *testing.T) {
	for _, target := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		h := newHarness(t, vfs.NewMem())
		l := h.log(func(c *LogConfig) { c.Compression, c.KeepCompression = target, false })
		producer := &record.Producer{ID: 5, Epoch: 1, Sequence: 0}
		for codec := record.None; codec <= record.Zstd; codec++ {
			first := "value-" + string(rune('0'+l.EndOffset()))
			second := "value-" + string(rune('1'+l.EndOffset()))
			b := buildBatch(t, record.Options{Codec: codec, Producer: producer}, testStart.UnixMilli(), first, second)
			done, err := l.Append(b, AppendOptions{})
			if err != nil {
				t.Fatal(err)
			}
			producer.Sequence += 2
			span, _ := l.Read(done.BaseOffset, ReadOptions{MaxBytes: 1 << 20})
			buf := make([]byte, span.Len())
			span.CopyTo(buf)
			span.Release()
			if stored := record.Batch(buf); stored.Codec() != target || stored.ProducerID() != 5 || stored.Count() != 2 {
				t.Fatalf("stored as %s, producer %d, %d records", stored.Codec(), stored.ProducerID(), stored.Count())
			}
		}
		expectValues(t, l, 0, 10)
	}
}

func TestABatchSentTwiceIsAnsweredWithItsFirstOffset(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	send := func(sequence record.Sequence) (Appended, error) {
		producer := &record.Producer{ID: 9, Sequence: sequence}
		return l.Append(buildBatch(t, record.Options{Producer: producer}, testStart.UnixMilli(), "a", "b"), AppendOptions{})
	}
	for i := range 6 {
		if done, err := send(record.Sequence(2 * i)); err != nil || done.BaseOffset != record.Offset(2*i) {
			t.Fatalf("%+v %v", done, err)
		}
	}
	done, err := send(4)
	if err != nil || !done.Duplicate || done.BaseOffset != 4 || done.LastOffset != 5 || l.EndOffset() != 12 {
		t.Fatalf("%+v %v", done, err)
	}
	if _, err := send(20); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Fatal(err)
	}
	h.close(true)
	l = h.open().Log(testTopic)
	if done, err := send(10); err != nil || !done.Duplicate || done.BaseOffset != 10 {
		t.Fatalf("after a restart: %+v %v", done, err)
	}
	if states := l.Producers(); len(states) != 1 || states[0].ID != 9 || states[0].LastSequence != 11 {
		t.Fatalf("%+v", states)
	}
}

func TestFollowerKeepsOffsetsAndEpochs(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	var sent []byte
	for o, epoch := record.Offset(10), record.Epoch(2); o < 90; o += 4 {
		b := buildBatch(t, record.Options{BaseOffset: o}, testStart.UnixMilli(), "x", "y", "z") // a gap after each
		b.SetLeaderEpoch(epoch)
		if o > 50 {
			epoch = 5
		}
		sent = append(sent, b...)
	}
	done, err := l.Append(sent[:len(sent)-3], AppendOptions{Origin: Follower})
	if err != nil || done.BaseOffset != 10 || done.LastOffset != 84 || l.EndOffset() != 85 {
		t.Fatalf("%+v %v, end %d", done, err, l.EndOffset())
	}
	if l.Segments() < 2 {
		t.Fatalf("%d segments", l.Segments())
	}
	values := readAll(t, l, 0, 1)
	if len(values) != 19*3 || values[10] != "x" || values[84] != "z" {
		t.Fatalf("%d values: %v", len(values), values)
	}
	if epoch, end := l.EpochEnd(2); epoch != 2 || end != 58 {
		t.Fatalf("epoch 2 ends at %d (%d)", end, epoch)
	}
	if _, err := l.Append(sent, AppendOptions{Origin: Follower}); !errors.Is(err, ErrUnexpectedOffset) {
		t.Fatal(err)
	}
	swapped := append(slices.Clone(buildBatch(t, record.Options{BaseOffset: 95}, 0, "x")),
		buildBatch(t, record.Options{BaseOffset: 90}, 0, "x")...)
	if _, err := l.Append(swapped, AppendOptions{Origin: Follower}); !errors.Is(err, ErrCorruptMessage) {
		t.Fatal(err)
	}
	far := buildBatch(t, record.Options{BaseOffset: 85 + 2*math.MaxInt32}, 0, "far")
	if _, err := l.Append(far, AppendOptions{Origin: Follower}); err != nil {
		t.Fatal(err)
	}
	if values := readAll(t, l, 85, 100); values[85+2*math.MaxInt32] != "far" {
		t.Fatalf("%v", values)
	}
}

func TestCeiling(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	l.SetCeiling(3)
	h.append(l, 1, "value-0", "value-1")
	batch := batchOf(t, testStart.UnixMilli(), "value-2", "value-3")
	if _, err := l.Append(batch, AppendOptions{LeaderEpoch: 1}); !errors.Is(err, ErrCeiling) || l.EndOffset() != 2 {
		t.Fatalf("%v, end %d", err, l.EndOffset())
	}
	l.SetCeiling(4)
	if _, err := l.Append(batch, AppendOptions{LeaderEpoch: 1}); err != nil {
		t.Fatal(err)
	}
	expectValues(t, l, 0, 4)
}

func TestALogMayBeginAnywhere(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	h.open()
	l, err := h.store.Create(testTopic, testTopicID, DefaultLogConfig(), 5_000_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if done := h.append(l, 3, "value-5000000000"); done.BaseOffset != 5_000_000_000 {
		t.Fatalf("%+v", done)
	}
	h.close(false)
	l = h.open().Log(testTopic)
	expectValues(t, l, 5_000_000_000, 5_000_000_001)
}

func TestFlushMessages(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	l := h.log(func(c *LogConfig) { c.FlushMessages = 10 })
	h.appendMany(l, 25)
	again := newHarness(t, mem.Crash(0))
	again.boot[0]++
	again.open()
	if end := again.store.Log(testTopic).EndOffset(); end < 20 {
		t.Fatalf("after a crash the log ends at %d", end)
	}
}

// TestAppendDoesNotAllocatePerRecord compares what batches of one record and of a thousand cost.
func TestAppendDoesNotAllocatePerRecord(t *testing.T) {
	h := newHarness(t, vfs.OS)
	h.dirs = []string{t.TempDir()}
	l := h.log(nil)
	cost := func(records int) float64 {
		sent := batchOf(t, testStart.UnixMilli(), make([]string, records)...)
		return testing.AllocsPerRun(100, func() {
			sent.SetBaseOffset(0)
			if _, err := l.Append(sent, AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	one, thousand := cost(1), cost(1000)
	t.Logf("%v allocations for a record, %v for a thousand", one, thousand)
	if thousand > one+4 || one > 8 {
		t.Error("append allocates too much")
	}
}
