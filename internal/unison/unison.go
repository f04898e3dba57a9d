// Package unison has waits end together. What an idle process costs is how often it wakes up, and hardly what it does
// then: chores that are due at the same moments wake it once for all of them, and what is sent at the same moments by all
// processes of a cluster arrives together.
//
// It starts no goroutines.
package unison

import "time"

// Wait returns how long it is until the clock on the wall next shows a multiple of every: more than nothing, and every at
// most. Those that wait so for the same time, or for multiples of it, are woken together, in this process and, as far as
// clocks agree, in others. A clock that is set makes one wait shorter. It is 0 where every is not positive.
func Wait(now time.Time, every time.Duration) time.Duration {
	if every <= 0 {
		return 0
	}
	return every - time.Duration(now.UnixNano()%int64(every))
}

// Ticker ticks whenever Wait has passed. It is for one goroutine.
type Ticker struct {
	// C has room for one tick.
	C     <-chan time.Time
	timer *time.Timer
	every time.Duration
}

// NewTicker begins at once; every must be positive. Stop ends it.
func NewTicker(every time.Duration) *Ticker {
	timer := time.NewTimer(Wait(time.Now(), every))
	return &Ticker{C: timer.C, timer: timer, every: every}
}

// Next has it tick again. It is called after each tick.
func (t *Ticker) Next() { t.Reset(t.every) }

// Reset has it tick next when Wait of another time has passed.
func (t *Ticker) Reset(every time.Duration) {
	t.every = every
	t.timer.Reset(Wait(time.Now(), every))
}

// Stop ends it.
func (t *Ticker) Stop() { t.timer.Stop() }
