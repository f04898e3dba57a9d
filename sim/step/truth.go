package step

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
)

// rec is a record that a leader has given an offset to. There is one for each (leader epoch, offset): more would be an
// offset that was used twice.
type rec struct {
	epoch    record.Epoch
	offset   record.Offset
	id       int64             // its timestamp
	acked    bool              // with acks=all
	shown    bool              // to a consumer
	holders  uint              // machines on whose disks it is, as far as is known
	excused  bool              // its last holders were destroyed, or crashed, or those that counted
	entered  bool              // the last copy was destroyed, and counted: the ledger has to say so
	unsure   bool              // its leader could not write all of it, and may have it all the same
	gone     []metadata.Member // destroyed with it, when nobody else held it
	required record.Offset
	at       time.Duration // when it was written

	// What is in it, where the log is one of a coordinator: generations of groups, groups that are no more, and offsets.
	generations []*generation
	ended       []string
	commits     []*commit
	entries     []entry // all that, where it is compacted
}

func (r *rec) String() string {
	return fmt.Sprintf("record %d (offset %d, epoch %d)", r.id-firstID, r.offset, r.epoch)
}

// promised tells whether the record may be lost only with all stores that held it.
func (r *rec) promised() bool { return r.acked || r.shown }

// place is what tells records apart.
type place struct {
	epoch  record.Epoch
	offset record.Offset
}

// firstID is before the timestamps of all records.
const firstID int64 = 900_000_000_000

// appended notes a record that a leader has written.
func (m *machine) appended(b record.Batch, at replication.Appended) *rec {
	r := &rec{epoch: at.Epoch, offset: at.BaseOffset, id: b.BaseTimestamp(), required: at.LastOffset + 1, at: m.now}
	p := place{r.epoch, r.offset}
	if old := m.records[p]; old != nil {
		m.violation("reused: broker %d gives %v the place of %v", m.id, r, old)
	}
	if writer, ok := m.writers[r.epoch]; ok && writer != m.id {
		m.violation("two leaders: broker %d writes in epoch %d, and broker %d has", m.id, r.epoch, writer)
	}
	m.writers[r.epoch] = m.id
	m.records[p] = r
	m.enter(r, b)
	m.main().add(r, b)
	return r
}

// doubt notes a record whose append has failed for the disk's sake: it may be in the log, and was not acknowledged.
func (m *machine) doubt(id int64, err error) {
	if !errors.Is(err, replication.ErrStorage) || len(m.volumes) < 2 {
		return
	}
	m.unsure[id] = true
	if log := m.main().log(); log != nil {
		m.main().take(log)
	}
}

// recordOf is the record of a batch; nil for one without records, that fills offsets up. Every batch holds one record.
func (w *world) recordOf(m *machine, b record.Batch) *rec {
	if b.Count() == 0 {
		return nil
	}
	at := place{b.LeaderEpoch(), b.BaseOffset()}
	r := w.records[at]
	if r == nil && w.unsure[b.BaseTimestamp()] {
		r = &rec{epoch: at.epoch, offset: at.offset, id: b.BaseTimestamp(), required: b.NextOffset(), at: w.now, unsure: true}
		w.records[at] = r
		w.enter(r, b)
		if w.options.Groups {
			m.written(r, b)
		}
	}
	if r == nil || !r.isOf(w, b) {
		w.violation("invented: broker %d holds record %d at offset %d of epoch %d, which nobody wrote there",
			m.id, b.BaseTimestamp()-firstID, b.BaseOffset(), b.LeaderEpoch())
		return nil
	}
	return r
}

// mirror drops what the log has cut off from what the machine is known to hold. No follower may cut off the last copy of
// what was promised, unless no whole copy was left when its leader was elected.
func (m *machine) mirror() {
	p := m.part()
	if p == nil || p.Log() == nil || p.Log().Directory().Err() != nil {
		return
	}
	m.main().cut(p.Log().EndOffset())
}

// cut drops what the volume does not hold any more, from an offset on.
func (v *volume) cut(end record.Offset) {
	v.upTo = min(v.upTo, end)
	for n := len(v.holds); n > 0 && v.holds[n-1].offset >= end; n = len(v.holds) {
		v.drop(v.holds[n-1])
		v.holds = v.holds[:n-1]
	}
	v.uncover(end)
}

// drop notes that the volume does not hold a record any more, nor a newer one in its place.
func (v *volume) drop(r *rec) {
	r.holders &^= v.bit()
	delete(v.came, r)
	if v.spared() && r.holders == 0 {
		v.excuse(r)
	}
	if r.holders == 0 && r.promised() && !r.excused {
		v.violation("lost: broker %d has cut off the last copy of %v", v.machine.id, r)
	}
}

// lose takes records away from a volume: it was destroyed, or has forgotten them.
func (v *volume) lose(gone []*rec) {
	for _, r := range gone {
		delete(v.came, r)
		r.holders &^= v.bit()
		if r.holders == 0 {
			v.excuse(r)
		}
	}
}

// readBack compares what the volume holds with what it held.
func (v *volume) readBack() {
	var found, covered, gone []*rec
	there := map[*rec]bool{}
	v.upTo, v.present = 0, v.present[:0]
	clear(v.newest)
	log := v.log()
	if log != nil {
		for _, b := range v.batchesOf(log) {
			if r := v.recordOf(v.machine, b); r != nil {
				found, there[r] = append(found, r), true
				v.keep(r, v.entriesOf(r, b))
			}
		}
		v.upTo, v.second = log.EndOffset(), log == v.store.Future(partitionName)
	}
	for _, r := range v.holds {
		switch {
		case there[r]:
		case v.covers(r):
			covered = append(covered, r)
		default:
			gone = append(gone, r)
		}
	}
	v.checkHoles(log, found, gone)
	v.lose(gone)
	v.checkOwed(there)
	for _, r := range found {
		r.holders |= v.bit()
	}
	v.holds = append(found, covered...)
	slices.SortStableFunc(v.holds, func(a, b *rec) int { return cmp.Compare(a.offset, b.offset) })
	v.cover(slices.Sorted(maps.Keys(v.newest)))
}

