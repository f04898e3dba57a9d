package step

import (
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
)

// plague makes one thing go wrong, and plans the next.
func (w *world) plague() {
	if w.calm() {
		return
	}
	w.after(w.between(5*time.Millisecond, w.mercy), "fault", w.plague)
	m := w.machines[w.rng.IntN(len(w.machines))]
	fate := w.fates[w.rng.IntN(len(w.fates))]
	w.counts[fate]++
	switch fate {
	case "kill":
		w.fault("broker %d is killed", m.id)
		m.kill()
	case "crash":
		w.fault("the machine of broker %d crashes", m.id)
		m.crashTo(m.disk.Crash(w.rng.Uint64()))
	case "crash in the midst":
		a := &ambush{life: m.life, seed: w.rng.Uint64(), dead: make(chan struct{})}
		a.nth.Store(int64(1 + w.rng.IntN(25)))
		if m.up && m.ambush.CompareAndSwap(nil, a) {
			w.fault("the machine of broker %d will crash at operation %d of its disk", m.id, a.nth.Load())
		}
	case "crash of all":
		w.fault("all machines crash")
		for _, m := range w.machines {
			m.crashTo(m.disk.Crash(w.rng.Uint64()))
		}
	case "power cut":
		w.cutPower()
	case "wipe":
		w.fault("the disk of broker %d is destroyed", m.id)
		m.wipe()
	case "directory fails":
		m.volumes[w.rng.IntN(len(m.volumes))].fail()
	case "directory destroyed":
		m.volumes[w.rng.IntN(len(m.volumes))].destroy()
	case "link":
		w.cutLink(m)
	case "keepers":
		w.cutKeepers(m)
	case "freeze":
		d := w.between(5*time.Millisecond, 250*time.Millisecond)
		w.fault("broker %d stands still for %v", m.id, d)
		m.frozen = max(m.frozen, w.now+d)
		m.unregisterAfter(lease)
	case "controller":
		w.fault("another controller is elected")
		w.elect()
	case "clock":
		hours := time.Duration(w.rng.IntN(96)-48) * time.Hour
		w.fault("the wall clock of broker %d is set to %v from the truth", m.id, hours)
		m.skew.Store(int64(hours))
	}
}

// kill leaves what was written.
func (m *machine) kill() {
	if !m.up {
		return
	}
	left := m.disk.Restart()
	m.die(lease / 10) // a refused connection tells that the process is gone
	m.disk = left
	m.after(m.between(5*time.Millisecond, 300*time.Millisecond), "start", m.start)
}

// crashTo leaves a disk that has lost some of what was not synced.
func (m *machine) crashTo(left *vfs.Mem) {
	wasUp := m.up
	m.noteOwed()
	m.ambush.Store(nil)
	m.die(lease)
	m.disk = left
	m.newBoot()
	for _, v := range m.volumes {
		v.torn, v.hurt = true, true
	}
	if wasUp {
		m.after(m.between(5*time.Millisecond, 400*time.Millisecond), "start", m.start)
	}
}

// wipe leaves an empty disk.
func (m *machine) wipe() {
	wasUp := m.up
	m.ambush.Store(nil)
	m.die(lease / 10)
	m.destroyed(m.bits())
	m.newDisk(!m.options.Bugs.TrustsEmpty)
	if wasUp {
		m.after(m.between(5*time.Millisecond, 300*time.Millisecond), "start", m.start)
	}
}

// destroyed notes that volumes are empty from now on.
func (m *machine) destroyed(which uint) {
	for _, v := range m.volumes {
		for _, r := range v.holds {
			if v.bit()&which != 0 && r.holders&^which == 0 {
				r.gone = append(r.gone, metadata.Member{Broker: m.id, Store: v.identity})
			}
		}
	}
	for _, v := range m.volumes {
		if v.bit()&which == 0 {
			continue
		}
		v.lose(v.holds)
		v.holds, v.present, v.owed, v.upTo, v.torn, v.hurt = nil, nil, nil, 0, false, false
		clear(v.newest)
	}
}

// cutLink cuts a link between a machine and another one, in one direction or both, for a while.
func (w *world) cutLink(m *machine) {
	other := w.machines[w.rng.IntN(len(w.machines))]
	if other == m {
		return
	}
	links := [][2]*machine{{m, other}}
	if !w.oneIn(3) {
		links = append(links, [2]*machine{other, m})
	}
	w.fault("broker %d does not reach broker %d, %d directions", m.id, other.id, len(links))
	for _, l := range links {
		w.apart[l] = true
	}
	w.after(w.between(20*time.Millisecond, 500*time.Millisecond), "link mended", func() {
		for _, l := range links {
			delete(w.apart, l)
		}
	})
}

// cutKeepers cuts a machine off the metadata store, for a while that its lease may outlast.
func (w *world) cutKeepers(m *machine) {
	if m.cutOff || !m.up {
		return
	}
	w.fault("broker %d does not reach the keepers", m.id)
	m.cutOff = true
	m.unregisterAfter(lease)
	w.after(w.between(20*time.Millisecond, 400*time.Millisecond), "keepers reached", func() {
		m.cutOff = false
		if m.up {
			m.hear(w.keepers.revision)
			if m.registered == 0 {
				m.register()
			}
		}
	})
}
