package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// latencyLimit is what the machine itself adds, and nobody can be below: a thread that spins on the generator's core says when each record is due,
// one that spins on the broker's core takes the time at which it sees that. No system call lies between; what there is beyond a
// microsecond are the moments in which a core stood still, because a virtual machine's host gave it to others.
func latencyLimit(rate int) (figures, error) {
	warm, total := latencyCounts(rate)
	var said atomic.Int64 // records that have been due
	times := schedule{begun: time.Now(), rate: rate}
	pinned := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and ends with the goroutine, pinned as it is
		pinned <- pinThread(generatorCore)
		for record := range total {
			for time.Until(times.due(record)) > 0 { // spins
			}
			said.Store(int64(record) + 1)
		}
	}()
	if err := <-pinned; err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pinThread(brokerCore); err != nil {
		return nil, err
	}
	defer pinThread(generatorCore)
	var h histogram
	for seen := 0; seen < total; {
		due := int(said.Load())
		for now := time.Now(); seen < due; seen++ {
			if seen >= warm {
				h.add(now.Sub(times.due(seen)))
			}
		}
	}
	return h.figures(), nil
}

// pinThread keeps the calling thread on a core.
func pinThread(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(0, &set)
}
