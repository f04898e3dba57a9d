package storage

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// compacted is a log with a model of what was written to it.
type compacted struct {
	*harness
	log     *Log
	cleaner *cleaner
	// written holds every record ever appended, by offset.
	written map[record.Offset]keyed
	// ever holds what was appended at an offset, before truncations and after.
	ever map[record.Offset][]keyed
}

type keyed struct {
	key   string
	value string // of a tombstone, empty
	gone  bool   // a tombstone
}

func newCompacted(t *testing.T, fsys vfs.FS, change func(*LogConfig)) *compacted {
	t.Helper()
	c := &compacted{harness: newHarness(t, fsys), written: make(map[record.Offset]keyed), ever: make(map[record.Offset][]keyed)}
	c.harness.log(nil)
	c.log = c.harness.create(ident.TopicPartition{Topic: "compacted", Partition: 0}, func(config *LogConfig) {
		config.Compact, config.Delete = true, false
		config.SegmentBytes, config.IndexIntervalBytes = 1000, 100
		config.MinCleanableDirtyRatio = 0
		config.DeleteRetentionMs = time.Hour.Milliseconds()
		if change != nil {
			change(config)
		}
	})
	c.cleaner = newCleaner(c.store, CleanerSettings{IOBufferBytes: 1})
	return c
}

// reopen starts the store again on another file system, as after a crash or an orderly stop.
func (c *compacted) reopen(fsys vfs.FS) {
	c.t.Helper()
	config := c.log.Config()
	c.fs = fsys
	c.open()
	c.log = c.store.Log(ident.TopicPartition{Topic: "compacted", Partition: 0})
	if c.log == nil {
		c.t.Fatal("the log is gone")
	}
	c.log.SetConfig(config)
	c.cleaner = newCleaner(c.store, CleanerSettings{IOBufferBytes: 1})
}

// put appends one batch of records; a value of "-" is a tombstone.
func (c *compacted) put(options record.Options, pairs ...string) Appended {
	c.t.Helper()
	builder := record.NewBuilder(options)
	next := c.log.EndOffset()
	for i := 0; i < len(pairs); i += 2 {
		k := keyed{key: pairs[i], value: pairs[i+1]}
		value := []byte(k.value)
		if k.value == "-" {
			k, value = keyed{key: pairs[i], gone: true}, nil
		}
		builder.Append(c.store.nowMs(), []byte(k.key), value)
		at := next + record.Offset(i/2)
		c.written[at] = k
		c.ever[at] = append(c.ever[at], k)
	}
	b, err := builder.Build()
	if err != nil {
		c.t.Fatal(err)
	}
	done, err := c.log.Append(b, AppendOptions{LeaderEpoch: 1, Origin: Client})
	if err != nil {
		c.t.Fatal(err)
	}
	c.log.SetHighWatermark(c.log.EndOffset())
	return done
}

// roll makes what was written cleanable: sealed, and synced as the flusher would do soon.
func (c *compacted) roll() {
	c.t.Helper()
	c.log.mu.Lock()
	err := c.log.roll(c.log.EndOffset())
	c.log.mu.Unlock()
	if err := errors.Join(err, c.log.flush(sealedSegments)); err != nil {
		c.t.Fatal(err)
	}
}

// rolledAndSynced begins a new segment, puts all there is on the disk and tells where it ends.
func (c *compacted) rolledAndSynced() record.Offset {
	c.t.Helper()
	c.roll()
	if err := c.log.Flush(); err != nil {
		c.t.Fatal(err)
	}
	c.store.checkpoint(recoveryPoints)
	c.store.checkpoint(highWatermarks)
	return c.log.EndOffset()
}

func (c *compacted) clean() {
	c.t.Helper()
	before := c.cleaner.Stats().Runs
	if !c.cleaner.cleanDirtiest() || c.cleaner.Stats().Runs == before {
		c.t.Fatalf("nothing was cleaned: %+v, %v", c.cleaner.Stats(), c.cleaner.hopeless)
	}
}

// batches reads the log from its files.
func (c *compacted) batches() []record.Batch {
	c.t.Helper()
	var all []record.Batch
	for at := c.log.StartOffset(); at < c.log.EndOffset(); {
		span, err := c.log.Read(at, ReadOptions{MaxBytes: 1 << 20, MinOneBatch: true})
		if err != nil {
			c.t.Fatal(err)
		}
		buf := make([]byte, span.Len())
		if _, err := span.CopyTo(buf); err != nil {
			c.t.Fatal(err)
		}
		span.Release()
		if len(buf) == 0 {
			return all
		}
		for len(buf) > 0 {
			var b record.Batch
			if b, buf, err = record.Next(buf); err != nil {
				c.t.Fatal(err)
			}
			if err := b.Check(record.StoredLimits); err != nil {
				c.t.Fatal(err)
			}
			if b.LastOffset() >= at {
				all = append(all, b)
			}
		}
		at = all[len(all)-1].NextOffset()
	}
	return all
}

// records reads the log: offset to key.
func (c *compacted) records() map[record.Offset]keyed {
	c.t.Helper()
	found := make(map[record.Offset]keyed)
	last := record.Offset(-1)
	for _, b := range c.batches() {
		if b.IsControl() {
			continue
		}
		var r record.Reader
		r.Reset(b, new(record.Decompressor))
		for r.Next() {
			rec := r.Record()
			if rec.Offset <= last {
				c.t.Fatalf("offset %d after %d", rec.Offset, last)
			}
			last = rec.Offset
			found[rec.Offset] = keyed{key: string(rec.Key), value: string(rec.Value), gone: rec.Value == nil}
		}
		if r.Err() != nil {
			c.t.Fatal(r.Err())
		}
		r.Close()
	}
	return found
}

// verify wants that no record was changed, that of every key the last record below end is there, unless it
// is a tombstone, and that no key has come back.
func (c *compacted) verify(end record.Offset) map[record.Offset]keyed {
	c.t.Helper()
	found := c.records()
	for o, k := range found {
		if c.written[o] != k {
			c.t.Fatalf("offset %d holds %+v, was %+v", o, k, c.written[o])
		}
	}
	lastWritten, lastFound := lastOffsets(c.written, end), lastOffsets(found, end)
	for key, o := range lastWritten {
		got, ok := lastFound[key]
		if c.written[o].gone && !ok {
			continue
		}
		if got != o || !ok {
			c.t.Fatalf("of key %s offset %d is the last, found %d, %v", key, o, got, ok)
		}
	}
	return found
}

func lastOffsets(records map[record.Offset]keyed, end record.Offset) map[string]record.Offset {
	last := make(map[string]record.Offset)
	for _, o := range slices.Sorted(maps.Keys(records)) {
		if o < end {
			last[records[o].key] = o
		}
	}
	return last
}

func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !isError(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

func isError(err, target error) bool { return errors.Is(err, target) }
