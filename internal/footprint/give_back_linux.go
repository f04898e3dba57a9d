package footprint

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// GiveBack collects what is garbage, gives free memory to the system, and takes the pages of the program's code and constants
// out of the process. What it goes on to use, it gets again from the page cache, a microsecond for 64 KiB; what only the start
// has needed, more than half of them, stays out of its resident memory.
func GiveBack() error {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("give code back: %w", err)
	}
	defer maps.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("give code back: %w", err)
	}
	segments, err := untouched(maps, program)
	if err != nil {
		return fmt.Errorf("give code back: %w", err)
	}
	for _, s := range segments {
		// Nothing of it was written, so that what the page cache has is what was there.
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, s.start, s.end-s.start, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("give code back: madvise: %w", errno)
		}
	}
	return nil
}

// Used is what the process has used until now.
func Used() Usage {
	u := Usage{At: time.Now(), Held: Held()}
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) == nil {
		u.Processor = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u
}
