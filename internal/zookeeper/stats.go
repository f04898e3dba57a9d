package zookeeper

import (
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/zookeeper/jute"
)

// stats are what srvr and mntr tell of the whole server.
type stats struct {
	received, sent atomic.Int64
	latency        latency
}

// latency is how long requests took, in milliseconds.
type latency struct {
	mu               sync.Mutex
	count            int64
	total, low, high time.Duration
}

func (l *latency) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 || d < l.low {
		l.low = d
	}
	l.high = max(l.high, d)
	l.total += d
	l.count++
}

func (l *latency) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count, l.total, l.low, l.high = 0, 0, 0, 0
}

func (l *latency) milliseconds() (low int64, average float64, high int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count > 0 {
		average = float64(l.total.Microseconds()) / 1000 / float64(l.count)
	}
	return l.low.Milliseconds(), average, l.high.Milliseconds()
}

// tally is what cons tells of a connection.
type tally struct {
	received, sent atomic.Int64
	// lastOp, lastXid and lastAt are of the last request.
	lastOp, lastXid atomic.Int32
	lastAt          atomic.Int64
	lastLatency     atomic.Int64
	latency         latency
}

func (t *tally) asked(h jute.RequestHeader) {
	t.lastOp.Store(int32(h.Op))
	t.lastXid.Store(h.Xid)
}

// done notes that a request has been answered.
func (c *conn) done(arrived time.Time) {
	took := time.Since(arrived)
	c.server.stats.latency.add(took)
	c.tally.latency.add(took)
	c.tally.lastLatency.Store(took.Milliseconds())
	c.tally.lastAt.Store(time.Now().UnixMilli())
}
