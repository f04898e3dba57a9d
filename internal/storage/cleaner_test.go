package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func TestOnlyTheLastRecordOfAKeyStays(t *testing.T) {
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		t.Run(codec.String(), func(t *testing.T) {
			c := newCompacted(t, vfs.NewMem(), nil)
			for i := range 200 {
				c.put(record.Options{Codec: codec}, fmt.Sprintf("k%d", i%7), fmt.Sprintf("v%d", i),
					fmt.Sprintf("k%d", i%3), fmt.Sprintf("w%d", i))
			}
			end := c.log.EndOffset()
			c.roll()
			before := c.log.Size()
			c.clean()
			found := c.verify(end)
			if len(found) != 7 || c.log.Size() >= before/10 || c.log.EndOffset() != end {
				t.Fatalf("%d records, %d of %d bytes, end %d", len(found), c.log.Size(), before, c.log.EndOffset())
			}
			if c.cleaner.cleanDirtiest() {
				t.Fatal("cleaned what is clean")
			}
			// Another round starts where this one ended.
			c.put(record.Options{Codec: codec}, "k1", "new", "k9", "new")
			c.roll()
			c.clean()
			if found := c.verify(c.log.EndOffset()); len(found) != 8 {
				t.Fatalf("%d records", len(found))
			}
		})
	}
}

func TestTombstonesGoAfterTheirTime(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	c.put(record.Options{}, "a", "1", "b", "1")
	c.put(record.Options{}, "a", "-")
	c.roll()
	c.clean()
	found := c.verify(c.log.EndOffset())
	if len(found) != 2 || !found[2].gone {
		t.Fatalf("found %v", found)
	}
	var horizon int64
	for _, b := range c.batches() {
		if h, ok := b.DeleteHorizon(); ok {
			horizon = h
		}
	}
	if want := c.store.nowMs() + time.Hour.Milliseconds(); horizon != want {
		t.Fatalf("delete horizon %d, want %d", horizon, want)
	}
	// Before its time another cleaning leaves it.
	c.pass(59 * time.Minute)
	c.put(record.Options{}, "c", "1")
	c.roll()
	c.clean()
	if found := c.verify(c.log.EndOffset()); len(found) != 3 {
		t.Fatalf("found %v", found)
	}
	c.pass(2 * time.Minute)
	c.put(record.Options{}, "d", "1")
	c.roll()
	c.clean()
	if found := c.verify(c.log.EndOffset()); len(found) != 3 || found[2].gone {
		t.Fatalf("found %v", found)
	}
}

func TestWhatMayNotBeCompacted(t *testing.T) {
	fill := func(c *compacted) {
		for i := range 50 {
			c.put(record.Options{}, "k", fmt.Sprintf("v%d", i))
		}
		c.roll()
	}
	t.Run("above the high watermark", func(t *testing.T) {
		c := newCompacted(t, vfs.NewMem(), nil)
		fill(c)
		c.log.highWatermark.Store(20)
		c.clean()
		found := c.verify(c.log.EndOffset())
		if _, ok := found[49]; !ok || len(found) < 31 {
			t.Fatalf("%d records", len(found))
		}
	})
	t.Run("younger than min.compaction.lag.ms", func(t *testing.T) {
		c := newCompacted(t, vfs.NewMem(), func(l *LogConfig) { l.MinCompactionLagMs = 60_000 })
		fill(c)
		if c.cleaner.cleanDirtiest() {
			t.Fatal("cleaned young records")
		}
		c.pass(61 * time.Second)
		c.clean()
		if found := c.verify(c.log.EndOffset()); len(found) != 1 {
			t.Fatalf("%d records", len(found))
		}
	})
	t.Run("less dirty than min.cleanable.dirty.ratio", func(t *testing.T) {
		c := newCompacted(t, vfs.NewMem(), func(l *LogConfig) { l.MinCleanableDirtyRatio = 0.5 })
		for i := range 100 {
			c.put(record.Options{}, fmt.Sprintf("k%d", i), "some value")
		}
		c.roll()
		c.clean()
		c.put(record.Options{}, "k1", "v")
		c.roll()
		if c.cleaner.cleanDirtiest() {
			t.Fatal("cleaned a log that is hardly dirty")
		}
		config := c.log.Config()
		config.MaxCompactionLagMs = 1000
		c.log.SetConfig(config)
		if c.cleaner.cleanDirtiest() {
			t.Fatal("cleaned before max.compaction.lag.ms")
		}
		c.pass(2 * time.Second)
		c.clean()
	})
	t.Run("not a compacted topic", func(t *testing.T) {
		c := newCompacted(t, vfs.NewMem(), func(l *LogConfig) { l.Compact = false })
		fill(c)
		if c.cleaner.cleanDirtiest() {
			t.Fatal("cleaned")
		}
	})
}