// batchesOf reads a whole log.
func (w *world) batchesOf(log *storage.Log) []record.Batch {
	return w.batchesFrom(log, log.StartOffset())
}

// batchesFrom reads it from an offset on.
func (w *world) batchesFrom(log *storage.Log, at record.Offset) (all []record.Batch) {
	for at < log.EndOffset() {
		span, err := log.Read(at, storage.ReadOptions{MaxBytes: 1 << 20, MinOneBatch: true, UpTo: log.EndOffset()})
		if err != nil {
			w.violation("a log can't be read at %d: %v", at, err)
			return all
		}
		buf := make([]byte, span.Len())
		_, err = span.CopyTo(buf)
		span.Release()
		if err != nil || len(buf) == 0 {
			w.violation("a log can't be read at %d: %d bytes, %v", at, len(buf), err)
			return all
		}
		for len(buf) > 0 {
			b, rest, err := record.Next(buf)
			if err != nil {
				w.violation("a log is broken at %d: %v", at, err)
				return all
			}
			all, buf, at = append(all, b), rest, b.NextOffset()
		}
	}
	return all
}

// changed checks each new state of the partition.
func (w *world) partitionChanged(old, now *metadata.Partition) {
	if old != nil && (now.LeaderEpoch < old.LeaderEpoch || now.Ceiling < old.Ceiling || now.Epoch < old.Epoch) {
		w.violation("metadata: went back from epochs %d and %d, ceiling %d to %d, %d and %d",
			old.LeaderEpoch, old.Epoch, old.Ceiling, now.LeaderEpoch, now.Epoch, now.Ceiling)
	}
	if leader, ok := w.leaders[now.LeaderEpoch]; ok && now.Leader >= 0 && leader != now.Leader {
		w.violation("metadata: leader epoch %d is of %d and of %d", now.LeaderEpoch, leader, now.Leader)
	}
	if now.Leader >= 0 {
		w.leaders[now.LeaderEpoch] = now.Leader
		if now.Inquiry != metadata.NoInquiry {
			w.violation("metadata: broker %d leads in epoch %d while the stores are asked", now.Leader, now.LeaderEpoch)
		}
	}
	w.checkSets(now, w.lately()...)
}

// named excuses the records that a leader lacks who was elected because no whole copy that counts was left: others may
// have had them, who did not count. It wants that to be so.
func (w *world) named(now *metadata.Partition) {
	if w.state == nil || now.Named <= w.state.Named {
		return
	}
	var leader uint
	if elected, ok := now.InISR(now.Leader); ok {
		if v := w.volumeOf(elected); v != nil {
			leader = v.bit()
		}
	}
	destroyed := w.options.Synced && leader == 0 // since that was decided
	counted := slices.Concat(w.state.ISR, w.state.ELR)
	for _, r := range w.promised {
		if r.holders&leader != 0 || r.excused || destroyed {
			continue
		}
		for _, member := range counted {
			if v := w.volumeOf(member); v != nil && !v.lacks() && r.holders&v.bit() != 0 {
				w.violation("sets: epoch %d begins with a copy that lacks %v, and that of broker %d is whole", now.LeaderEpoch, r, member.Broker)
			}
		}
	}
	for _, r := range w.records { // those too that a leader of before will promise yet, who stands still now
		if r.holders&leader == 0 {
			r.entered = r.entered || slices.ContainsFunc(counted, func(c metadata.Member) bool { return slices.Contains(r.gone, c) })
			w.excuse(r)
		}
	}
}

// checkSets wants each member of the sets whose disk is whole to hold what was promised and some disk has.
func (w *world) checkSets(p *metadata.Partition, promised ...*rec) {
	for _, set := range [][]metadata.Member{p.ISR, p.ELR} {
		for _, member := range set {
			v := w.volumeOf(member)
			if v == nil || v.lacks() {
				continue
			}
			for _, r := range promised {
				if r.holders != 0 && r.holders&v.bit() == 0 && !r.excused {
					w.violation("sets: broker %d counts in epoch %d and does not hold %v", member.Broker, p.LeaderEpoch, r)
				}
			}
		}
	}
}

// lately are the records that were promised last.
func (w *world) lately() []*rec { return w.promised[max(0, len(w.promised)-20):] }

func (w *world) promise(r *rec, why *bool) {
	first := !r.promised()
	if *why = true; !first {
		return
	}
	w.promised = append(w.promised, r)
	for _, m := range w.machines {
		for _, v := range m.volumes {
			v.mayCover(r)
		}
	}
	w.fresh = append(w.fresh, r)
}

func (w *world) violation(format string, args ...any) {
	err := fmt.Errorf("at %v: "+format, append([]any{w.now}, args...)...)
	w.note("VIOLATION", err)
	if len(w.wrong) < 20 {
		w.wrong = append(w.wrong, err)
	}
}

func (w *world) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.note("fault", text)
	w.faults = append(w.faults, fmt.Sprintf("%10.3fms  %s", float64(w.now)/float64(time.Millisecond), text))
}
