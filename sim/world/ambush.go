package world

import (
	"sync"
	"sync/atomic"
	"syscall"

	"barnabas/internal/vfs"
)

// Ambush is a death in the midst of things: at an operation of the disk, between one write and the next. (Kill
// and Crash come when every goroutine waits, for only then does virtual time pass.)
type Ambush struct {
	machine *Machine
	dead    atomic.Bool
	once    sync.Once
	left    *vfs.Mem
	sprung  chan struct{}
}

// Ambush has the broker die at its nth operation that changes the disk, from now on or from its start. told is
// called at that moment. Until Bury the machine must not be killed otherwise.
func (m *Machine) Ambush(nth int64, told func()) *Ambush {
	a := &Ambush{machine: m, sprung: make(chan struct{})}
	disk := m.disk
	var seen atomic.Int64
	m.FailDisk(func(op vfs.Op) error {
		if a.dead.Load() {
			return syscall.EIO
		}
		if !op.Kind.Changes() || seen.Add(1) < nth {
			return nil
		}
		a.once.Do(func() {
			a.dead.Store(true)
			m.CutOff(false)
			a.left = disk.Restart()
			told()
			close(a.sprung)
		})
		return syscall.EIO
	})
	return a
}

// Sprung receives when the broker has died.
func (a *Ambush) Sprung() <-chan struct{} { return a.sprung }

// Dead tells whether it has sprung.
func (a *Ambush) Dead() bool { return a.dead.Load() }

// Bury ends the ambush. Where it has sprung the machine has the disk of that moment, or, if the machine crashed too,
// what such a crash leaves of it.
func (a *Ambush) Bury(crash bool, seed uint64) (died bool) {
	m := a.machine
	if !a.dead.Load() {
		m.FailDisk(nil)
		return false
	}
	<-a.sprung
	if m.disk = a.left; crash {
		m.disk = m.disk.Crash(seed)
		m.newBoot()
	}
	m.bury()
	m.FailDisk(nil)
	return true
}
