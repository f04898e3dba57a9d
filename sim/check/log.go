package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// NothingLost finds acknowledged records that are not there in the end, at their offset, and that nothing
// accounts for: no destroyed store, no unsynced tail of a crashed machine, no deletion.
func NothingLost(h *History) (found []error) {
	finals := map[Partition]Final{}
	for _, f := range h.Finals {
		finals[f.Partition] = f
		found = append(found, h.startAccounted(f)...)
	}
	for p, f := range finals {
		held, last := map[int64]Record{}, map[string]int64{}
		for _, r := range f.Reads {
			held[r.Offset] = r.Record
			last[r.Record.Key] = r.Offset
		}
		promise := h.Promises[p.Topic]
		for _, s := range h.Sends {
			if s.Partition != p || !h.promised(s) || h.excused(s, promise) {
				continue
			}
			for i, want := range s.Records {
				at := s.Base + int64(i)
				got, ok := held[at]
				if ok && got == want || at < f.LogStart || promise.Compacted && last[want.Key] > at && !ok {
					continue
				}
				found = append(found, fmt.Errorf("lost: %s acknowledged %q at %s offset %d (ticks %d to %d); there is %q in [%d, %d)",
					s.Client, want.Value, p, at, s.Begun, s.Ended, got.Value, f.LogStart, f.HighWatermark))
			}
		}
	}
	return found
}

// excused tells whether a fault may have taken an acknowledged batch.
func (h *History) excused(s *Send, p Promise) bool {
	return h.loses(s.Partition, s.Begun, never, Wiped) || !p.Synced && h.loses(s.Partition, s.Begun, never, Crashed)
}

// startAccounted finds a log start that moved without being told to.
func (h *History) startAccounted(f Final) []error {
	if f.LogStart == 0 || h.Promises[f.Partition.Topic].Expires || h.loses(f.Partition, 0, never, Wiped) {
		return nil
	}
	if h.Ledger[f.Partition] {
		return nil
	}
	if h.Deleted(f.Partition, f.LogStart) {
		return nil
	}
	return []error{fmt.Errorf("lost: %s begins at %d, and nobody deleted records before that", f.Partition, f.LogStart)}
}

// Deleted tells whether records before an offset may have been deleted by request.
func (h *History) Deleted(p Partition, before int64) bool {
	return before > 0 && h.DeletedBefore(p) >= before
}

// DeletedBefore is the offset up to which records may have been deleted by request.
func (h *History) DeletedBefore(p Partition) (before int64) {
	for _, c := range h.Cuts {
		if c.Partition == p && c.Outcome != Refused {
			before = max(before, c.Before)
		}
	}
	return before
}

// NothingInvented finds records that were read and never sent, or only by attempts that were refused.
func NothingInvented(h *History) (found []error) {
	type sent struct {
		begun Tick
		key   string
	}
	possible := map[Partition]map[string]sent{}
	for _, s := range h.Sends {
		if s.Outcome == Refused {
			continue
		}
		if possible[s.Partition] == nil {
			possible[s.Partition] = map[string]sent{}
		}
		for _, r := range s.Records {
			if old, ok := possible[s.Partition][r.Value]; !ok || s.Begun < old.begun {
				possible[s.Partition][r.Value] = sent{s.Begun, r.Key}
			}
		}
	}
	for _, r := range h.everyRead() {
		if s, ok := possible[r.Partition][r.Record.Value]; !ok || s.begun > r.Ended || s.key != r.Record.Key {
			found = append(found, fmt.Errorf("invented: %s offset %d holds %q, which nobody sent there",
				r.Partition, r.Offset, r.Record.Value))
		}
	}
	return found
}

func (h *History) everyRead() []Read {
	all := slices.Clone(h.Reads)
	for _, f := range h.Finals {
		all = append(all, f.Reads...)
	}
	return all
}

// sighting is a record known to have stood at an offset.
type sighting struct {
	Span
	partition Partition
	offset    int64
	epoch     int32 // -1: an acknowledgement, which doesn't tell
	value     string
}

func (h *History) sightings() []sighting {
	var all []sighting
	for _, r := range h.everyRead() {
		all = append(all, sighting{r.Span, r.Partition, r.Offset, r.Epoch, r.Record.Value})
	}
	for _, s := range h.Sends {
		if !h.promised(s) {
			continue
		}
		for i, r := range s.Records {
			all = append(all, sighting{s.Span, s.Partition, s.Base + int64(i), -1, r.Value})
		}
	}
	slices.SortStableFunc(all, func(a, b sighting) int { return cmp.Compare(a.Ended, b.Ended) })
	return all
}

type place struct {
	partition Partition
	offset    int64
	epoch     int32
}

