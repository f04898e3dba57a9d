package step

import (
	"fmt"
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
	gone     []metadata.Member // destroyed with it, when nobody else held it
	required record.Offset
	// generations of groups, where the log is one of a coordinator.
	generations []*generation
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

func (m *machine) bit() uint { return 1 << uint(m.id) }

// appended notes a record that a leader has written.
func (m *machine) appended(id int64, at replication.Appended) *rec {
	r := &rec{epoch: at.Epoch, offset: at.BaseOffset, id: id, holders: m.bit(), required: at.LastOffset + 1}
	p := place{r.epoch, r.offset}
	if old := m.records[p]; old != nil {
		m.violation("reused: broker %d gives %v the place of %v", m.id, r, old)
	}
	if writer, ok := m.writers[r.epoch]; ok && writer != m.id {
		m.violation("two leaders: broker %d writes in epoch %d, and broker %d has", m.id, r.epoch, writer)
	}
	m.writers[r.epoch] = m.id
	m.records[p] = r
	m.holds = append(m.holds, r)
	return r
}

// recordOf is the record of a batch; nil for one without records, that fills offsets up. Every batch holds one record.
func (w *world) recordOf(m *machine, b record.Batch) *rec {
	if b.Count() == 0 {
		return nil
	}
	r := w.records[place{b.LeaderEpoch(), b.BaseOffset()}]
	if r == nil || r.id != b.BaseTimestamp() {
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
	end := p.Log().EndOffset()
	for n := len(m.holds); n > 0 && m.holds[n-1].offset >= end; n = len(m.holds) {
		r := m.holds[n-1]
		m.holds = m.holds[:n-1]
		r.holders &^= m.bit()
		if r.holders == 0 && r.promised() && !r.excused {
			m.violation("lost: broker %d has cut off the last copy of %v", m.id, r)
		}
	}
}

// lose takes records away from a machine: its disk was destroyed, or has forgotten them.
func (m *machine) lose(gone []*rec) {
	for _, r := range gone {
		r.holders &^= m.bit()
		r.excused = r.excused || r.holders == 0
	}
}

// readBack compares what the disk holds with what it held.
func (m *machine) readBack() {
	log := m.store.Log(partitionName)
	var found []*rec
	if log != nil {
		for _, b := range m.batchesOf(log) {
			if r := m.recordOf(m, b); r != nil {
				found = append(found, r)
			}
		}
	}
	before := map[*rec]bool{}
	for _, r := range found {
		before[r] = true
	}
	var gone []*rec
	for _, r := range m.holds {
		if !before[r] {
			gone = append(gone, r)
		}
	}
	m.lose(gone)
	m.checkOwed(before)
	for _, r := range found {
		r.holders |= m.bit()
	}
	m.holds = found
}

// batchesOf reads a whole log.
func (w *world) batchesOf(log *storage.Log) (all []record.Batch) {
	for at := log.StartOffset(); at < log.EndOffset(); {
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
	w.checkSets(now)
}

// named excuses the records that a leader lacks who was elected because no whole copy that counts was left: others may
// have had them, who did not count. It wants that to be so.
func (w *world) named(now *metadata.Partition) {
	if w.state == nil || now.Named <= w.state.Named {
		return
	}
	leader := w.machineOf(now.Leader).bit()
	elected, _ := now.InISR(now.Leader)
	destroyed := w.options.Synced && elected.Store != w.machineOf(now.Leader).identity // since that was decided
	counted := slices.Concat(w.state.ISR, w.state.ELR)
	for _, r := range w.promised {
		if r.holders&leader != 0 || r.excused || destroyed {
			continue
		}
		for _, member := range counted {
			if m := w.machineOf(member.Broker); m.identity == member.Store && !m.lacks() && r.holders&m.bit() != 0 {
				w.violation("sets: epoch %d begins with a copy that lacks %v, and that of broker %d is whole", now.LeaderEpoch, r, m.id)
			}
		}
	}
	for _, r := range w.records { // those too that a leader of before will promise yet, who stands still now
		if r.holders&leader == 0 {
			r.entered = r.entered || slices.ContainsFunc(counted, func(c metadata.Member) bool { return slices.Contains(r.gone, c) })
			r.excused = true
		}
	}
}

// checkSets wants each member of the sets whose disk is whole to hold all that was promised and that some disk has.
func (w *world) checkSets(p *metadata.Partition) {
	for _, set := range [][]metadata.Member{p.ISR, p.ELR} {
		for _, member := range set {
			m := w.machineOf(member.Broker)
			if member.Store != m.identity || m.lacks() {
				continue
			}
			for _, r := range w.lately() {
				if r.holders != 0 && r.holders&m.bit() == 0 && !r.excused {
					w.violation("sets: broker %d counts in epoch %d and does not hold %v", m.id, p.LeaderEpoch, r)
				}
			}
		}
	}
}

// lately are the records that were promised last.
func (w *world) lately() []*rec { return w.promised[max(0, len(w.promised)-20):] }

func (w *world) promise(r *rec, why *bool) {
	if !r.promised() {
		w.promised = append(w.promised, r)
	}
	*why = true
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
