package broker

import (
	"sync"
	"time"

	"barnabas/internal/replication"
)

// leaderCopy copies from one leader, on a connection for each lane: see [replication.Lanes]. That of those that lag is there as
// long as somebody does.
type leaderCopy struct {
	*fetchers
	at source

	mu    sync.Mutex         // guards what the feed touches too, of the fetches as well
	lanes *replication.Lanes // guarded by mu
	fetch [2]*leaderFetch    // by lane
}

// laggingLingers is for how long the connection of those that lag is kept when there are none.
const laggingLingers = 5 * time.Second

func (f *fetchers) newLeaderCopy(at source) *leaderCopy {
	c := &leaderCopy{fetchers: f, at: at, lanes: replication.NewLanes(f.settings.backoff)}
	for _, lane := range []replication.Lane{replication.LevelLane, replication.LaggingLane} {
		l := &leaderFetch{
			leaderCopy: c, lane: lane, core: c.lanes.Fetcher(lane), wake: make(chan struct{}, 1),
			logger: f.logger.With("leader", int32(at.id)),
		}
		l.core.Throttled = f.throttled
		c.fetch[lane] = l
	}
	return c
}

func (c *leaderCopy) run() {
	for _, l := range c.fetch {
		c.running.Go(l.run)
	}
	c.running.Go(func() {
		<-c.ctx.Done()
		c.interrupt(true)
	})
}

// add has a partition fetched. A fetch that waits for the others is given up, so that the new one need not.
func (c *leaderCopy) add(key replication.FetchKey, from replication.Upstream, p *replication.Partition) {
	c.mu.Lock()
	c.lanes.Add(key, from.Epoch, p, p.InSync())
	level := c.fetch[replication.LevelLane]
	few := level.core.Len() <= cutBelow
	c.mu.Unlock()
	if few {
		level.interrupt(false)
	}
	level.hurry()
}

func (c *leaderCopy) remove(key replication.FetchKey) {
	c.mu.Lock()
	c.lanes.Remove(key)
	c.mu.Unlock()
}

// interrupt ends the fetches that are on their way, or, for good, whatever there is.
func (c *leaderCopy) interrupt(always bool) {
	for _, l := range c.fetch {
		l.interrupt(always)
	}
}

// hurry ends the pauses.
func (c *leaderCopy) hurry() {
	for _, l := range c.fetch {
		l.hurry()
	}
}

// took notes that a replica has taken over an answer, and has the other lane go on with it where it belongs there now.
func (l *leaderFetch) took(key replication.FetchKey, answer replication.Copied) {
	l.mu.Lock()
	moved := l.lanes.Took(l.lane, key, answer.HighWatermark)
	l.mu.Unlock()
	if moved {
		l.other().hurry()
	}
}

// synced has a replica go on whose records were to be synced; what could not be synced pauses.
func (l *leaderFetch) synced(key replication.FetchKey) {
	l.mu.Lock()
	moved := false
	switch r := l.core.Replica(key); {
	case r == nil:
	case r.Synced():
		moved = l.lanes.Synced(key)
	default:
		l.core.Failed(key, time.Now())
	}
	l.mu.Unlock()
	if moved {
		l.other().hurry()
	}
}

// other is the fetch of the other lane.
func (l *leaderFetch) other() *leaderFetch { return l.fetch[1-l.lane] }

// idle ends the lagging lane's connection when nobody has lagged for a while, and tells whether it has waited for that.
func (l *leaderFetch) idle() bool {
	l.mu.Lock()
	waits := l.lane == replication.LaggingLane && l.peer != nil && l.core.Len() == 0
	l.mu.Unlock()
	if waits && l.rest(laggingLingers) {
		l.disconnected()
	}
	return waits
}
