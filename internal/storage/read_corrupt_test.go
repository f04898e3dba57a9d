package storage

import (
	"errors"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// A segment that doesn't begin with a batch is not given to readers: they hear CORRUPT_MESSAGE, as from Kafka, and can
// go on behind it. What stands before it is read as ever.
func TestReadOfASegmentThatBeginsWithGarbage(t *testing.T) {
	mem := vfs.NewMem()
	h := newHarness(t, mem)
	l := h.log(small)
	h.appendMany(l, 60)
	segments := l.list()
	if len(segments) < 4 {
		t.Fatalf("%d segments", len(segments))
	}
	broken, after := segments[1], segments[2]
	f, err := mem.OpenFile(broken.pathOf(recordsFile), openOrCreate, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, record.HeaderSize), 0); err != nil {
		t.Fatal(err)
	}
	f.Close()

	if _, err := l.Read(broken.base, ReadOptions{MaxBytes: 1 << 20}); !errors.Is(err, ErrCorruptMessage) {
		t.Errorf("read of the broken segment: %v", err)
	}
	if err := l.dir.Err(); err != nil {
		t.Errorf("the directory is offline: %v", err)
	}
	span, err := l.Read(0, ReadOptions{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if next := decodeSpan(t, &span, 0, map[record.Offset]string{}); next != broken.base {
		t.Errorf("a read from the beginning ends at %d, the broken segment begins at %d", next, broken.base)
	}
	expectRead(t, l, after.base, 1<<20)
}
