package record

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
)

func wantErr(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

func clone(b Batch) Batch { return slices.Clone(b) }

func TestPatchingKeepsTheChecksumRight(t *testing.T) {
	b := clone(golden(t, "idempotent"))
	b.SetBaseOffset(1 << 40)
	b.SetLeaderEpoch(99)
	if err := b.Check(Limits{}); err != nil {
		t.Fatal(err)
	}
	if b.BaseOffset() != 1<<40 || b.LastOffset() != 1<<40+2 || b.NextOffset() != 1<<40+3 || b.LeaderEpoch() != 99 {
		t.Fatalf("offsets %d to %d, epoch %d", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch())
	}
	if b.ProducerID() != 4711 || b.ProducerEpoch() != 3 || b.BaseSequence() != 42 || b.LastSequence() != 44 {
		t.Fatalf("producer %d/%d, sequence %d", b.ProducerID(), b.ProducerEpoch(), b.BaseSequence())
	}
	b.SetLogAppendTime(12345)
	if err := b.Check(Limits{}); err != nil {
		t.Fatal(err)
	}
	var r Reader
	r.Reset(b, nil)
	for r.Next() {
		if r.Record().Timestamp != 12345 {
			t.Fatalf("timestamp %d", r.Record().Timestamp)
		}
	}
	b.SetCreateTime(golden(t, "idempotent").MaxTimestamp())
	if err := b.Check(Limits{}); err != nil || b.TimestampType() != CreateTime {
		t.Fatal(err)
	}
}

func TestNextWalksAndStops(t *testing.T) {
	one := golden(t, "commit")
	buf := append(append(slices.Clone(one), one...), one[:40]...)
	for range 2 {
		var b Batch
		var err error
		if b, buf, err = Next(buf); err != nil || len(b) != len(one) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	_, rest, err := Next(buf)
	wantErr(t, err, ErrShort)
	if len(rest) != 40 {
		t.Fatalf("%d bytes left", len(rest))
	}
	_, _, err = Next(nil)
	wantErr(t, err, ErrShort)
	zeroes := make([]byte, 100)
	_, _, err = Next(zeroes)
	wantErr(t, err, ErrCorrupt)
	huge := slices.Clone(one)
	binary.BigEndian.PutUint32(huge[lengthAt:], math.MaxInt32)
	_, _, err = Next(huge)
	wantErr(t, err, ErrShort)
	binary.BigEndian.PutUint32(huge[lengthAt:], 20)
	_, _, err = Next(huge)
	wantErr(t, err, ErrCorrupt)
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		batch  string
		change func(b Batch)
		seal   bool
		limits Limits
		want   error
	}{
		{name: "a flipped bit", batch: "plain", change: func(b Batch) { b[1000] ^= 4 }, want: ErrCorrupt},
		{name: "a wrong CRC", batch: "plain", change: func(b Batch) { b[crcAt]++ }, want: ErrCorrupt},
		{name: "a large batch", batch: "plain", limits: Limits{MaxSize: 1000}, want: ErrTooLarge},
		{name: "a marker of a client", batch: "commit", want: ErrInvalid},
		{name: "an empty batch of a client", batch: "empty", want: ErrInvalid},
		{name: "an unknown codec", batch: "plain", seal: true, want: ErrUnsupportedCodec,
			change: func(b Batch) { b[attributesAt+1] |= 5 }},
		{name: "fewer records than offsets", batch: "plain", seal: true, want: ErrInvalid,
			change: func(b Batch) { binary.BigEndian.PutUint32(b[countAt:], 504) }},
		{name: "more records than offsets", batch: "plain", seal: true, want: ErrInvalid, limits: StoredLimits,
			change: func(b Batch) { binary.BigEndian.PutUint32(b[countAt:], 506) }},
		{name: "more records than bytes", batch: "idempotent", seal: true, want: ErrInvalid,
			change: func(b Batch) {
				binary.BigEndian.PutUint32(b[countAt:], 1<<30)
				binary.BigEndian.PutUint32(b[lastOffsetDeltaAt:], 1<<30-1)
			}},
		{name: "a negative count", batch: "plain", seal: true, want: ErrInvalid, limits: StoredLimits,
			change: func(b Batch) { binary.BigEndian.PutUint32(b[countAt:], 1<<31) }},
		{name: "a producer without sequence", batch: "idempotent", seal: true, want: ErrInvalid,
			change: func(b Batch) { binary.BigEndian.PutUint32(b[baseSequenceAt:], 1<<32-1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := clone(golden(t, c.batch))
			if c.change != nil {
				c.change(b)
			}
			if c.seal {
				b.seal()
			}
			wantErr(t, b.Check(c.limits), c.want)
		})
	}
	if err := golden(t, "empty").Check(StoredLimits); err != nil {
		t.Error(err)
	}
}

func TestSequenceWrapsToZero(t *testing.T) {
	if got := Sequence(math.MaxInt32).Add(1); got != 0 {
		t.Errorf("got %d", got)
	}
	if got := Sequence(math.MaxInt32 - 1).Add(5); got != 3 {
		t.Errorf("got %d", got)
	}
}

func TestCheckRecordsNamesTheRecords(t *testing.T) {
	b := golden(t, "zstd")
	found, err := b.CheckRecords(new(Decompressor), &Rules{Keys: true, BeforeMs: 1 << 62, AfterMs: 1 << 62})
	if err != nil || len(found.Errors) != 1 || found.Errors[0].Index != 1 || found.Errors[0].Err != ErrInvalid {
		t.Fatalf("%+v, %v", found.Errors, err)
	}
	now := int64(1_700_000_000_005)
	found, err = b.CheckRecords(new(Decompressor), &Rules{NowMs: now, BeforeMs: 2, AfterMs: 0})
	if err != nil || len(found.Errors) != 503 || found.Errors[0].Index != 0 || found.Errors[0].Err != ErrInvalidTimestamp {
		t.Fatalf("%d errors, %v", len(found.Errors), err)
	}
	// A topic with LogAppendTime doesn't look at what producers say, unless they say LogAppendTime.
	found, err = b.CheckRecords(new(Decompressor), &Rules{Type: LogAppendTime, NowMs: now})
	if err != nil || len(found.Errors) != 0 {
		t.Fatalf("%d errors, %v", len(found.Errors), err)
	}
	found, err = golden(t, "append-time").CheckRecords(nil, &Rules{Type: LogAppendTime})
	if err != nil || len(found.Errors) != 3 || found.Errors[0].Err != ErrInvalidTimestamp {
		t.Fatalf("%+v, %v", found.Errors, err)
	}
}

func TestCheckRecordsRefusesWhatCantBeRead(t *testing.T) {
	for name, change := range map[string]func(b Batch){
		"a length too long":  func(b Batch) { b[HeaderSize] = 0x7e },
		"a length too short": func(b Batch) { b[HeaderSize] -= 2 },
		"bytes left over": func(b Batch) {
			binary.BigEndian.PutUint32(b[countAt:], 2)
			binary.BigEndian.PutUint32(b[lastOffsetDeltaAt:], 1)
		},
		"a record too few": func(b Batch) {
			binary.BigEndian.PutUint32(b[countAt:], 4)
			binary.BigEndian.PutUint32(b[lastOffsetDeltaAt:], 3)
		},
	} {
		b := clone(golden(t, "idempotent"))
		change(b)
		b.seal()
		if err := b.Check(Limits{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err := b.CheckRecords(nil, &Rules{Type: LogAppendTime})
		wantErr(t, err, ErrInvalid)
		wantErr(t, err, ErrCorrupt)
	}
	b := clone(golden(t, "idempotent"))
	b[HeaderSize+3] = 2 // the offset delta of the first record becomes 1
	found, err := b.CheckRecords(nil, &Rules{Type: LogAppendTime})
	if err != nil || len(found.Errors) != 1 || found.Errors[0].Index != 0 {
		t.Fatalf("%+v, %v", found.Errors, err)
	}
}

func TestReadingAllocatesNothingPerRecord(t *testing.T) {
	for _, name := range []string{"plain", "snappy", "lz4", "gzip", "zstd"} {
		b := golden(t, name)
		var d Decompressor
		var r Reader
		allocated := testing.AllocsPerRun(20, func() {
			r.Reset(b, &d)
			for r.Next() {
			}
			r.Close()
		})
		// A collection empties the pool of decompressors, and the race detector does so one time in four.
		if few := float64(b.Count()) / 4; allocated > few {
			t.Errorf("%s: %v allocations for %d records", name, allocated, b.Count())
		}
	}
	b := golden(t, "plain")
	if n := testing.AllocsPerRun(20, func() { _ = b.Check(Limits{}) }); n > 0 {
		t.Errorf("Check allocates %v times", n)
	}
}
