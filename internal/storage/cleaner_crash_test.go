package storage

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// fillRandomly writes what a busy compacted topic holds: overwritten keys, tombstones, all codecs, several
// producers, batches of different sizes.
func fillRandomly(c *compacted, rng *rand.Rand, batches int) {
	sequences := make(map[record.ProducerID]record.Sequence)
	for range batches {
		options := record.Options{Codec: record.Codec(rng.IntN(5))}
		var pairs []string
		for range 1 + rng.IntN(4) {
			value := fmt.Sprintf("value-%d", rng.IntN(1000))
			if rng.IntN(5) == 0 {
				value = "-"
			}
			pairs = append(pairs, fmt.Sprintf("key-%d", rng.IntN(12)), value)
		}
		if id := record.ProducerID(rng.IntN(4)); id > 0 {
			options.Producer = &record.Producer{ID: id, Sequence: sequences[id]}
			sequences[id] += record.Sequence(len(pairs) / 2)
		}
		c.put(options, pairs...)
	}
}

// A crash between any two operations of a cleaning leaves a log that holds what it should.
func TestCrashAnywhereWhileCleaning(t *testing.T) {
	const seeds = 3
	mem := vfs.NewMem()
	var mu sync.Mutex
	var crashes []*vfs.Mem
	recording := false
	hooked := vfs.WithFaults(mem, func(op vfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if recording && op.Kind.Changes() {
			for range seeds {
				crashes = append(crashes, mem.Crash(uint64(len(crashes))))
			}
			crashes = append(crashes, mem.Restart())
		}
		return nil
	})
	c := newCompacted(t, hooked, func(l *LogConfig) { l.SegmentBytes = 600 })
	fillRandomly(c, rand.New(rand.NewPCG(1, 2)), 40)
	end := c.rolledAndSynced()
	mu.Lock()
	recording = true
	mu.Unlock()
	c.clean()
	c.verify(end)
	mu.Lock()
	recording = false
	mu.Unlock()
	t.Logf("%d crashes", len(crashes))
	for i, crashed := range crashes {
		after := &compacted{harness: newHarness(t, crashed), written: c.written, log: c.log}
		after.boot = c.boot
		after.reopen(crashed)
		if after.log.EndOffset() != end {
			t.Fatalf("crash %d: log ends at %d, want %d:\n%s", i, after.log.EndOffset(), end, after.lines.buf.String())
		}
		after.verify(end)
		everyOffsetIsFound(t, after.log)
		after.log.SetHighWatermark(end)
		for after.cleaner.cleanDirtiest() {
		}
		after.verify(end)
		if err := after.store.Close(false); err != nil {
			t.Fatal(err)
		}
	}
}

// everyOffsetIsFound reads from each offset: an index that doesn't fit its segment would lead astray.
func everyOffsetIsFound(t *testing.T, l *Log) {
	t.Helper()
	for o := l.StartOffset(); o < l.EndOffset(); o++ {
		span, err := l.Read(o, ReadOptions{MaxBytes: 1, MinOneBatch: true})
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, span.Len())
		if _, err := span.CopyTo(buf); err != nil {
			t.Fatal(err)
		}
		span.Release()
		if len(buf) == 0 {
			continue
		}
		b, _, err := record.Next(buf)
		if err != nil || b.LastOffset() < o {
			t.Fatalf("read at %d gives [%d, %d], %v", o, b.BaseOffset(), b.LastOffset(), err)
		}
	}
}

// An operation that fails takes the directory offline, or the cleaning ends; the log is whole in any case.
func TestErrorAnywhereWhileCleaning(t *testing.T) {
	for n := int64(1); ; n++ {
		mem := vfs.NewMem()
		var armed bool
		var seen int64
		broken := errors.New("broken disk")
		fsys := vfs.WithFaults(mem, func(op vfs.Op) error {
			if !armed {
				return nil
			}
			if seen++; seen == n {
				return broken
			}
			return nil
		})
		c := newCompacted(t, fsys, func(l *LogConfig) { l.SegmentBytes = 600 })
		fillRandomly(c, rand.New(rand.NewPCG(3, 4)), 25)
		end := c.rolledAndSynced()
		armed = true
		c.cleaner.cleanDirtiest()
		armed = false
		if seen < n {
			return // every operation has failed once
		}
		if err := c.log.dir.Err(); err != nil && !errors.Is(err, broken) {
			t.Fatalf("operation %d: %v", n, err)
		}
		after := &compacted{harness: newHarness(t, nil), written: c.written, log: c.log}
		after.boot = c.boot
		after.reopen(mem.Restart())
		after.verify(end)
		everyOffsetIsFound(t, after.log)
		after.store.Close(false)
		c.store.Close(false)
	}
}

