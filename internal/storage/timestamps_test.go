package storage

import (
	"math/rand/v2"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// TestOffsetForTimestamp compares with the definition, on timestamps that go up and down.
func TestOffsetForTimestamp(t *testing.T) {
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		h := newHarness(t, vfs.NewMem())
		l := h.log(small)
		var stamps []int64
		for len(stamps) < 300 {
			b := record.NewBuilder(record.Options{Codec: record.Codec(rnd.IntN(5))})
			for range 1 + rnd.IntN(4) {
				ts := int64(1000 + 3*len(stamps) + rnd.IntN(60))
				stamps = append(stamps, ts)
				b.Append(ts, nil, []byte("v"))
			}
			batch, _ := b.Build()
			if _, err := l.Append(batch, AppendOptions{LeaderEpoch: record.Epoch(len(stamps) / 100)}); err != nil {
				t.Fatal(err)
			}
		}
		l.SetHighWatermark(l.EndOffset())
		for round, start := range []record.Offset{0, 41, 41} {
			if round == 2 {
				h.close(true)
				l = h.open().Log(testTopic)
			} else if err := l.AdvanceStart(start); err != nil {
				t.Fatal(err)
			}
			for ts := int64(900); ts < 2100; ts += 7 {
				checkTimestamp(t, l, stamps, start, ts)
			}
			checkMaxTimestamp(t, l, stamps, start)
		}
	}
}

func checkTimestamp(t *testing.T, l *Log, stamps []int64, start record.Offset, ts int64) {
	t.Helper()
	want := record.Offset(-1)
	for o := start; int(o) < len(stamps); o++ {
		if stamps[o] >= ts {
			want = o
			break
		}
	}
	at, found, err := l.OffsetForTimestamp(ts)
	if err != nil || found != (want >= 0) || found && (at.Offset != want || at.Timestamp != stamps[want]) {
		t.Fatalf("timestamp %d from %d: %+v %v %v, want offset %d", ts, start, at, found, err, want)
	}
}

func checkMaxTimestamp(t *testing.T, l *Log, stamps []int64, start record.Offset) {
	t.Helper()
	want := start
	for o := start; int(o) < len(stamps); o++ {
		if stamps[o] > stamps[want] {
			want = o
		}
	}
	at, found, err := l.MaxTimestamp()
	if err != nil || !found || at.Offset != want || at.LeaderEpoch != l.EpochAt(want) {
		t.Fatalf("largest timestamp: %+v %v %v, want offset %d", at, found, err, want)
	}
}

func TestTimestampsOfAnEmptyLog(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	if _, found, err := l.MaxTimestamp(); found || err != nil {
		t.Error(found, err)
	}
	if _, found, err := l.OffsetForTimestamp(0); found || err != nil {
		t.Error(found, err)
	}
}
