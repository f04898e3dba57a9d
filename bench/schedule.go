package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// schedule says when each record is due.
type schedule struct {
	begun time.Time
	rate  int // records a second
}

func (s schedule) due(record int) time.Time {
	return s.begun.Add(time.Duration(record) * time.Second / time.Duration(s.rate))
}

// schedulePause is how long the schedule sleeps at least: what becomes due meanwhile comes late, and counts with that. To wake for each of 20,000
// records a second took 40 % of the clients' core, which was what was measured then.
const schedulePause = 200 * time.Microsecond

// run calls send with the records that have become due since the last call, at most so many at once, on a thread of its own that
// sleeps by the kernel's high-resolution clock: the runtime's timers are late by up to a millisecond, which would be
// counted as the broker's. What is due while a call has not returned comes late, and counts with its delay.
func (s schedule) run(count, most int, send func(first, records int)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil { // nanoseconds; 50 microseconds otherwise
		fatal(err)
	}
	woken := s.begun
	for first := 0; first < count; {
		if due := s.due(first); time.Until(due) > 0 {
			if woken = woken.Add(schedulePause); due.After(woken) {
				woken = due
			}
			sleepUntil(woken)
		}
		records, now := 1, time.Now()
		for records < most && first+records < count && !s.due(first+records).After(now) {
			records++
		}
		send(first, records)
		first += records
	}
}

func sleepUntil(due time.Time) {
	for wait := time.Until(due); wait > 0; wait = time.Until(due) {
		left := unix.NsecToTimespec(wait.Nanoseconds())
		_ = unix.Nanosleep(&left, nil) // or it was interrupted, and sleeps again
	}
}
