package replication

import (
	"time"

	"barnabas/internal/record"
)

// Progress is how far one follower has copied, as its leader knows it from the follower's fetches.
// It is a value: [Progress.Fetched] returns the next one.
type Progress struct {
	// LogEnd is the offset the follower asked for last: everything below is in its log. -1 before its first fetch.
	LogEnd record.Offset
	// LogStart is the first offset the follower keeps.
	LogStart record.Offset
	// CaughtUp is the last moment at which the follower had everything that the leader had.
	CaughtUp time.Time

	fetched      time.Time     // when it fetched last
	leaderEndWas record.Offset // the leader's log end at that fetch
}

// Unseen is the progress of a follower that has not fetched in this leader epoch. It counts as caught up
// when the epoch began if it was in sync then, so that a new leader does not shrink the set at once.
func Unseen(inSync bool, epochBegan time.Time) Progress {
	p := Progress{LogEnd: -1, LogStart: -1}
	if inSync {
		p.CaughtUp = epochBegan
	}
	return p
}

// Position is one fetch of a follower.
type Position struct {
	Offset    record.Offset // where it wants to read: its log end
	LogStart  record.Offset
	LeaderEnd record.Offset // the leader's log end before this fetch was served
	At        time.Time
}

// Fetched is the progress after a fetch. A follower is caught up at the time of the fetch when it
// asks for the leader's log end, and at the time of the fetch before when it asks for what was the log end then:
// a busy leader's end moves on while the follower reads, and that is no lag.
func (p Progress) Fetched(at Position) Progress {
	switch {
	case at.Offset >= at.LeaderEnd:
		p.CaughtUp = later(p.CaughtUp, at.At)
	case at.Offset >= p.leaderEndWas && !p.fetched.IsZero():
		p.CaughtUp = later(p.CaughtUp, p.fetched)
	}
	p.LogEnd, p.LogStart = at.Offset, at.LogStart
	p.fetched, p.leaderEndWas = at.At, at.LeaderEnd
	return p
}

// InTouch reports whether the follower has everything, or had everything at most maxLag
// (replica.lag.time.max.ms) ago.
func (p Progress) InTouch(leaderEnd record.Offset, now time.Time, maxLag time.Duration) bool {
	return p.LogEnd == leaderEnd || now.Sub(p.CaughtUp) <= maxLag
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
