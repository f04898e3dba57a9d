package record

import "testing"

func BenchmarkCheck(b *testing.B) {
	batch := golden(b, "plain")
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if err := batch.Check(Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"plain", "gzip", "snappy", "lz4", "zstd"} {
		b.Run(name, func(b *testing.B) {
			batch := golden(b, name)
			b.SetBytes(int64(len(golden(b, "plain"))))
			b.ReportAllocs()
			var d Decompressor
			var r Reader
			for b.Loop() {
				r.Reset(batch, &d)
				for r.Next() {
				}
				r.Close()
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	records := goldenRecords()[5:]
	for _, codec := range codecs {
		b.Run(codec.String(), func(b *testing.B) {
			builder := new(Builder)
			b.ReportAllocs()
			for b.Loop() {
				builder.Reset(Options{Codec: codec})
				for i := range records {
					builder.Append(records[i].timestamp, records[i].key, records[i].value)
				}
				if _, err := builder.Build(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
