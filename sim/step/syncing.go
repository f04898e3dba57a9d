package step

import (
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// Topics with fsync.on.ack: syncs that take their time, machines that lose their power together meanwhile, and what may
// not be lost then.

// powerCuts are the faults of runs with fsync.on.ack, beside those of all.
var powerCuts = []string{"power cut", "power cut", "power cut"}

// syncBy has syncs for which acknowledgements wait end after a while, in a life of the broker.
func (m *machine) syncBy(life int) func(work func()) {
	return func(work func()) {
		m.after(m.between(moment, m.syncTakes), "sync", func() {
			if !m.up || m.life != life {
				return
			}
			m.here(0, "sync", func() {
				work()
				m.note("synced", m.id)
				m.acknowledge()
			})
		})
	}
}

// syncCopy puts on the disk what the next fetch will tell of, after a while.
func (m *machine) syncCopy(lane replication.Lane) {
	if m.syncing {
		return
	}
	m.syncing = true
	lanes := m.lanes
	m.here(m.between(moment, m.syncTakes), "sync of a copy", func() {
		m.syncing = false
		if m.part() == nil {
			return
		}
		m.parts.SyncReplicas([]replication.Replica{m.part()})
		m.note("synced copy", m.id, m.part().Synced())
		if lanes != m.lanes {
			return
		}
		if m.part().Synced() {
			lanes.Synced(partitionKey)
		} else {
			lanes.Fetcher(lane).Failed(partitionKey, m.clock())
		}
	})
}

// cutPower takes the power of several machines in one moment: most of the time the crash leaves the same of all, or some disk
// would have everything nearly every time.
func (w *world) cutPower() {
	n := 2 + w.rng.IntN(len(w.machines)-1)
	left, alike := w.rng.Uint64(), !w.oneIn(4)
	for _, at := range w.rng.Perm(len(w.machines))[:n] {
		m := w.machines[at]
		w.fault("the machine of broker %d loses its power", m.id)
		if !alike {
			left = w.rng.Uint64()
		}
		m.crashTo(m.disk.Crash(left))
	}
}

// lacks tells whether a crash may have taken promised records that a copy had.
func (v *volume) lacks() bool { return v.torn && !v.options.Synced }

// noteOwed notes, as the machine crashes, what has to be on its disk all the same: with fsync.on.ack a copy that counts keeps
// all that was promised.
func (m *machine) noteOwed() {
	if !m.options.Synced || m.state == nil {
		return
	}
	for _, v := range m.volumes {
		counts := func(c metadata.Member) bool { return c.Broker == m.id && c.Store == v.identity }
		if !m.state.AnyMember(counts) {
			continue
		}
		v.owed = v.owed[:0]
		for _, r := range v.holds {
			if r.promised() && !r.excused {
				v.owed = append(v.owed, r)
			}
		}
	}
}

// checkOwed looks for it on the disk after the crash.
func (v *volume) checkOwed(found map[*rec]bool) {
	for _, r := range v.owed {
		if !found[r] && !r.excused {
			v.violation("lost: broker %d counted, and the crash of its machine took %v, which was acknowledged after a sync", v.machine.id, r)
		}
	}
	v.owed = nil
}

// heldInSync tells whether all that are in sync hold a record.
func (m *machine) heldInSync(r *rec) bool {
	for _, member := range m.state.ISR {
		if v := m.volumeOf(member); v == nil || r.holders&v.bit() == 0 {
			return false
		}
	}
	return true
}
