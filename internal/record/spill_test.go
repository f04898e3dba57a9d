package record

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// Batches that are too large to be compressed in one go pass through the codec as a stream, and read as they were.
func TestLargeBatchesAreStreamed(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 10, spillSize - 100, spillSize, 1, spillSize + 1, 3 * spillSize, 5000, 100_000, 40_000, 7}
	values := make([][]byte, len(sizes))
	for i, size := range sizes {
		values[i] = make([]byte, size)
		for at := range values[i][:size/2] {
			values[i][at] = byte(noise.Uint32())
		}
	}
	for _, codec := range codecs {
		plain := NewBuilder(Options{BaseOffset: 7})
		for i, value := range values {
			plain.Append(int64(1000+i), []byte("key"), value, Header{Key: "h", Value: []byte("v")})
		}
		size := plain.Size()
		from, err := plain.Build()
		if err != nil {
			t.Fatal(err)
		}
		builder := NewBuilder(Options{Codec: codec, BaseOffset: 7})
		for range 2 { // the second time with what the first has left in the pools
			builder.Reset(Options{Codec: codec, BaseOffset: 7})
			var r Reader
			for r.Reset(from, nil); r.Next(); {
				builder.AppendRecord(r.Record().Offset, r.Record())
			}
			if builder.Size() != size {
				t.Errorf("%s: size %d, want %d", codec, builder.Size(), size)
			}
			b, err := builder.Build()
			if err != nil {
				t.Fatalf("%s: %v", codec, err)
			}
			if err := b.Check(Limits{}); err != nil {
				t.Fatalf("%s: %v", codec, err)
			}
			i := 0
			for r.Reset(b, new(Decompressor)); r.Next(); i++ {
				rec := r.Record()
				if !bytes.Equal(rec.Value, values[i]) || rec.Timestamp != int64(1000+i) || rec.HeaderCount != 1 || rec.Offset != Offset(7+i) {
					t.Fatalf("%s: record %d differs", codec, i)
				}
			}
			if r.Err() != nil || r.Finish() != nil || i != len(values) {
				t.Fatalf("%s: %d records, %v, %v", codec, i, r.Err(), r.Finish())
			}
			r.Close()
		}
	}
}

// A batch beyond its bound is refused, and costs no more memory than the bound.
func TestBuilderBound(t *testing.T) {
	value := make([]byte, 100_000)
	noise := rand.NewChaCha8([32]byte{})
	noise.Read(value)
	for _, codec := range codecs {
		builder := NewBuilder(Options{Codec: codec, MaxBytes: 1 << 20})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 300 {
			noise.Read(value)
			builder.Append(0, nil, value)
		}
		_, err := builder.Build()
		runtime.ReadMemStats(&after)
		wantErr(t, err, ErrTooLarge)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 24<<20 {
			t.Errorf("%s: %d bytes of memory", codec, grown)
		}
		builder.Reset(Options{Codec: codec, MaxBytes: 1 << 20})
		builder.Append(0, nil, value)
		if _, err := builder.Build(); err != nil {
			t.Errorf("%s: after Reset: %v", codec, err)
		}
		builder.Reset(Options{Codec: codec, MaxBytes: 50_000})
		builder.Append(0, nil, value)
		_, err = builder.Build()
		wantErr(t, err, ErrTooLarge)
	}
}
