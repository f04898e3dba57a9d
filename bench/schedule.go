package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// onSchedule calls send at every due time, on a thread of its own that sleeps by the kernel's high-resolution clock: the
// runtime's timers are late by up to a millisecond, which would be counted as the broker's. A call that is due while the
// one before it has not returned comes late, and counts with its delay: due is when it should have been.
func onSchedule(rate, count int, send func(due time.Time)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil { // nanoseconds; 50 microseconds otherwise
		fatal(err)
	}
	begun := time.Now()
	for i := range count {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(rate))
		for wait := time.Until(due); wait > 0; wait = time.Until(due) {
			left := unix.NsecToTimespec(wait.Nanoseconds())
			_ = unix.Nanosleep(&left, nil) // or it was interrupted, and sleeps again
		}
		send(due)
	}
}
