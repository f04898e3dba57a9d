package replication

import (
	"time"

	"barnabas/internal/record"
)

// Lane is one of the two ways on which replicas are copied from a leader, each a fetch session on a connection of its own.
type Lane int

const (
	// LevelLane is for replicas that have all that is committed, or nearly: their fetches move the leader's high
	// watermarks, and producers wait for them.
	LevelLane Lane = iota
	// LaggingLane is for those that lag by more than one answer. Nobody waits for them.
	LaggingLane
	laneCount
)

func (l Lane) String() string { return [...]string{"level", "lagging"}[l] }

const (
	// lagsAfter is how many answers in a row have to leave a replica short of the leader's high watermark before it leaves
	// the level lane. One that comes back to it meets answers that are shorter and sooner there, and gets a few tries.
	lagsAfter = 3
	// joinsWithin is for how long a leader may hold back an answer while anybody lags: one that has become level takes part
	// in the next fetch of the level lane, and that must not be far.
	joinsWithin = 50 * time.Millisecond
)

// Lanes decides on which lane each replica is that is copied from one leader, so that a leader whose answers carry megabytes
// to a replica that lags keeps no producer waiting for those in sync. It is pure, as each lane's [Fetcher] is, and belongs to one
// goroutine at a time.
//
// What an answer says decides. The leader's high watermark stands above the end of a replica that has taken its answer
// over only where the answer was too small for all that it lacks: the leader waits neither for it nor for what it is about to have. So a
// replica goes to the lagging lane with such an answer, and comes back with the first that brings it to the mark:
// the fetch by which it tells the leader that it is level, and from which on the leader waits for it, is one of the level lane.
//
// A replica that is not in sync by the metadata is tried first: it is asked for on the level lane without being given records.
type Lanes struct {
	fetchers [laneCount]*Fetcher
}

// NewLanes returns lanes without replicas. maxPause is replica.fetch.backoff.ms.
func NewLanes(maxPause time.Duration) *Lanes {
	return &Lanes{[laneCount]*Fetcher{NewFetcher(maxPause), NewFetcher(maxPause)}}
}

// Fetcher is that of one lane. It is asked for plans by [Lanes.Next], and given partitions by [Lanes.Add].
func (l *Lanes) Fetcher(lane Lane) *Fetcher { return l.fetchers[lane] }

// Add has a partition fetched, or fetched in another leader epoch from now on. inSync says that the replica is in the in-sync set.
func (l *Lanes) Add(key FetchKey, epoch record.Epoch, replica Replica, inSync bool) {
	if row := l.fetchers[LaggingLane].Remove(key); row != nil {
		l.fetchers[LevelLane].take(row)
	}
	l.fetchers[LevelLane].Add(key, epoch, replica)
	row := l.fetchers[LevelLane].rows[key]
	row.trial, row.short, row.level = !inSync, 0, false
}

// Remove ends the fetching of a partition.
func (l *Lanes) Remove(key FetchKey) {
	for _, f := range l.fetchers {
		f.Remove(key)
	}
}

// Next is what to ask now on a lane; see [Fetcher.Next].
func (l *Lanes) Next(lane Lane, now time.Time) (plan FetchPlan, wait time.Duration, ok bool) {
	plan, wait, ok = l.fetchers[lane].Next(now)
	if ok && l.fetchers[LaggingLane].Len() > 0 && (plan.Within == 0 || plan.Within > joinsWithin) {
		plan.Within = joinsWithin
	}
	return plan, wait, ok
}

// Took notes that a replica has taken over an answer, which said where the leader's high watermark is, and tells whether the
// replica is on the other lane now.
func (l *Lanes) Took(lane Lane, key FetchKey, highWatermark record.Offset) (moved bool) {
	row := l.fetchers[lane].rows[key]
	if row == nil {
		return false
	}
	short := row.replica.Position().Offset < highWatermark
	if lane == LaggingLane {
		row.level = !short
		return l.rejoin(row)
	}
	if !short {
		row.short = 0
		return false
	}
	row.short++
	if row.short < lagsAfter && !row.asked.Trial {
		return false
	}
	l.move(row, LevelLane, LaggingLane)
	return true
}

// Synced notes that what a replica on the lagging lane has is on its disk (fsync.on.ack), and tells whether it is on the other lane now.
func (l *Lanes) Synced(key FetchKey) (moved bool) {
	row := l.fetchers[LaggingLane].rows[key]
	return row != nil && l.rejoin(row)
}

// rejoin has a replica come back that is level. The level lane does not wait for its disk: what it brings along is synced before.
func (l *Lanes) rejoin(row *fetchRow) bool {
	if !row.level || !row.replica.Synced() {
		return false
	}
	l.move(row, LaggingLane, LevelLane)
	return true
}

func (l *Lanes) move(row *fetchRow, from, to Lane) {
	l.fetchers[from].Remove(row.key)
	row.short, row.level, row.trial = 0, false, false
	l.fetchers[to].take(row)
}