func TestFewKeysFitInLittleMemory(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	c.cleaner.settings.DedupeBufferBytes = 10 * offsetSlotSize
	for i := range 300 {
		c.put(record.Options{}, fmt.Sprintf("k%d", i%30), fmt.Sprintf("v%d", i))
	}
	c.roll()
	for c.cleaner.cleanDirtiest() {
		c.verify(c.log.EndOffset())
	}
	if runs := c.cleaner.Stats().Runs; runs < 10 {
		t.Fatalf("%d runs: the memory was not bounded", runs)
	}
	found := c.verify(c.log.EndOffset())
	if len(found) >= 300 || len(c.cleaner.hopeless) > 0 {
		t.Fatalf("%d records, %v", len(found), c.cleaner.hopeless)
	}
}

func TestSequencesSurviveCompaction(t *testing.T) {
	mem := vfs.NewMem()
	c := newCompacted(t, mem, nil)
	producer := func(id record.ProducerID, sequence record.Sequence) record.Options {
		return record.Options{Producer: &record.Producer{ID: id, Epoch: 2, Sequence: sequence}}
	}
	for i := range 40 {
		c.put(producer(7, record.Sequence(i)), "k", fmt.Sprintf("v%d", i))
	}
	c.put(producer(8, 0), "k", "last")
	c.roll()
	c.clean()
	var kept bool
	for _, b := range c.batches() {
		kept = kept || b.Count() == 0 && b.ProducerID() == 7 && b.LastSequence() == 39
	}
	if found := c.verify(c.log.EndOffset()); len(found) != 1 || !kept {
		t.Fatalf("%d records, producer's last batch kept: %v", len(found), kept)
	}
	// Without its snapshots the log still knows where the producer stood.
	if err := c.log.Flush(); err != nil {
		t.Fatal(err)
	}
	next := mem.Restart()
	entries, err := next.ReadDir(c.log.path())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if f, ok := parseSegmentFile(e.Name()); ok && f.kind == snapshotFile {
			next.Remove(c.log.path() + "/" + e.Name())
		}
	}
	c.reopen(next)
	c.put(producer(7, 40), "k", "v40")
	b := buildBatch(t, producer(7, 42), c.store.nowMs(), "gap")
	_, err = c.log.Append(b, AppendOptions{LeaderEpoch: 1})
	wantError(t, err, ErrOutOfOrderSequence)
}

func TestCheckpointIsKafkas(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	for i := range 20 {
		c.put(record.Options{}, "k", fmt.Sprintf("v%d", i))
	}
	c.roll()
	c.clean()
	data, err := vfs.ReadFile(c.fs, "/data/"+cleanerOffsetName)
	if err != nil || string(data) != "0\n1\ncompacted 0 20\n" {
		t.Fatalf("%q, %v", data, err)
	}
}

func TestDeletedLogStopsItsCleaning(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	for i := range 20 {
		c.put(record.Options{}, "k", fmt.Sprintf("v%d", i))
	}
	c.roll()
	found, ok := c.cleaner.grab()
	if !ok {
		t.Fatal("nothing to clean")
	}
	if err := c.store.Delete(c.log.tp); err != nil {
		t.Fatal(err)
	}
	c.cleaner.clean(found)
	c.cleaner.release(found.log)
	if len(c.cleaner.hopeless) > 0 || c.log.dir.Err() != nil || c.cleaner.cleanDirtiest() {
		t.Fatalf("%v, %v", c.cleaner.hopeless, c.log.dir.Err())
	}
}

