package storage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// filesOf counts the files of a directory with an ending.
func (h *harness) filesOf(dir, ending string) int {
	h.t.Helper()
	entries, err := h.fs.ReadDir(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ending) {
			n++
		}
	}
	return n
}

func TestRetentionBySize(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { small(c); c.RetentionBytes = 3000 })
	h.appendMany(l, 100)
	h.store.retain(h.store.Logs())
	if l.StartOffset() != 0 {
		t.Fatal("retention went past the high watermark")
	}
	l.SetHighWatermark(50)
	h.store.retain(h.store.Logs())
	if l.StartOffset() == 0 || l.StartOffset() > 50 {
		t.Fatalf("log starts at %d", l.StartOffset())
	}
	l.SetHighWatermark(100)
	h.store.retain(h.store.Logs())
	if size := l.Size(); size < 3000 || size > 4000 {
		t.Fatalf("%d bytes are left", size)
	}
	expectValues(t, l, l.StartOffset(), 100)
	if h.filesOf(l.path(), deletedMark) == 0 {
		t.Error("segments were removed without delay")
	}
	h.pass(time.Minute)
	h.store.deletions.run(h.store)
	if n := h.filesOf(l.path(), deletedMark); n != 0 {
		t.Errorf("%d files are left", n)
	}
	if es := *l.epochs.Load(); len(es) != 1 || es[0].start != l.StartOffset() {
		t.Errorf("epochs %v", es)
	}
}

func TestRetentionByTime(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { small(c); c.RetentionMs = 10_000 })
	h.appendMany(l, 30)
	h.pass(20 * time.Second)
	h.appendMany(l, 3)
	l.SetHighWatermark(33)
	h.store.retain(h.store.Logs())
	if l.StartOffset() == 0 || l.Segments() != 1 {
		t.Fatalf("log starts at %d, %d segments", l.StartOffset(), l.Segments())
	}
	h.pass(20 * time.Second)
	h.store.retain(h.store.Logs())
	if l.StartOffset() != 33 || l.EndOffset() != 33 || l.Size() != 0 {
		t.Fatalf("[%d, %d) in %d bytes", l.StartOffset(), l.EndOffset(), l.Size())
	}
	h.append(l, 2, "value-33")
	expectValues(t, l, 33, 34)
	h.close(true)
	expectValues(t, h.open().Log(testTopic), 33, 34)
}

func TestCompactedLogsAreNotExpired(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { small(c); c.Delete, c.Compact, c.RetentionMs = false, true, 1 })
	h.appendMany(l, 50)
	l.SetHighWatermark(50)
	h.pass(time.Hour)
	h.store.retain(h.store.Logs())
	expectValues(t, l, 0, 50)
	if err := l.AdvanceStart(30); err != nil {
		t.Fatal(err)
	}
	h.store.retain(h.store.Logs())
	if first := l.list()[0].base; first == 0 || first > 30 {
		t.Fatalf("the first segment begins at %d", first)
	}
	if err := l.AdvanceStart(51); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Fatal(err)
	}
	expectValues(t, l, 30, 50)
}

func TestRollByTime(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { c.SegmentMs = 1000 })
	h.append(l, 1, "value-0")
	h.pass(900 * time.Millisecond)
	h.append(l, 1, "value-1")
	if l.Segments() != 1 {
		t.Fatal("rolled too early")
	}
	h.pass(200 * time.Millisecond)
	h.append(l, 1, "value-2")
	if l.Segments() != 2 {
		t.Fatal("not rolled")
	}
	expectValues(t, l, 0, 3)
}

func TestRollWhenAnIndexIsFull(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(func(c *LogConfig) { c.IndexIntervalBytes = 0; c.SegmentIndexBytes = 240 })
	h.appendMany(l, 100)
	if l.Segments() < 4 {
		t.Fatalf("%d segments", l.Segments())
	}
	expectValues(t, l, 0, 100)
}

// TestReadersGoOnWhileSegmentsGo holds a span over retention, and reads while files are removed.
func TestReadersGoOnWhileSegmentsGo(t *testing.T) {
	h := newHarness(t, vfs.OS)
	h.dirs = []string{t.TempDir()}
	l := h.log(func(c *LogConfig) { small(c); c.RetentionBytes = 0; c.FileDeleteDelayMs = 0 })
	h.appendMany(l, 100)
	span, err := l.Read(0, ReadOptions{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(100)
	h.store.retain(h.store.Logs())
	h.store.deletions.run(h.store)
	values := map[record.Offset]string{}
	if next := decodeSpan(t, &span, 0, values); next != 100 || len(values) != 100 {
		t.Fatalf("read %d values up to %d", len(values), next)
	}
	if _, err := l.Read(0, ReadOptions{MaxBytes: 1}); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Fatal(err)
	}
}
