package replication

import (
	"slices"
	"sync"
	"time"

	"barnabas/internal/metadata"
)

// Throttle keeps the copying of some partitions at a rate while they are moved (KIP-73). What is copied is owed and paid
// off at the rate; while anything is owed nothing more is to be copied. So the mean is the rate, and what goes
// beyond it at a time is one answer.
type Throttle struct {
	mu   sync.Mutex
	rate int64     // bytes a second, 0 for no limit; guarded by mu
	owed float64   // bytes; guarded by mu
	at   time.Time // when owed was true; guarded by mu
}

// SetRate sets the limit, in bytes a second; 0 for none.
func (t *Throttle) SetRate(bytesPerSecond int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate = bytesPerSecond; t.rate <= 0 {
		t.rate, t.owed = 0, 0
	}
}

// Exceeded tells whether nothing is to be copied now.
func (t *Throttle) Exceeded(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pay(now)
	return t.owed > 0
}

// Spend notes what was copied.
func (t *Throttle) Spend(bytes int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate > 0 {
		t.pay(now)
		t.owed += float64(bytes)
	}
}

func (t *Throttle) pay(now time.Time) {
	if passed := now.Sub(t.at); passed > 0 {
		t.owed = max(0, t.owed-passed.Seconds()*float64(t.rate))
		t.at = now
	}
}

// Throttles are a broker's: for what it sends as a leader, for what it takes as a follower, and for what it copies from one
// of its log directories to another.
type Throttles struct{ Leader, Follower, AlterDirs Throttle }

// Throttled says which side of a partition's copying is throttled on this broker.
type Throttled struct{ Leader, Follower bool }

// Throttles are the limits of this broker.
func (m *Manager) Throttles() *Throttles { return &m.throttles }

// SendsThrottled tells whether what a follower copies from here counts for the leader's limit, and is to wait for it. One in sync
// never waits, for producers would wait with it.
func (p *Partition) SendsThrottled(to metadata.Member) (counts, waits bool) {
	v := p.view.Load()
	return v.throttled.Leader, v.throttled.Leader && !slices.Contains(v.inSync.Committed, to)
}

// TakesThrottled is SendsThrottled for what this replica copies.
func (p *Partition) TakesThrottled() (counts, waits bool) {
	v := p.view.Load()
	if !v.throttled.Follower || v.log == nil {
		return false, false
	}
	return true, !p.isInSync(v)
}

// throttledBy is what settings say of one partition.
func (s TopicSettings) throttledBy(partition int32) Throttled {
	if s.Throttled == nil {
		return Throttled{}
	}
	return s.Throttled(partition)
}
