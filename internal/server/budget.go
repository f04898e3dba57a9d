package server

import "sync"

// budget bounds the request bytes in memory. A frame larger than all of it may come in alone, so
// that a small budget slows a large request and never blocks it for good.
type budget struct {
	mu    sync.Mutex
	freed sync.Cond
	limit int64 // 0: no bound
	used  int64
	shut  bool
}

func newBudget(limit int64) *budget {
	b := &budget{limit: limit}
	b.freed.L = &b.mu
	return b
}

// take waits for room for n bytes; false when the server has shut.
func (b *budget) take(n int) bool {
	if b.limit <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.shut && !b.fits(n) {
		b.freed.Wait()
	}
	b.used += int64(n)
	return !b.shut
}

// tryTake takes room for n bytes where there is some now.
func (b *budget) tryTake(n int) bool {
	if b.limit <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut || !b.fits(n) {
		return false
	}
	b.used += int64(n)
	return true
}

// fits tells whether n bytes more may come in. With mu held.
func (b *budget) fits(n int) bool { return b.used == 0 || b.used+int64(n) <= b.limit }

func (b *budget) give(n int) {
	if b.limit <= 0 {
		return
	}
	b.mu.Lock()
	b.used -= int64(n)
	b.mu.Unlock()
	b.freed.Broadcast()
}

// close lets every waiter go.
func (b *budget) close() {
	b.mu.Lock()
	b.shut = true
	b.mu.Unlock()
	b.freed.Broadcast()
}
