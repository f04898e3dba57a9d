package storage

import (
	"errors"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func TestWhatIsAppendedIsRead(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	h.appendMany(l, 100)
	if l.Segments() < 5 {
		t.Fatalf("%d segments, wanted many", l.Segments())
	}
	expectValues(t, l, 0, 100)
	for from := record.Offset(0); from < 100; from += 7 {
		expectValues(t, l, from, 100)
	}
}

func TestReadStaysBelowItsBound(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	h.appendMany(l, 60)
	for upTo := record.Offset(1); upTo <= 60; upTo++ {
		for from := record.Offset(0); from < upTo; from += 5 {
			span, err := l.Read(from, ReadOptions{MaxBytes: 1 << 20, UpTo: upTo})
			if err != nil {
				t.Fatal(err)
			}
			if next := decodeSpan(t, &span, from, map[record.Offset]string{}); next != upTo {
				t.Fatalf("read [%d, %d) ended at %d", from, upTo, next)
			}
		}
	}
}

func TestReadOutOfRange(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	h.appendMany(l, 10)
	for _, from := range []record.Offset{-1, 11} {
		if _, err := l.Read(from, ReadOptions{MaxBytes: 100}); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Errorf("read at %d: %v", from, err)
		}
	}
	span, err := l.Read(10, ReadOptions{MaxBytes: 100})
	if err != nil || span.Len() != 0 {
		t.Errorf("read at the end: %d bytes, %v", span.Len(), err)
	}
}

func TestOffsetWithinABatchReadsTheWholeBatch(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	h.append(l, 1, "value-0", "value-1", "value-2")
	h.append(l, 1, "value-3", "value-4")
	expectValues(t, l, 1, 5)
	expectValues(t, l, 4, 5)
}

func TestCleanRestartKeepsEverything(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	l := h.log(small)
	h.appendMany(l, 100)
	l.SetHighWatermark(90)
	if err := l.AdvanceStart(5); err != nil {
		t.Fatal(err)
	}
	h.close(true)
	for seed := range uint64(20) {
		again := newHarness(t, mem.Crash(seed))
		again.open()
		l := again.store.Log(testTopic)
		if l == nil || l.TopicID() != testTopicID {
			t.Fatalf("seed %d: log %v", seed, l)
		}
		expectValues(t, l, 5, 100)
		if l.StartOffset() != 5 || l.HighWatermark() != 90 || l.LatestEpoch() != 1 {
			t.Fatalf("start %d, high watermark %d, epoch %d", l.StartOffset(), l.HighWatermark(), l.LatestEpoch())
		}
		l.SetConfig(func() LogConfig { c := DefaultLogConfig(); small(&c); return c }())
		again.appendMany(l, 20)
		expectValues(t, l, 5, 120)
	}
}

func TestKilledProcessLosesNothing(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	l := h.log(small)
	for range 10 {
		h.appendMany(l, 37)
		again := newHarness(t, mem.Restart())
		again.open()
		l := again.store.Log(testTopic)
		expectValues(t, l, 0, l.EndOffset())
		if l.EndOffset() != h.store.Log(testTopic).EndOffset() {
			t.Fatalf("end is %d", l.EndOffset())
		}
		again.appendMany(l, 5)
		expectValues(t, l, 0, l.EndOffset())
	}
}

func TestTruncate(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(small)
	for _, to := range []record.Offset{95, 60, 61, 13, 0} {
		h.appendMany(l, int(100-l.EndOffset()))
		if err := l.TruncateTo(to); err != nil {
			t.Fatal(err)
		}
		expectValues(t, l, 0, to)
		h.appendMany(l, 30)
		expectValues(t, l, 0, to+30)
	}
	if err := l.TruncateFullyTo(5000); err != nil {
		t.Fatal(err)
	}
	if l.StartOffset() != 5000 || l.EndOffset() != 5000 || l.LatestEpoch() != record.NoEpoch {
		t.Fatalf("[%d, %d) epoch %d", l.StartOffset(), l.EndOffset(), l.LatestEpoch())
	}
	h.appendMany(l, 30)
	expectValues(t, l, 5000, 5030)
}

func TestTruncateWithinABatchCutsTheWholeBatch(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	h.append(l, 1, "value-0", "value-1")
	h.append(l, 1, "value-2", "value-3", "value-4")
	if err := l.TruncateTo(3); err != nil {
		t.Fatal(err)
	}
	expectValues(t, l, 0, 2)
}
