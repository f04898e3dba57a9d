package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progressEvery is how often a progress bar is drawn anew.
const progressEvery = 100 * time.Millisecond

// progress is a bar on a terminal for work that may be long. It is drawn on standard error, and
// not at all where that is no terminal. Its methods may be called from several goroutines, and on
// a nil progress.
type progress struct {
	out   io.Writer
	total int64

	mu    sync.Mutex
	began time.Time
	drawn time.Time
	shown bool
}

// progress returns a bar for total units of work, or nil where nobody would see it.
func (env *Env) progress(total int64) *progress {
	if total <= 0 || !isTerminal(env.Stderr) {
		return nil
	}
	now := time.Now()
	return &progress{out: env.Stderr, total: total, began: now, drawn: now}
}

// at says that so much of the work is done.
func (p *progress) at(done int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.drawn) < progressEvery {
		return
	}
	p.drawn, p.shown = now, true
	fmt.Fprintf(p.out, "\r%s\x1b[K", bar(done, p.total, now.Sub(p.began)))
}

// clear takes the bar away, so that a line can be printed in its place. It comes back with at.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

const barWidth = 30

// bar is [######    ]  60%  and how long the rest will take if it goes on like this.
func bar(done, total int64, elapsed time.Duration) string {
	share := min(max(float64(done)/float64(total), 0), 1)
	full := int(share * barWidth)
	line := fmt.Sprintf("[%s%s] %3.0f%%", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), share*100)
	if share <= 0 {
		return line
	}
	left := time.Duration(float64(elapsed) * (1 - share) / share)
	return line + fmt.Sprintf("  %s left", left.Round(time.Second))
}
