package footprint

import (
	"os"
	"runtime"
	"sync/atomic"
)

// quietLooks is after how many quiet looks in a row a process comes down to one core.
const quietLooks = 5

// Cores has a process run on one core while it rests. With more, Go's scheduler wakes a second thread for nearly everything that
// becomes ready, and on a quiet machine the two share out between them what one has done before the other has
// begun: a quarter of what an idle broker costs. It changes rarely and costs the process some ten µs then, so it comes only
// after a long rest, and goes with the first sign of work. It belongs to the goroutine that looks; Heard is for all.
type Cores struct {
	// listening is set by each look, and cleared by the first sign of work after it, so that busy goroutines only read it.
	listening atomic.Bool
	woken     chan struct{} // one place
	quiet     int
	one       bool // the process is down to one core

	down, up func()
}

// NewCores leaves the process alone where there is one core, and where the variable GOMAXPROCS says how many there are.
func NewCores() *Cores {
	c := &Cores{woken: make(chan struct{}, 1)}
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) > 1 {
		c.down = func() { runtime.GOMAXPROCS(1) }
		c.up = runtime.SetDefaultGOMAXPROCS // which goes on to follow the container's limit
	}
	return c
}

// Heard notes that there is work.
func (c *Cores) Heard() {
	if c == nil || !c.listening.Load() || !c.listening.CompareAndSwap(true, false) {
		return
	}
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Woken yields when there is work, once after each look. Work is to be called then.
func (c *Cores) Woken() <-chan struct{} { return c.woken }

// Look is called every few seconds, and told whether the process has done little since the last time.
func (c *Cores) Look(quiet bool) {
	heard := !c.listening.Swap(true)
	if heard || !quiet {
		c.Work()
		return
	}
	if c.quiet++; c.quiet >= quietLooks && !c.one && c.down != nil {
		c.down()
		c.one = true
	}
}

// Work gives the process all its cores.
func (c *Cores) Work() {
	c.quiet = 0
	if c.one {
		c.up()
		c.one = false
	}
}
