package storage

import (
	"math/rand/v2"
	"testing"
	"time"

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

// What is known of a segment's timestamps is on the disk once it is no longer appended to, also where a truncation or a
// recovery has sealed it.
func TestTimestampsOfSealedSegmentsSurviveACleanStop(t *testing.T) {
	for name, seal := range map[string]func(h *harness, l *Log){
		"truncated": func(h *harness, l *Log) {
			if err := l.TruncateTo(8); err != nil {
				t.Fatal(err)
			}
			h.append(l, 1, "behind the cut")
		},
		"recovered": func(h *harness, l *Log) {
			h.appendMany(l, 30) // into other segments
			h.fs = h.fs.(*vfs.Mem).Restart()
			h.boot[0]++ // nothing is trusted
			h.open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, vfs.NewMem())
			l := h.log(small)
			want := h.store.nowMs() + 7*time.Hour.Milliseconds()
			for range 9 {
				h.append(l, 1, "v")
				h.pass(time.Hour)
			}
			seal(h, l)
			h.close(true)
			if err := removeFile(h.fs, "/data/"+inventoryName); err != nil {
				t.Fatal(err)
			}
			at, found, err := h.open().Log(testTopic).OffsetForTimestamp(want)
			if err != nil || !found || at.Offset != 7 {
				t.Fatalf("timestamp %d: %+v %v %v, want offset 7", want, at, found, err)
			}
		})
	}
}
