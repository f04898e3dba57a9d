package storage

import (
	"errors"
	"fmt"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func FuzzOffsetCheckpoint(f *testing.F) {
	f.Add([]byte("0\n2\norders 3 17\nother-topic 0 9223372036854775807\n"))
	f.Add([]byte("0\n0\n"))
	f.Add([]byte("1\n-1\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseOffsetCheckpoint(data)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatalf("error is not errMalformed: %v", err)
			}
			return
		}
		again, err := parseOffsetCheckpoint(c.encode())
		if err != nil || len(again) != len(c) {
			t.Fatalf("%v reads as %v, %v", c, again, err)
		}
	})
}

func FuzzLeaderEpochs(f *testing.F) {
	f.Add([]byte("0\n2\n0 0\n5 100\n"))
	f.Add([]byte("0\n3\n5 0\n1 7\n1 3\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		es, err := parseLeaderEpochs(data)
		if err != nil {
			return
		}
		for i := 1; i < len(es); i++ {
			if es[i-1].epoch >= es[i].epoch || es[i-1].start >= es[i].start {
				t.Fatalf("not ascending: %v", es)
			}
		}
		es.end(3, 1000)
		es.truncateStart(50).truncateEnd(70).at(60)
	})
}

func FuzzMetaProperties(f *testing.F) {
	f.Add([]byte("#\n#Sun Nov 22 12:00:00 UTC 2026\nversion=1\nnode.id=1\ncluster.id=BwcAAAAAAAAAAAAAAAAAAA\ndirectory.id=kCKkihWtGLeU7A-WnWhTYQ\n"))
	f.Add([]byte("version = 0\nbroker.id : 7\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMetaProperties(data)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatalf("error is not errMalformed: %v", err)
			}
			return
		}
		if again, err := parseMetaProperties(m.encode()); err == nil && again != m {
			t.Fatalf("%+v reads as %+v", m, again)
		}
	})
}

func FuzzPartitionMetadata(f *testing.F) {
	f.Add(encodePartitionMetadata(testTopicID))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := parsePartitionMetadata(data)
		if err == nil && id == (ident.TopicID{}) {
			t.Fatal("no id and no error")
		}
	})
}

// FuzzIndexes opens a log in order, and again not, whose index files hold anything.
func FuzzIndexes(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 0, 0, 3, 0}, []byte{})
	f.Add(make([]byte, 16), make([]byte, 24))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, offsets, times []byte) {
		mem := vfs.NewMem()
		h := newHarness(t, mem)
		h.appendMany(h.log(small), 30)
		h.close(true)
		for _, base := range []record.Offset{0, 13, 25} {
			for kind, data := range map[fileKind][]byte{offsetIndexFile: offsets, timeIndexFile: times} {
				if err := vfs.WriteFileAtomic(mem, segmentPath("/data/orders-3", base, kind), data); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			l := h.open().Log(testTopic)
			expectValues(t, l, 0, 30)
			if _, _, err := l.OffsetForTimestamp(testStart.UnixMilli()); err != nil && !errors.Is(err, ErrCorruptMessage) {
				t.Fatal(err)
			}
			if err := l.TruncateTo(27); err != nil {
				t.Fatal(err)
			}
			h.appendMany(l, 3)
			expectValues(t, l, 0, 30)
			h.close(false)
		}
	})
}

// FuzzRecovery opens a log whose last segment is anything: the sound batches at its beginning stay, the rest goes.
func FuzzRecovery(f *testing.F) {
	whole := append(batchOf(f, 1000, "a", "b"), buildBatch(f, record.Options{BaseOffset: 2, Codec: record.LZ4}, 1000, "c")...)
	f.Add([]byte(whole), 0)
	f.Add([]byte(whole[:len(whole)-1]), 0)
	f.Add(append([]byte(whole), make([]byte, 100)...), 3)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, data []byte, trusted int) {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("/data/orders-3", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFileAtomic(mem, segmentPath("/data/orders-3", 0, recordsFile), data); err != nil {
			t.Fatal(err)
		}
		checkpoint := fmt.Appendf(nil, "0\n1\norders 3 %d\n", max(0, trusted))
		if err := vfs.WriteFileAtomic(mem, "/data/recovery-point-offset-checkpoint", checkpoint); err != nil {
			t.Fatal(err)
		}
		h := newHarness(t, mem)
		l := h.open().Log(testTopic)
		if l == nil {
			t.Fatalf("the log is gone: %v", h.store.Dirs()[0].Err())
		}
		want, sound := soundPrefix(data)
		if trusted <= 0 && (l.EndOffset() != want || l.Size() != int64(sound)) {
			t.Fatalf("log ends at %d after %d bytes, want %d after %d", l.EndOffset(), l.Size(), want, sound)
		}
		end := l.EndOffset()
		if done := h.append(l, 1<<30, "after"); done.BaseOffset != end {
			t.Fatalf("appended at %d, the end was %d", done.BaseOffset, end)
		}
		h.close(false)
		if again := h.open().Log(testTopic).EndOffset(); again != end+1 {
			t.Fatalf("opened again it ends at %d, not %d", again, end+1)
		}
	})
}

// soundPrefix is how far bytes are batches that follow one another.
func soundPrefix(data []byte) (end record.Offset, bytes int) {
	for rest := data; ; {
		b, after, err := record.Next(rest)
		if err != nil || b.Check(record.StoredLimits) != nil || b.BaseOffset() < end || b.LastOffset() > 1<<31-1 {
			return end, bytes
		}
		end, bytes, rest = b.NextOffset(), bytes+len(b), after
	}
}