func TestLogThatCantBeReadIsLeftAlone(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	for i := range 50 {
		c.put(record.Options{}, fmt.Sprintf("k%d", i), fmt.Sprintf("v%d", i))
	}
	c.roll()
	path := c.log.list()[1].pathOf(recordsFile)
	f, err := c.fs.OpenFile(path, openOrCreate, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("rot"), 80); err != nil {
		t.Fatal(err)
	}
	f.Close()
	c.cleaner.cleanDirtiest()
	if c.cleaner.Stats().Uncleanable != 1 || !c.lines.has("can't be compacted") || c.log.dir.Err() != nil {
		t.Fatalf("%+v, %v", c.cleaner.Stats(), c.log.dir.Err())
	}
	if c.cleaner.cleanDirtiest() {
		t.Fatal("tried again")
	}
	entries, err := c.fs.ReadDir(c.log.path())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if f, ok := parseSegmentFile(e.Name()); ok && f.mark == cleanedMark {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

// Readers go on while segments are replaced under them, even if every file has to be opened anew.
func TestReadsGoOnWhileCleaning(t *testing.T) {
	h := newHarness(t, vfs.OS)
	h.dirs = []string{t.TempDir()}
	h.tune.MaxOpenFiles = 2
	h.log(nil)
	l := h.create(ident.TopicPartition{Topic: "compacted"}, func(config *LogConfig) {
		config.Compact, config.Delete = true, false
		config.SegmentBytes, config.MinCleanableDirtyRatio = 1000, 0
		config.FileDeleteDelayMs = 0
	})
	c := &compacted{harness: h, log: l, written: make(map[record.Offset]keyed), ever: make(map[record.Offset][]keyed)}
	c.cleaner = newCleaner(h.store, CleanerSettings{IOBufferBytes: 1})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 2 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			for {
				select {
				case <-stop:
					return
				default:
				}
				from := record.Offset(rng.Int64N(int64(l.EndOffset()) + 1))
				span, err := l.Read(from, ReadOptions{MaxBytes: 2000, MinOneBatch: true})
				if err != nil {
					t.Errorf("read at %d: %v", from, err)
					return
				}
				if _, err := span.CopyTo(make([]byte, span.Len())); err != nil {
					t.Errorf("copy at %d: %v", from, err)
				}
				span.Release()
			}
		})
	}
	for i := range 12 {
		for j := range 40 {
			c.put(record.Options{}, fmt.Sprintf("k%d", j%9), fmt.Sprintf("v%d-%d", i, j))
		}
		c.roll()
		c.clean()
		h.store.deletions.run(h.store)
	}
	close(stop)
	readers.Wait()
	c.verify(l.EndOffset())
}

// A reader that was slow knows only a segment which was replaced, and whose replacement was replaced too: files of both
// have had the same name.
func TestReadOfASegmentReplacedTwice(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	var old []*segment
	for i := range 3 {
		for j := range 40 {
			c.put(record.Options{}, fmt.Sprintf("k%d", j%9), fmt.Sprintf("v%d-%d", i, j))
		}
		c.roll()
		if i == 0 {
			old = c.log.list()
		}
		c.clean()
	}
	c.store.handles.makeRoom(c.store.handles.limit) // so that every file has to be opened anew
	span := Span{log: c.log}
	err := c.log.collect(&span, old, 0, c.log.EndOffset(), ReadOptions{MaxBytes: 1 << 20})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read from old segments: %v, %d ranges", err, len(span.Ranges))
	}
	span.Release()
}

func TestTruncationMakesALogDirtyAgain(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	for i := range 60 {
		c.put(record.Options{}, "k", fmt.Sprintf("v%d", i))
	}
	c.roll()
	c.clean()
	if err := c.log.TruncateTo(30); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(c.written, func(o record.Offset, _ keyed) bool { return o >= c.log.EndOffset() })
	for i := range 40 {
		c.put(record.Options{}, "k", fmt.Sprintf("w%d", i))
	}
	c.roll()
	c.clean()
	if found := c.verify(c.log.EndOffset()); len(found) != 1 {
		t.Fatalf("%d records", len(found))
	}
}

func TestTruncationWhileCleaningEndsIt(t *testing.T) {
	mem := vfs.NewMem()
	var cut func()
	fsys := vfs.WithFaults(mem, func(op vfs.Op) error {
		if do := cut; do != nil && vfs.MatchPath("*"+cleanedMark, vfs.OpSync)(op) {
			cut = nil
			do()
		}
		return nil
	})
	c := newCompacted(t, fsys, nil)
	for i := range 60 {
		c.put(record.Options{}, "k", fmt.Sprintf("v%d", i))
	}
	c.roll()
	found, ok := c.cleaner.grab()
	if !ok {
		t.Fatal("nothing to clean")
	}
	segments := c.log.sealedBelow(found.upTo)
	middle := segments[len(segments)/2].base + 3
	cut = func() {
		if err := c.log.TruncateTo(middle); err != nil {
			t.Error(err)
		}
		maps.DeleteFunc(c.written, func(o record.Offset, _ keyed) bool { return o >= middle })
		for i := range 60 {
			c.put(record.Options{}, "k", fmt.Sprintf("w%d", i))
		}
		c.roll()
	}
	c.cleaner.clean(found)
	c.cleaner.release(found.log)
	if c.log.dir.Err() != nil || len(c.cleaner.hopeless) > 0 {
		t.Fatalf("%v, %v", c.log.dir.Err(), c.cleaner.hopeless)
	}
	c.verify(c.log.EndOffset())
	c.clean()
	if found := c.verify(c.log.EndOffset()); len(found) != 1 {
		t.Fatalf("%d records", len(found))
	}
}
