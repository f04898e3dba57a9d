package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pausedWithin bounds how long a process takes to stop in its tracks.
const pausedWithin = 30 * time.Second

// Pause stops a process in its tracks by SIGSTOP, and returns when all its threads stand still: kill(2) returns before that, and
// on a busy machine one of them may answer a question meanwhile.
func Pause(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	Await(t, pausedWithin, fmt.Sprintf("process %d to stand still", p.Pid), func() string { return "" }, func() bool { return standsStill(p.Pid) })
}

// standsStill tells whether all threads of a process are stopped, or nobody can see.
func standsStill(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return true
	}
	for _, thread := range threads {
		raw, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may hold anything; the state follows it (proc(5)).
		_, state, _ := strings.Cut(string(raw[strings.LastIndexByte(string(raw), ')'):]), " ")
		if !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}
