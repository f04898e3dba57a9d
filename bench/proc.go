package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of the times in /proc/PID/stat on Linux.
const clockTick = 10 * time.Millisecond

// cpuTime is the processor time that all threads of the processes have used.
func cpuTime(pids ...int) (time.Duration, error) {
	var ticks int64
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// The second field is a name in parentheses that may hold blanks; utime and stime are fields 14 and 15.
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * clockTick, nil
}

// residentMiB is the memory that the processes hold.
func residentMiB(pids ...int) (float64, error) {
	total := 0.0
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		found := false
		for line := range strings.Lines(string(raw)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				if err != nil {
					return 0, err
				}
				total, found = total+kib/1024, true
			}
		}
		if !found {
			return 0, fmt.Errorf("no VmRSS for process %d", pid)
		}
	}
	return total, nil
}

// machineLoad is how long all cores were busy, in ticks, since the machine started, and of that how long with this
// process and its children that are alive or were waited for.
type machineLoad struct {
	at         time.Time
	busy, ours int64
}

// othersSince is what part of all cores was busy with other processes, in percent. What is measured is among the children.
func (l machineLoad) othersSince(before machineLoad) float64 {
	took := l.at.Sub(before.at).Seconds() * float64(runtime.NumCPU())
	others := float64((l.busy-before.busy)-(l.ours-before.ours)) * clockTick.Seconds()
	return max(0, 100*others/took)
}

func loadNow() machineLoad {
	l := machineLoad{at: time.Now()}
	raw, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	for i, field := range strings.Fields(line)[1:] {
		n, _ := strconv.ParseInt(field, 10, 64)
		if i != 3 && i != 4 && i < 8 { // neither idle nor waiting for the disk
			l.busy += n
		}
	}
	var own, children unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &own) == nil && unix.Getrusage(unix.RUSAGE_CHILDREN, &children) == nil {
		for _, r := range []unix.Rusage{own, children} {
			l.ours += (r.Utime.Nano() + r.Stime.Nano()) / clockTick.Nanoseconds()
		}
	}
	return l
}

// pinSelf keeps this process on a core of its own. It goes on with as many of Go's processors as the machine has cores: left to itself the runtime
// would follow, and with one of them all goroutines wait, for 20 µs or more, when a thread sleeps until a record is due or for an answer.
func pinSelf(core int) error {
	runtime.GOMAXPROCS(runtime.NumCPU())
	var set unix.CPUSet
	set.Set(core)
	return pinThreads(&set)
}

// unpinSelf lets this process use every core.
func unpinSelf() error {
	var set unix.CPUSet
	for core := range runtime.NumCPU() {
		set.Set(core)
	}
	return pinThreads(&set)
}

// pinThreads pins every thread that there is; those to come inherit it.
func pinThreads(set *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}