// OffsetsNotReused finds offsets that held two records. Only the crash of a machine may take a record's place away,
// and what comes there then has another leader epoch; after a wipe no offset comes again.
func OffsetsNotReused(h *History) (found []error) {
	inEpoch := map[place]string{}
	latest := map[place]sighting{}
	for _, s := range h.sightings() {
		at := place{s.partition, s.offset, s.epoch}
		if old, ok := inEpoch[at]; s.epoch >= 0 && ok && old != s.value {
			found = append(found, fmt.Errorf("reused: %s offset %d in leader epoch %d held %q and %q",
				s.partition, s.offset, s.epoch, old, s.value))
		}
		inEpoch[at] = s.value
		at.epoch = 0
		if old, ok := latest[at]; ok && old.value != s.value && !h.loses(s.partition, old.Begun, s.Ended, Crashed) &&
			!h.revived(s, old) {
			found = append(found, fmt.Errorf("reused: %s offset %d held %q (ticks %d to %d) and then %q (ticks %d to %d)",
				s.partition, s.offset, old.value, old.Begun, old.Ended, s.value, s.Begun, s.Ended))
		}
		latest[at] = s
	}
	return append(found, h.afterWipes()...)
}

// revived tells whether a record came back with a copy that did not count, when all that counted were destroyed: what a
// deposed leader had written to itself alone.
func (h *History) revived(s, old sighting) bool {
	return h.Cluster && slices.ContainsFunc(h.Faults, func(f Fault) bool {
		return f.Kind == Wiped && f.hits(s.partition) && f.At > old.Begun && f.At < s.Ended && h.firstSent()[s.value] < f.At
	})
}

// firstSent is when each record was sent first.
func (h *History) firstSent() map[string]Tick {
	if h.first == nil {
		h.first = map[string]Tick{}
		for _, s := range h.Sends {
			for _, r := range s.Records {
				if t, ok := h.first[r.Value]; !ok || s.Begun < t {
					h.first[r.Value] = s.Begun
				}
			}
		}
	}
	return h.first
}

// afterWipes finds offsets given out before a wipe that were given out again: to records that were sent after it. (A
// copy that didn't count may have had a part of those before.)
func (h *History) afterWipes() (found []error) {
	first := h.firstSent()
	sightings := h.sightings()
	for _, f := range h.Faults {
		if f.Kind != Wiped {
			continue
		}
		highest := map[Partition]int64{}
		for _, s := range sightings {
			if s.Ended < f.At && f.hits(s.partition) {
				highest[s.partition] = max(highest[s.partition], s.offset)
			}
		}
		for _, s := range sightings {
			before, ok := highest[s.partition]
			if sent, known := first[s.value]; known && sent < f.At {
				continue
			}
			if ok && s.Begun > f.At && s.offset <= before {
				found = append(found, fmt.Errorf("reused: %s offset %d was given out before the wipe at tick %d, up to %d, and holds %q after it",
					s.partition, s.offset, f.At, before, s.value))
			}
		}
	}
	return found
}

// InOrder finds batches that stand before one that was acknowledged before they were sent.
func InOrder(h *History) (found []error) {
	first := map[string]Tick{} // of a batch, by its first record: when it was first attempted
	for _, s := range h.Sends {
		if t, ok := first[s.Records[0].Value]; !ok || s.Begun < t {
			first[s.Records[0].Value] = s.Begun
		}
	}
	byPartition := map[Partition][]*Send{}
	for _, s := range h.Sends {
		if h.promised(s) {
			byPartition[s.Partition] = append(byPartition[s.Partition], s)
		}
	}
	for _, sends := range byPartition {
		slices.SortFunc(sends, func(a, b *Send) int { return cmp.Compare(a.Ended, b.Ended) })
		for i, b := range sends {
			for _, a := range sends[:i] {
				begun := first[b.Records[0].Value]
				if a.Ended < begun && a.Base >= b.Base && !h.loses(a.Partition, a.Begun, b.Ended, Crashed, Wiped) {
					found = append(found, fmt.Errorf("order: %s %q at offset %d was acknowledged (tick %d) before %q at %d was sent (tick %d)",
						a.Partition, a.Records[0].Value, a.Base, a.Ended, b.Records[0].Value, b.Base, begun))
				}
			}
		}
	}
	return found
}

