package sim

import (
	"fmt"
	"sync"
	"time"
)

// account is what a run tells of itself: the faults as they happen, and what is wrong beside what the histories show.
type account struct {
	say   func(format string, args ...any)
	began time.Time

	mu     sync.Mutex
	faults []string // guarded by mu
	broken []error  // guarded by mu
}

// newAccount begins one; say may be nil.
func newAccount(say func(format string, args ...any)) *account {
	if say == nil {
		say = func(string, ...any) {}
	}
	return &account{say: say, began: time.Now()}
}

func (a *account) fault(format string, args ...any) {
	text := fmt.Sprintf("%8.3fs  ", time.Since(a.began).Seconds()) + fmt.Sprintf(format, args...)
	a.mu.Lock()
	a.faults = append(a.faults, text)
	a.mu.Unlock()
	a.say("%s", text)
}

func (a *account) violation(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	a.say("VIOLATION: %v", err)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = append(a.broken, err)
}

// answersWithin is how long a healed broker may take to serve a partition.
const answersWithin = 30 * time.Second

// eventually repeats until there is no error, and makes it a violation if that takes too long.
func (a *account) eventually(what string, do func() error) {
	end := time.Now().Add(answersWithin)
	for {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			a.violation(what+" for %v: %w", answersWithin, err)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}
