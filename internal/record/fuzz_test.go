package record

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fuzzExpanded keeps fuzzing fast; the bound itself has its own tests.
const fuzzExpanded = 8 << 20

func addGoldens(f *testing.F, add func(b []byte)) {
	err := filepath.WalkDir("testdata/java-4.4.0", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".batch" {
			return err
		}
		data, err := os.ReadFile(path)
		if len(data) < 20_000 {
			add(data)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}

// ours are the errors that bad bytes may cause.
var ours = []error{
	ErrShort, ErrCorrupt, ErrUnsupportedMagic, ErrTooLarge, ErrInvalid, ErrExpands, ErrUnsupportedCodec,
}

func wantOurs(t *testing.T, err error) {
	t.Helper()
	if err != nil && !slices.ContainsFunc(ours, func(e error) bool { return errors.Is(err, e) }) {
		t.Fatalf("an error of another room: %v", err)
	}
}

// FuzzBatch feeds anything to the walk, the checks and the reader. Every second run has its CRC put
// right, so that what comes behind the CRC is reached.
func FuzzBatch(f *testing.F) {
	addGoldens(f, func(b []byte) {
		f.Add(b, true)
		f.Add(append(slices.Clone(b), b...), false)
	})
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		data = slices.Clone(data)
		for rest := data; len(rest) > 0; {
			var b Batch
			var err error
			if b, rest, err = Next(rest); err != nil {
				wantOurs(t, err)
				return
			}
			if seal {
				b.seal()
			}
			checkAll(t, b)
		}
	})
}

func checkAll(t *testing.T, b Batch) {
	_, _ = b.DeleteHorizon()
	wantOurs(t, b.Check(Limits{}))
	err := b.Check(StoredLimits)
	wantOurs(t, err)
	d := &Decompressor{MaxExpanded: fuzzExpanded}
	found, readErr := b.CheckRecords(d, &Rules{Keys: true, NowMs: 1_700_000_000_000, BeforeMs: 1000, AfterMs: 1000})
	wantOurs(t, readErr)
	var r Reader
	r.Reset(b, d)
	var n int
	for r.Next() {
		rec := r.Record()
		n++
		headers := rec.Headers()
		for _, _, ok := headers.Next(); ok; _, _, ok = headers.Next() {
		}
	}
	wantOurs(t, r.Err())
	r.Close()
	if err == nil && readErr == nil && len(found.Errors) < maxRecordErrors && n != int(b.Count()) {
		t.Fatalf("%d records of %d without an error", n, b.Count())
	}
	if err == nil && b.IsControl() {
		_, _, err := ParseMarker(b)
		wantOurs(t, err)
	}
	empty := Batch(AppendEmptyBatch(nil, b))
	if err == nil && empty.Check(StoredLimits) != nil {
		t.Fatalf("the empty batch of a sound one: %v", empty.Check(StoredLimits))
	}
}

func FuzzExpand(f *testing.F) {
	addGoldens(f, func(b []byte) {
		if batch, _, err := Next(b); err == nil {
			f.Add(byte(batch.Codec()), batch.Payload())
		}
	})
	for _, codec := range codecs {
		packed, err := codec.Compress(nil, bytes.Repeat([]byte("fuzz"), 100), 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(codec), packed)
	}
	f.Fuzz(func(t *testing.T, codec byte, payload []byte) {
		d := Decompressor{MaxExpanded: fuzzExpanded}
		out, err := d.Expand(nil, Codec(codec&codecMask), payload)
		wantOurs(t, err)
		if len(out) > fuzzExpanded {
			t.Fatalf("expanded to %d bytes", len(out))
		}
	})
}

// What goes into a Builder comes out of a Reader, through every codec.
func TestBuilderAndReaderAgree(t *testing.T) {
	value := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 300))
	header := rapid.Custom(func(t *rapid.T) Header {
		return Header{Key: rapid.StringN(0, 10, 20).Draw(t, "header"), Value: value.Draw(t, "header value")}
	})
	one := rapid.Custom(func(t *rapid.T) plainRecord {
		return plainRecord{
			timestamp: rapid.Int64Range(-1, 1<<60).Draw(t, "timestamp"),
			key:       value.Draw(t, "key"),
			value:     value.Draw(t, "value"),
			headers:   rapid.SliceOfN(header, 0, 3).Draw(t, "headers"),
		}
	})
	builder := new(Builder)
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(one, 1, 50).Draw(rt, "records")
		opts := Options{
			Codec:      rapid.SampledFrom(codecs).Draw(rt, "codec"),
			BaseOffset: Offset(rapid.Int64Range(0, 1<<60).Draw(rt, "base")),
		}
		if rapid.Bool().Draw(rt, "idempotent") {
			opts.Producer = &Producer{ID: 9, Epoch: 1, Sequence: Sequence(rapid.Int32Range(0, 1<<31-1).Draw(rt, "sequence"))}
		}
		if rapid.Bool().Draw(rt, "horizon") {
			opts.DeleteHorizonMs = rapid.Int64Range(1, 1<<60).Draw(rt, "horizon ms")
		}
		builder.Reset(opts)
		for _, rec := range records {
			builder.Append(rec.timestamp, rec.key, rec.value, rec.headers...)
		}
		b, err := builder.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Check(Limits{}); err != nil {
			t.Fatal(err)
		}
		if opts.Codec == None && len(b) != builder.Size() {
			t.Fatalf("%d bytes, said to be %d", len(b), builder.Size())
		}
		if horizon, ok := b.DeleteHorizon(); ok != (opts.DeleteHorizonMs > 0) || ok && horizon != opts.DeleteHorizonMs {
			t.Fatalf("delete horizon %d, %v", horizon, ok)
		}
		wantRecords(t, b, records)
		copied := copyBatch(t, b, opts)
		wantRecords(t, copied, records)
	})
}

// copyBatch copies record by record, as recompression and compaction do.
func copyBatch(t *testing.T, b Batch, opts Options) Batch {
	builder := NewBuilder(opts)
	var r Reader
	r.Reset(b, new(Decompressor))
	defer r.Close()
	for r.Next() {
		builder.AppendRecord(r.Record().Offset, r.Record())
	}
	out, err := builder.Build()
	if err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	return out
}
