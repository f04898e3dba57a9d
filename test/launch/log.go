package launch

import (
	"io"
	"log/slog"
	"sync"
	"testing"
)

// Log is a logger whose lines are the test's. Once the test is over it drops them: etcd has goroutines that outlive their server, and a
// line of theirs would end the whole run (testing: "Write called after ... has completed").
func Log(t testing.TB) *slog.Logger {
	lines := &untilTheEnd{to: t.Output()}
	t.Cleanup(lines.end)
	return slog.New(slog.NewTextHandler(lines, nil))
}

type untilTheEnd struct {
	mu sync.Mutex
	to io.Writer // nil once the test is over
}

func (u *untilTheEnd) Write(line []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.to == nil {
		return len(line), nil
	}
	return u.to.Write(line)
}

func (u *untilTheEnd) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.to = nil
}
