package coordinator

import "sync/atomic"

// crew runs shards on goroutines that stay for the next one, with the stacks that they have grown: the stack of a new goroutine grows twice
// for nearly each command, which is a twentieth of what the command costs.
type crew struct {
	work chan func()
	idle atomic.Int32
	over chan struct{} // closed when nobody needs to stay
}

// maxIdle bounds the goroutines that stay.
const maxIdle = 16

func newCrew() *crew { return &crew{work: make(chan func()), over: make(chan struct{})} }

// run has somebody call f soon. Nobody is waited for.
func (c *crew) run(f func()) {
	select {
	case c.work <- f:
	default:
		go c.serve(f)
	}
}

func (c *crew) serve(f func()) {
	for {
		f()
		if c.idle.Add(1) > maxIdle {
			c.idle.Add(-1)
			return
		}
		select {
		case f = <-c.work:
			c.idle.Add(-1)
		case <-c.over:
			return
		}
	}
}

// dismiss lets those who are idle go.
func (c *crew) dismiss() { close(c.over) }