// Random histories: writing, rolling, cleaning, time, restarts and crashes of the machine, in any order.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomHistory(t, rand.New(rand.NewPCG(seed, 7))) })
	}
}

func randomHistory(t *testing.T, rng *rand.Rand) {
	mem := vfs.NewMem()
	c := newCompacted(t, mem, func(l *LogConfig) {
		l.SegmentBytes = int32(500 + rng.IntN(3000))
		l.DeleteRetentionMs = int64(rng.IntN(5000))
	})
	if err := c.log.Flush(); err != nil {
		t.Fatal(err)
	}
	safe := record.Offset(0) // below it everything is synced
	for range 60 {
		switch rng.IntN(9) {
		case 0, 1, 2:
			fillPlainly(c, rng)
		case 3:
			c.roll()
		case 4:
			c.cleaner.cleanDirtiest()
		case 5:
			c.pass(time.Duration(rng.IntN(4000)) * time.Millisecond)
		case 6:
			if err := c.log.Flush(); err != nil {
				t.Fatal(err)
			}
			safe = c.log.EndOffset()
		case 7:
			mem = c.restart(mem, rng, safe)
		case 8:
			safe = min(safe, c.cut(rng))
		}
		c.verify(c.log.EndOffset())
		everyOffsetIsFound(t, c.log)
	}
	if len(c.cleaner.hopeless) > 0 || c.log.dir.Err() != nil {
		t.Fatalf("%v, %v", c.cleaner.hopeless, c.log.dir.Err())
	}
}

func fillPlainly(c *compacted, rng *rand.Rand) {
	for range 1 + rng.IntN(10) {
		value := fmt.Sprintf("value-%d", rng.IntN(1000))
		if rng.IntN(4) == 0 {
			value = "-"
		}
		c.put(record.Options{Codec: record.Codec(rng.IntN(5))}, fmt.Sprintf("key-%d", rng.IntN(8)), value)
	}
}

// believe takes what the log holds from an offset on for what it should: of records that were not synced any
// may be there, also such that a truncation had removed, but at every offset one that was written there.
func (c *compacted) believe(safe record.Offset) {
	c.t.Helper()
	maps.DeleteFunc(c.written, func(o record.Offset, _ keyed) bool { return o >= safe })
	for o, k := range c.records() {
		if o < safe {
			continue
		}
		if !slices.Contains(c.ever[o], k) {
			c.t.Fatalf("offset %d holds %+v, had %+v", o, k, c.ever[o])
		}
		c.written[o] = k
	}
}

// cut truncates the log, as a follower does, and goes on from there.
func (c *compacted) cut(rng *rand.Rand) record.Offset {
	c.t.Helper()
	end := c.log.EndOffset()
	to := max(c.cleaner.cleaned.get(c.log.dir, c.log.tp), end-record.Offset(rng.IntN(30)), 0)
	if err := c.log.TruncateTo(to); err != nil {
		c.t.Fatal(err)
	}
	maps.DeleteFunc(c.written, func(o record.Offset, _ keyed) bool { return o >= c.log.EndOffset() })
	c.store.checkpoint(checkpointKind(rng.IntN(int(checkpointKinds))))
	return c.log.EndOffset()
}

// restart stops the store in order, kills it, or crashes the machine. Only a crash may lose records, and
// none that were synced.
func (c *compacted) restart(mem *vfs.Mem, rng *rand.Rand, safe record.Offset) *vfs.Mem {
	c.t.Helper()
	end := c.log.EndOffset()
	var next *vfs.Mem
	switch rng.IntN(3) {
	case 0:
		c.close(true)
		next = mem.Restart()
	case 1:
		next = mem.Restart()
	case 2:
		next = mem.Crash(rng.Uint64())
		c.boot[0]++
		end = safe
	}
	c.store.Close(false)
	c.reopen(next)
	if got := c.log.EndOffset(); got < end {
		c.t.Fatalf("log ends at %d, want at least %d:\n%s", got, end, c.lines.buf.String())
	}
	c.believe(safe)
	c.log.SetHighWatermark(c.log.EndOffset())
	return next
}