// NoDuplicates finds records of idempotent producers that are there twice, or out of the order that they were sent in.
func NoDuplicates(h *History) (found []error) {
	type origin struct {
		client string
		begun  Tick
		index  int
	}
	sent := map[string]origin{}
	for _, s := range h.Sends {
		for i, r := range s.Records {
			if old, ok := sent[r.Value]; s.Idempotent && (!ok || s.Begun < old.begun) {
				sent[r.Value] = origin{s.Client, s.Begun, i}
			}
		}
	}
	for _, f := range h.Finals {
		seen := map[string]int64{}
		last := map[string]Read{}
		for _, r := range f.Reads {
			o, ok := sent[r.Record.Value]
			if !ok {
				continue
			}
			if before, twice := seen[r.Record.Value]; twice {
				found = append(found, fmt.Errorf("duplicate: %s holds %q of an idempotent producer at offsets %d and %d",
					f.Partition, r.Record.Value, before, r.Offset))
			}
			seen[r.Record.Value] = r.Offset
			before, any := last[o.client]
			was := sent[before.Record.Value]
			if any && (o.begun < was.begun || o.begun == was.begun && o.index < was.index) {
				found = append(found, fmt.Errorf("order: %s holds %q at offset %d before %q at %d, which the same idempotent producer sent first",
					f.Partition, before.Record.Value, before.Offset, r.Record.Value, r.Offset))
			}
			last[o.client] = r
		}
	}
	return found
}

// SequencesHold finds an idempotent producer that is told that its sequence has a gap, though all that it sent before
// was acknowledged: the leader has forgotten records, or the producer.
func SequencesHold(h *History) (found []error) {
	for _, s := range h.Sends {
		if s.Outcome == Refused && s.Gap && !h.loses(s.Partition, 0, s.Ended, Crashed, Wiped) {
			found = append(found, fmt.Errorf("sequence: %s is told of a gap before %q on %s (%s, ticks %d to %d)",
				s.Client, s.Records[0].Value, s.Partition, s.Why, s.Begun, s.Ended))
		}
	}
	return found
}

// MarksRise finds a high watermark or a log start that went back though nothing was lost. Those that the disk knows are older
// ones: after a kill a replica shows them to consumers until somebody leads (KIP-392).
func MarksRise(h *History) (found []error) {
	byPartition := map[Partition][]Mark{}
	for _, m := range h.Marks {
		byPartition[m.Partition] = append(byPartition[m.Partition], m)
	}
	for _, marks := range byPartition {
		slices.SortFunc(marks, func(a, b Mark) int { return cmp.Compare(a.Ended, b.Ended) })
		for i, b := range marks {
			for _, a := range marks[max(0, i-8):i] {
				if h.Cluster || !a.Before(b.Span) || h.loses(a.Partition, a.Begun, b.Ended, Killed, Crashed, Wiped) {
					continue
				}
				if b.HighWatermark < a.HighWatermark {
					found = append(found, fmt.Errorf("high watermark: %s went from %d (tick %d) to %d (tick %d)",
						a.Partition, a.HighWatermark, a.Ended, b.HighWatermark, b.Begun))
				}
				if b.LogStart < a.LogStart {
					found = append(found, fmt.Errorf("log start: %s went from %d (tick %d) to %d (tick %d)",
						a.Partition, a.LogStart, a.Ended, b.LogStart, b.Begun))
				}
			}
		}
	}
	for _, r := range h.Reads {
		i := slices.IndexFunc(byPartition[r.Partition], func(m Mark) bool { return m.Span == r.Span })
		if i >= 0 && r.Offset >= byPartition[r.Partition][i].HighWatermark {
			found = append(found, fmt.Errorf("high watermark: %s offset %d was shown above it (%d)",
				r.Partition, r.Offset, byPartition[r.Partition][i].HighWatermark))
		}
	}
	return found
}

// Same finds what two pictures of the same partitions do not agree on: a state and its replay.
func Same(before, after []Final) (found []error) {
	held := map[Partition]Final{}
	for _, f := range before {
		held[f.Partition] = f
	}
	for _, f := range after {
		was, ok := held[f.Partition]
		delete(held, f.Partition)
		switch {
		case !ok:
			found = append(found, fmt.Errorf("replay: %s was not there", f.Partition))
		case was.LogStart != f.LogStart || was.HighWatermark != f.HighWatermark:
			found = append(found, fmt.Errorf("replay: %s was [%d, %d) and is [%d, %d)",
				f.Partition, was.LogStart, was.HighWatermark, f.LogStart, f.HighWatermark))
		case !slices.EqualFunc(was.Reads, f.Reads, func(a, b Read) bool {
			return a.Offset == b.Offset && a.Epoch == b.Epoch && a.Record == b.Record
		}):
			found = append(found, fmt.Errorf("replay: %s holds other records", f.Partition))
		}
	}
	for p := range maps.Keys(held) {
		found = append(found, fmt.Errorf("replay: %s is gone", p))
	}
	return found
}
