package step

import (
	"errors"
	"slices"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/replication"
)

// produce has a client send a record to whom it takes for the leader: mostly whom the cluster says, sometimes any.
func (w *world) produce() {
	w.after(w.between(500*time.Microsecond, w.pace), "produce", w.produce)
	m := w.leader()
	if m == nil || w.oneIn(10) {
		m = w.machines[w.rng.IntN(len(w.machines))]
	}
	if !m.up || m.frozen > w.now || m.part() == nil || w.calm() {
		return
	}
	w.ids++
	id := firstID + w.ids
	b := record.NewBuilder(record.Options{})
	b.Append(id, nil, payload[:w.rng.IntN(len(payload))])
	batch, err := b.Build()
	if err != nil {
		panic(err)
	}
	at, err := m.part().Append(batch, replication.AppendRequest{Acks: replication.AcksAll, Epoch: record.NoEpoch})
	w.note("append", m.id, w.ids, at.BaseOffset, at.Epoch, err)
	if err != nil {
		m.doubt(id, err)
		return
	}
	r := m.appended(batch, at)
	m.waiting = append(m.waiting, r)
	m.acknowledge()
}

var payload = make([]byte, 200)

// acknowledge answers the producers whose records are safe now, or will not be known to be.
func (m *machine) acknowledge() {
	p := m.part()
	if p == nil {
		return
	}
	m.waiting = slices.DeleteFunc(m.waiting, func(r *rec) bool {
		required := r.required
		if m.options.Bugs.AcknowledgesEarly {
			required-- // the high watermark stands on the record, not behind it
		}
		done, err := p.Committed(r.epoch, required)
		if m.options.Bugs.AcknowledgesUnsynced {
			done, err = done || m.heldInSync(r), nil
		}
		if done && err == nil {
			m.promise(r, &r.acked)
			m.acked++
			m.note("acknowledged", m.id, r.offset)
		}
		return done
	})
}

// consume reads somewhere, from whoever leads, or thinks that it does.
func (w *world) consume() {
	w.after(w.between(3*time.Millisecond, 12*time.Millisecond), "consume", w.consume)
	m := w.machines[w.rng.IntN(len(w.machines))]
	if !m.up || m.frozen > w.now || m.part() == nil {
		return
	}
	p := m.part()
	state := p.State()
	if state.Role != replication.Leading {
		return
	}
	from := max(state.LogStart, state.HighWatermark-record.Offset(w.rng.IntN(12)))
	read, err := p.Read(replication.ReadRequest{
		Offset: from, MaxBytes: 4000, MinOneBatch: true, UpTo: replication.AtHighWatermark,
		CurrentEpoch: record.NoEpoch, LastFetchedEpoch: record.NoEpoch,
	})
	if err != nil {
		w.note("no read", m.id, err)
		return
	}
	buf := make([]byte, read.Span.Len())
	_, err = read.Span.CopyTo(buf)
	read.Span.Release()
	if err != nil {
		return
	}
	if was := m.marks[state.LeaderEpoch]; read.HighWatermark < was {
		w.violation("high watermark: broker %d showed %d in epoch %d and now %d", m.id, was, state.LeaderEpoch, read.HighWatermark)
	}
	m.marks[state.LeaderEpoch] = read.HighWatermark
	m.show(buf, read.HighWatermark)
}

// show notes what a consumer has seen.
func (m *machine) show(buf []byte, upTo record.Offset) {
	for len(buf) > 0 {
		b, rest, err := record.Next(buf)
		if errors.Is(err, record.ErrShort) {
			return // the bound of the read has cut it
		}
		if err != nil {
			m.violation("broker %d shows a broken batch: %v", m.id, err)
			return
		}
		buf = rest
		if b.LastOffset() >= upTo {
			m.violation("high watermark: broker %d shows offset %d above it (%d)", m.id, b.LastOffset(), upTo)
		}
		r := m.recordOf(m, b)
		if r == nil {
			continue
		}
		if old := m.shown[r.offset]; old != nil && old != r && old.holders != 0 && !old.excused {
			m.violation("changed: consumers saw %v, and now %v in its place", old, r)
		}
		m.shown[r.offset] = r
		m.reads++
		m.promise(r, &r.shown)
	}
}
