package step

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// The log of a coordinator that is compacted: of each key the newest record stays. What compaction has taken from a volume counts as
// held there for as long as a newer one of the same key is: who may cut that off, or lose it in a crash, loses both.

// cleanerPause is log.cleaner.backoff.ms: a multiple of moment that no other period of storage's goroutines ever meets.
const cleanerPause = 35*time.Millisecond + moment

// cleaner are the store's settings of compaction.
func (m *machine) cleaner() storage.CleanerSettings {
	return storage.CleanerSettings{Disabled: !m.options.Compacted, Backoff: cleanerPause, IOBufferBytes: 128 << 10, DedupeBufferBytes: 1 << 20}
}

// entry is one record of a coordinator's batch.
type entry struct {
	place
	key   string
	value string
	gone  bool // it is a tombstone
}

// enter notes what was written.
func (w *world) enter(r *rec, b record.Batch) {
	r.entries = w.entriesOf(r, b)
	for _, e := range r.entries {
		w.keyed[e.key] = append(w.keyed[e.key], r)
	}
}

// entriesOf are the records of a batch, or of what is left of it. In a log that is not compacted nobody asks for them.
func (w *world) entriesOf(of *rec, b record.Batch) (all []entry) {
	if !w.options.Compacted {
		return nil
	}
	var reader record.Reader
	var d record.Decompressor
	reader.Reset(b, &d)
	defer reader.Close()
	for reader.Next() {
		r := reader.Record()
		at := place{of.epoch, of.offset + r.Offset - b.BaseOffset()}
		all = append(all, entry{at, string(r.Key), string(r.Value), r.Value == nil})
	}
	return all
}

// isOf tells whether a batch is what was written, or what compaction has left of that.
func (r *rec) isOf(w *world, b record.Batch) bool {
	if _, cleaned := b.DeleteHorizon(); !cleaned && r.id != b.BaseTimestamp() {
		return false
	}
	return !slices.ContainsFunc(w.entriesOf(r, b), func(e entry) bool { return !slices.Contains(r.entries, e) })
}

// keep notes which records of a batch have come to the volume, or are there.
func (v *volume) keep(r *rec, present []entry) {
	if len(present) > 0 && len(present) == len(r.entries) {
		v.came[r] = true
	}
	v.index(present)
}

func (v *volume) index(present []entry) {
	for _, e := range present {
		v.present = append(v.present, e)
		v.newest[e.key] = e.place
	}
}

// cover counts as held what was promised and the volume has newer records of: it was taken out where these have come from.
func (v *volume) cover(keys []string) {
	for _, key := range keys {
		for _, r := range v.keyed[key] {
			v.mayCover(r)
		}
	}
}

func (v *volume) mayCover(r *rec) {
	if r.holders&v.bit() != 0 || r.excused || !r.promised() || !v.covers(r) {
		return
	}
	at, _ := slices.BinarySearchFunc(v.holds, r, func(a, b *rec) int { return cmp.Compare(a.offset, b.offset) })
	v.holds = slices.Insert(v.holds, at, r)
	r.holders |= v.bit()
}

func keysOf(entries []entry) (keys []string) {
	for _, e := range entries {
		keys = append(keys, e.key)
	}
	return keys
}

// covers tells whether the volume has a newer record of each key of a batch.
func (v *volume) covers(r *rec) bool {
	return len(r.entries) > 0 && !slices.ContainsFunc(r.entries, func(e entry) bool {
		newest := v.newest[e.key]
		return newest.offset <= e.offset || newest.epoch < e.epoch
	})
}

// whole tells whether the volume has each record of a batch, or a newer one of its key.
func (v *volume) whole(r *rec) bool {
	return !slices.ContainsFunc(r.entries, func(e entry) bool { return v.newest[e.key].offset < e.offset })
}

// uncover drops what was covered by records that were cut off, from an offset on.
func (v *volume) uncover(end record.Offset) {
	if n := len(v.present); n == 0 || v.present[n-1].offset < end {
		return
	}
	left := slices.DeleteFunc(v.present, func(e entry) bool { return e.offset >= end })
	v.present = left[:0]
	clear(v.newest)
	v.index(left)
	v.holds = slices.DeleteFunc(v.holds, func(r *rec) bool {
		if v.whole(r) {
			return false
		}
		v.drop(r)
		return true
	})
}

// compacted looks what compaction has taken from the replica.
func (m *machine) compacted() {
	if !m.options.Compacted {
		return
	}
	if runs := m.store.CleanerStats().Runs; runs != m.cleaned && m.main().log() != nil {
		m.counts["compaction"] += int(runs - m.cleaned)
		m.cleaned = runs
		m.main().readBack()
	}
}

// checkHoles wants a log to have, up to its end, all that has come to it whole, or something newer of the same key. What its leader had
// compacted before never came: a crash may take the newer one, as it may take whatever a follower has just copied. And it may undo a
// truncation: then what it has brought back stands where the record was.
func (v *volume) checkHoles(log *storage.Log, found, gone []*rec) {
	if log == nil || !v.options.Compacted {
		return
	}
	for _, r := range slices.Concat(found, gone) {
		undone := slices.ContainsFunc(found, func(f *rec) bool { return f.epoch < r.epoch && f.required > r.offset })
		if v.came[r] && !undone && r.offset >= log.StartOffset() && r.offset < log.EndOffset() && !v.whole(r) {
			v.violation("compacted: broker %d holds nothing of %v any more, and nothing newer, in [%d, %d)", v.machine.id, r,
				log.StartOffset(), log.EndOffset())
		}
	}
}

// excuse has a record be one that may be lost. With it may go what is older of its keys: where its copy was compacted, or that from which
// another one was copied, there is nothing left of it. (Nobody begins anew then whose copy lacks that, and no ledger says so.)
func (w *world) excuse(r *rec) {
	r.excused = true
	if !r.promised() {
		return // nothing was compacted for its sake
	}
	for _, e := range r.entries {
		for _, older := range w.keyed[e.key] {
			if older.offset < r.offset {
				older.excused = true
			}
		}
	}
}

// outdone tells whether there was a newer record of each key of a batch.
func (w *world) outdone(r *rec) bool {
	return len(r.entries) > 0 && !slices.ContainsFunc(r.entries, func(e entry) bool {
		return w.keyed[e.key][len(w.keyed[e.key])-1] == r
	})
}

// concludeCompacted wants all replicas to have the same newest record of each key, unless one of that key was lost.
func (w *world) concludeCompacted(leader *machine) {
	want := leader.main()
	lost := func(r *rec) bool { return r.excused && r.promised() }
	for _, m := range w.machines {
		has := m.main()
		for _, key := range slices.Sorted(maps.Keys(w.keyed)) {
			if has.newest[key] != want.newest[key] && !slices.ContainsFunc(w.keyed[key], lost) {
				w.violation("unlike: broker %d, in sync, has %+v of key %q, its leader %d has %+v", m.id, has.newest[key], key, leader.id, want.newest[key])
			}
		}
	}
}
