package record

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The files of testdata/java-4.4.0 were written by Golden.java there, with the Java client of Kafka 4.4.

func golden(t testing.TB, name string) Batch {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "java-4.4.0", name+".batch"))
	if err != nil {
		t.Fatal(err)
	}
	b, rest, err := Next(data)
	if err != nil || len(rest) != 0 {
		t.Fatalf("%s: %d bytes left, %v", name, len(rest), err)
	}
	return b
}

type plainRecord struct {
	timestamp  int64
	key, value []byte
	headers    []Header
}

// goldenRecords are those that Golden.java writes.
func goldenRecords() []plainRecord {
	const t0 = 1_700_000_000_000
	records := []plainRecord{
		{timestamp: t0, key: []byte("key-0"), value: []byte("野猪套天下第一")},
		{timestamp: t0 + 5, value: []byte("test")},
		{timestamp: t0 + 3, key: []byte("key-2")},
		{timestamp: t0 + 1, key: []byte{}, value: []byte{}, headers: []Header{
			{Key: "trace", Value: []byte("abc")}, {Key: "none"}, {Key: "", Value: []byte{}},
		}},
	}
	big := make([]byte, 100_000)
	for i := range big {
		big[i] = byte(i*31 + (i>>8)*7)
	}
	records = append(records, plainRecord{timestamp: t0 + 10, key: []byte("big"), value: big})
	for i := range 500 {
		records = append(records, plainRecord{
			timestamp: t0 + 10 + int64(i),
			key:       fmt.Appendf(nil, "k%d", i),
			value:     fmt.Appendf(nil, "value number %d", i),
		})
	}
	return records
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func wantRecords(t testing.TB, b Batch, want []plainRecord) {
	t.Helper()
	var d Decompressor
	var r Reader
	r.Reset(b, &d)
	defer r.Close()
	for i, w := range want {
		if !r.Next() {
			t.Fatalf("record %d of %d: %v", i, len(want), r.Err())
		}
		rec := r.Record()
		if rec.Offset != b.BaseOffset()+Offset(i) || !sameBytes(rec.Key, w.key) || !sameBytes(rec.Value, w.value) {
			t.Fatalf("record %d: offset %d, key %q, value of %d bytes", i, rec.Offset, rec.Key, len(rec.Value))
		}
		if b.TimestampType() == CreateTime && rec.Timestamp != w.timestamp {
			t.Fatalf("record %d: timestamp %d, want %d", i, rec.Timestamp, w.timestamp)
		}
		headers := rec.Headers()
		for _, h := range w.headers {
			key, value, ok := headers.Next()
			if !ok || string(key) != h.Key || !sameBytes(value, h.Value) {
				t.Fatalf("record %d: header %q=%q, %v, want %+v", i, key, value, ok, h)
			}
		}
		if _, _, ok := headers.Next(); ok {
			t.Fatalf("record %d has more headers", i)
		}
	}
	if r.Next() || r.Err() != nil {
		t.Fatalf("behind the last record: %v", r.Err())
	}
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestReadsWhatJavaWrites(t *testing.T) {
	for name, codec := range map[string]Codec{
		"plain": None, "gzip": Gzip, "snappy": Snappy, "lz4": LZ4, "lz4-hc": LZ4, "zstd": Zstd, "zstd-22": Zstd,
	} {
		t.Run(name, func(t *testing.T) {
			b := golden(t, name)
			if err := b.Check(Limits{}); err != nil {
				t.Fatal(err)
			}
			if b.Codec() != codec || b.Count() != 505 || b.LastOffset() != 504 || b.HasProducerID() {
				t.Fatalf("codec %s, %d records, last offset %d", b.Codec(), b.Count(), b.LastOffset())
			}
			wantRecords(t, b, goldenRecords())
			found, err := b.CheckRecords(new(Decompressor), &Rules{BeforeMs: 1 << 62, AfterMs: 1 << 62})
			if err != nil || len(found.Errors) > 0 || found.MaxTimestamp != b.MaxTimestamp() {
				t.Fatalf("%+v, %v", found, err)
			}
		})
	}
}

// What the Builder writes from the same records is, where no compressor is involved, byte for byte what
// Java writes.
func TestWritesWhatJavaWrites(t *testing.T) {
	producer := func(transactional bool) *Producer {
		return &Producer{ID: 4711, Epoch: 3, Sequence: 42, Transactional: transactional}
	}
	for _, c := range []struct {
		name    string
		opts    Options
		records int
		epoch   Epoch
	}{
		{"plain", Options{}, 505, NoEpoch},
		{"idempotent", Options{BaseOffset: 100, Producer: producer(false)}, 3, 7},
		{"transactional", Options{BaseOffset: 100, Producer: producer(true)}, 3, 7},
		{"append-time", Options{BaseOffset: 9, Type: LogAppendTime, AppendTimeMs: 1_700_000_000_999}, 3, NoEpoch},
	} {
		builder := NewBuilder(c.opts)
		for _, rec := range goldenRecords()[:c.records] {
			builder.Append(rec.timestamp, rec.key, rec.value, rec.headers...)
		}
		b, err := builder.Build()
		if err != nil {
			t.Fatal(err)
		}
		b.SetLeaderEpoch(c.epoch)
		if want := golden(t, c.name); !bytes.Equal(b, want) {
			t.Errorf("%s: differs:\n got %x\nwant %x", c.name, b[:HeaderSize], want[:HeaderSize])
		}
	}
}

func TestMarkersAreJavas(t *testing.T) {
	for name, commit := range map[string]bool{"commit": true, "abort": false} {
		want := Marker{Commit: commit, CoordinatorEpoch: 5, TimestampMs: 1_700_000_000_020}
		b, err := NewMarker(4711, 3, want)
		if err != nil {
			t.Fatal(err)
		}
		b.SetBaseOffset(103)
		b.SetLeaderEpoch(7)
		g := golden(t, name)
		if !bytes.Equal(b, g) {
			t.Errorf("%s: got %x\nwant %x", name, b, g)
		}
		if err := g.Check(StoredLimits); err != nil {
			t.Error(err)
		}
		if got, ok, err := ParseMarker(g); got != want || !ok || err != nil {
			t.Errorf("%s: parsed %+v, %v, %v", name, got, ok, err)
		}
	}
}

func TestEmptyBatchIsJavas(t *testing.T) {
	want := golden(t, "empty")
	source := golden(t, "transactional")
	got := AppendEmptyBatch(nil, source)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x\nwant %x", got, []byte(want))
	}
	if err := Batch(got).Check(StoredLimits); err != nil {
		t.Error(err)
	}
	if Batch(got).LastSequence() != 44 {
		t.Errorf("last sequence %d", Batch(got).LastSequence())
	}
}

func TestOldMagicIsRefused(t *testing.T) {
	data, err := os.ReadFile("testdata/java-4.4.0/magic1.batch")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Next(data)
	wantErr(t, err, ErrUnsupportedMagic)
}
