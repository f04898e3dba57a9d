package record

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

func TestCodecsRoundTrip(t *testing.T) {
	noise := make([]byte, 300_000)
	rand.Read(noise)
	for _, codec := range codecs {
		for _, level := range []int{0, 1, 3, 9, 17, 22, -5, 1000} {
			for _, in := range [][]byte{nil, []byte("a"), []byte(strings.Repeat("Barnabas ", 30_000)), noise} {
				packed, err := codec.Compress([]byte("prefix"), in, level)
				if err != nil || !bytes.HasPrefix(packed, []byte("prefix")) {
					t.Fatalf("%s level %d: %v", codec, level, err)
				}
				var d Decompressor
				out, err := d.Expand(nil, codec, packed[len("prefix"):])
				if err != nil || !bytes.Equal(in, out) {
					t.Fatalf("%s level %d: %d bytes became %d, %v", codec, level, len(in), len(out), err)
				}
			}
		}
	}
}

func TestLevelsDiffer(t *testing.T) {
	var in []byte
	for i := range 20_000 {
		in = fmt.Appendf(in, "%d squared is %d;", i, i*i)
	}
	for codec, levels := range map[Codec][2]int{Gzip: {1, 9}, LZ4: {9, 17}, Zstd: {1, 19}} {
		low, _ := codec.Compress(nil, in, levels[0])
		high, _ := codec.Compress(nil, in, levels[1])
		if len(high) >= len(low) {
			t.Errorf("%s: level %d gives %d bytes, level %d %d", codec, levels[0], len(low), levels[1], len(high))
		}
	}
}

func TestSnappyInOneRawBlock(t *testing.T) {
	in := []byte(strings.Repeat("raw", 50_000))
	out, err := new(Decompressor).Expand(nil, Snappy, snappy.Encode(nil, in))
	if err != nil || !bytes.Equal(in, out) {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
}

// bomb is a batch whose records, of 1 MiB of zeroes each, expand to n MiB.
func bomb(t *testing.T, codec Codec, n int32) Batch {
	t.Helper()
	var packed bytes.Buffer
	var w io.WriteCloser
	switch codec {
	case Gzip:
		w = gzip.NewWriter(&packed)
	case LZ4:
		w = lz4.NewWriter(&packed)
	case Zstd:
		w, _ = zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
	}
	zeroes := make([]byte, 1<<20)
	builder := new(Builder)
	for i := range n {
		builder.Reset(Options{})
		builder.last = i - 1
		builder.Append(0, nil, zeroes)
		if _, err := w.Write(builder.records); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	h := header{attributes: int16(codec), count: n, lastDelta: n - 1}
	return h.seal(append(make([]byte, HeaderSize), packed.Bytes()...))
}

func TestBombsAreRefusedWithoutMemory(t *testing.T) {
	for _, codec := range []Codec{Gzip, LZ4, Zstd} {
		b := bomb(t, codec, 40)
		if err := b.Check(Limits{}); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := b.CheckRecords(&Decompressor{MaxExpanded: 16 << 20}, &Rules{Type: LogAppendTime})
		runtime.ReadMemStats(&after)
		wantErr(t, err, ErrExpands)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 20<<20 {
			t.Errorf("%s: a bomb of %d bytes took %d bytes of memory", codec, len(b), grown)
		}
	}
}

func TestOneHugeRecordIsRefused(t *testing.T) {
	// A length of 2 GiB, then zeroes for ever.
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	w.Write([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f})
	zeroes := make([]byte, 1<<20)
	for range 40 {
		w.Write(zeroes)
	}
	w.Close()
	h := header{attributes: int16(Gzip), count: 1}
	b := h.seal(append(make([]byte, HeaderSize), packed.Bytes()...))
	_, err := b.CheckRecords(new(Decompressor), &Rules{Type: LogAppendTime})
	wantErr(t, err, ErrExpands)
}

func TestClaimsAreNotBelieved(t *testing.T) {
	// A snappy block that claims 4 GiB; a zstd frame with a window of 2 GiB.
	for codec, payload := range map[Codec][]byte{
		Snappy: {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'a'},
		Zstd:   {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x03, 0x00, 0x00},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := new(Decompressor).Expand(nil, codec, payload)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: believed", codec)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: took %d bytes of memory", codec, grown)
		}
	}
}

func TestTruncatedStreamsAreCorrupt(t *testing.T) {
	for _, name := range []string{"gzip", "snappy", "lz4", "zstd", "zstd-22"} {
		whole := golden(t, name)
		for _, keep := range []int{0, 1, 5, 20, 500, len(whole.Payload()) / 2, len(whole.Payload()) - 1} {
			b := clone(whole[:HeaderSize+keep])
			var r Reader
			r.Reset(b, new(Decompressor))
			for r.Next() {
			}
			err := r.Err()
			if err == nil {
				err = r.Finish()
			}
			r.Close()
			// An end mark that is missing isn't noticed by every codec, once all records are there.
			if err == nil && keep < len(whole.Payload())-8 {
				t.Errorf("%s cut to %d bytes: no error", name, keep)
			}
			if err != nil {
				wantErr(t, err, ErrCorrupt)
			}
		}
	}
}

func TestUnknownCodec(t *testing.T) {
	_, err := Codec(5).Compress(nil, nil, 0)
	wantErr(t, err, ErrUnsupportedCodec)
	_, err = new(Decompressor).Expand(nil, Codec(7), []byte("x"))
	wantErr(t, err, ErrUnsupportedCodec)
	_, err = ParseCodec("brotli")
	wantErr(t, err, ErrUnsupportedCodec)
	for _, c := range codecs {
		if parsed, err := ParseCodec(c.String()); parsed != c || err != nil {
			t.Errorf("%s: parsed %s, %v", c, parsed, err)
		}
	}
}
