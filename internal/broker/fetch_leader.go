package broker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"barnabas/internal/replication"
	"barnabas/internal/wire"
)

// leaderFetch is one lane of what is copied from a leader. Its goroutine owns the connection; leaderCopy.mu guards what the
// feed touches too.
type leaderFetch struct {
	*leaderCopy
	lane   replication.Lane
	logger *slog.Logger
	wake   chan struct{}

	core   *replication.Fetcher // guarded by mu
	peer   *wire.Peer           // guarded by mu; nil while there is no connection
	asking bool                 // guarded by mu: a fetch is planned, or on its way
	cut    bool                 // guarded by mu: this broker has ended the connection itself

	// The goroutine's own: the leader could not be reached the last time, and whose process the connection leads to.
	trouble bool
	toward  registered
}

// The pauses between attempts to reach a leader.
const (
	firstReachPause = 5 * time.Millisecond
	maxReachPause   = 500 * time.Millisecond
	dialWithin      = 2 * time.Second
)

// cutBelow is up to how many partitions a fetch that waits is given up for the sake of one that is new: it has to be
// asked for all of them again. Above it the new one waits for replica.fetch.wait.max.ms at most.
const cutBelow = 2000

// interrupt ends a fetch that is on its way, or, for good, whatever there is.
func (l *leaderFetch) interrupt(always bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asking && (!always || l.peer == nil) {
		return
	}
	l.cut = true
	if l.peer != nil {
		l.peer.Close()
	}
}

// hurry ends a pause.
func (l *leaderFetch) hurry() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *leaderFetch) run() {
	pause := time.Duration(0)
	for l.ctx.Err() == nil {
		plan, wait, ok := l.plan()
		if !ok {
			if !l.idle() {
				l.rest(wait)
			}
			continue
		}
		if len(plan.Unsynced) > 0 {
			l.sync(plan.Unsynced)
			continue
		}
		err := l.round(plan)
		if err == nil || l.disconnected() {
			l.reached(err)
			pause = 0
			continue
		}
		l.failed(err)
		pause = min(max(2*pause, firstReachPause), maxReachPause)
		l.rest(pause)
	}
	l.disconnected()
}

func (l *leaderFetch) plan() (replication.FetchPlan, time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	plan, wait, ok := l.lanes.Next(l.lane, time.Now())
	l.asking = ok && len(plan.Unsynced) == 0
	return plan, wait, ok
}

// sync puts on the disk what the next fetch will say that this broker has (fsync.on.ack): one sync for all that the last answer
// brought to a log. What can't be synced pauses.
func (l *leaderFetch) sync(keys []replication.FetchKey) {
	var replicas []replication.Replica
	l.mu.Lock()
	for _, key := range keys {
		if r := l.core.Replica(key); r != nil {
			replicas = append(replicas, r)
		}
	}
	l.mu.Unlock()
	l.partitions.SyncReplicas(replicas)
	for _, key := range keys {
		l.synced(key)
	}
}

// rest waits for as long as given, for ever for 0, or until there is news; it tells whether the time has passed.
func (l *leaderFetch) rest(d time.Duration) bool {
	var due <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return true
	case <-l.wake:
	case <-l.ctx.Done():
	}
	return false
}

var errNotRegistered = errors.New("the leader is not registered")

// round sends one fetch and takes over the answer.
func (l *leaderFetch) round(plan replication.FetchPlan) error {
	peer, err := l.connect()
	if err != nil {
		return err
	}
	answer, err := l.ask(peer, plan)
	l.asked()
	if err != nil {
		return err
	}
	l.answered(l.toward)
	defer answer.Free()
	return l.take(peer, answer.Response)
}

func (l *leaderFetch) connect() (*wire.Peer, error) {
	l.mu.Lock()
	peer := l.peer
	l.mu.Unlock()
	if peer != nil {
		return peer, nil
	}
	b := l.registration(l.at)
	if b == nil {
		return nil, errNotRegistered
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialWithin)
	defer cancel()
	peer, err := l.reach(ctx, b)
	if err != nil {
		return nil, err
	}
	l.toward = registered{b.ID, b.Epoch}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peer = peer
	if l.cut { // meanwhile
		peer.Close()
	}
	return peer, nil
}

func (l *leaderFetch) asked() {
	l.mu.Lock()
	l.asking = false
	l.mu.Unlock()
}

// disconnected drops the connection, and tells whether this broker had ended it itself.
func (l *leaderFetch) disconnected() (cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.peer != nil {
		l.peer.Close()
	}
	cut, l.peer, l.cut, l.asking = l.cut, nil, false, false
	l.core.Reset()
	return cut
}

// failed says once that a leader can't be reached; reached that it can again.
func (l *leaderFetch) failed(err error) {
	if !l.trouble && l.ctx.Err() == nil && !errors.Is(err, errNotRegistered) {
		l.trouble = true
		l.logger.Warn("can't copy from the leader, trying again", "replicas", l.lane.String(), "error", err)
	}
}

func (l *leaderFetch) reached(err error) {
	if err == nil && l.trouble {
		l.trouble = false
		l.logger.Info("copying from the leader again", "replicas", l.lane.String())
	}
}
