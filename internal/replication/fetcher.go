package replication

import (
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// Fetcher decides what a follower asks one leader for. It keeps both ends of a fetch session (KIP-227) alike: a
// request names the partitions that are new or have moved, and those that the leader is to forget. It is
// pure: whoever drives it sends the plan and tells the outcome. It belongs to one goroutine at a time.
//
// A partition that fails leaves the session and pauses, so that its error does not have every answer come at once.
type Fetcher struct {
	session, epoch int32 // of the next request; session 0 is none
	rows           map[FetchKey]*fetchRow
	order          []*fetchRow // of rows; some are removed already while gone
	gone           bool
	forgotten      []FetchKey  // in the session, and not asked for any more
	trials         []*fetchRow // on their way
	maxPause       time.Duration
	// Throttled, if given, tells that a replica is not to be copied for now.
	Throttled func(Replica) bool
}

// throttlePause is when a replica that is throttled is looked at again.
const throttlePause = 100 * time.Millisecond

// FetchKey names a partition in a fetch.
type FetchKey struct {
	Topic     ident.TopicID
	Partition int32
}

// Replica is a copy that is fetched into.
type Replica interface {
	Position() FetchPosition
	// Synced tells whether it may say that it has all that is below its position.
	Synced() bool
}

// FetchAsk is one partition of a request.
type FetchAsk struct {
	FetchKey
	// Epoch is the leader epoch that the leader has to be in.
	Epoch record.Epoch
	FetchPosition
	// Trial says that no records are wanted, only how far the leader is.
	Trial bool
}

// FetchPlan is a request.
type FetchPlan struct {
	// Session and Epoch are the request's. Epoch 0 begins a session, in the place of Session if there was one.
	Session, Epoch int32
	Partitions     []FetchAsk
	Forgotten      []FetchKey
	// Unsynced, if there are any, have to be synced before anything is asked; then the next plan is due.
	Unsynced []FetchKey
	// Within, if not 0, is when a partition that pauses wants to be asked for again: the leader is not to hold the
	// answer back for longer.
	Within time.Duration
	// AtOnce says that the answer is not to be held back at all: there are trials.
	AtOnce bool
}

type fetchRow struct {
	key     FetchKey
	replica Replica
	epoch   record.Epoch
	told    bool // the session has it as it stands in asked
	asked   FetchAsk
	paused  time.Duration // after its last failure
	until   time.Time     // it pauses until then
	// What [Lanes] knows: it is to be tried, so many answers in a row have left it short, it is level and waits for its disk.
	trial, level bool
	short        int
}

// firstPause is how long a partition pauses after it has failed once; each further time doubles that. A new
// leader may not have heard yet that it is one.
const firstPause = 10 * time.Millisecond

// NewFetcher returns a Fetcher without partitions. maxPause is replica.fetch.backoff.ms.
func NewFetcher(maxPause time.Duration) *Fetcher {
	return &Fetcher{rows: map[FetchKey]*fetchRow{}, maxPause: max(maxPause, firstPause)}
}

// Len is the number of partitions.
func (f *Fetcher) Len() int { return len(f.rows) }

// Add has a partition fetched, or fetched in another leader epoch from now on.
func (f *Fetcher) Add(key FetchKey, epoch record.Epoch, replica Replica) {
	row := f.rows[key]
	if row == nil {
		row = &fetchRow{key: key}
		f.take(row)
	}
	row.epoch, row.replica, row.paused, row.until = epoch, replica, 0, time.Time{}
}

// take has a row fetched that is not.
func (f *Fetcher) take(row *fetchRow) {
	f.tidy()
	f.rows[row.key] = row
	f.order = append(f.order, row)
	if i := slices.Index(f.forgotten, row.key); i >= 0 { // still in the session, in what state is best told anew
		f.forgotten = slices.Delete(f.forgotten, i, i+1)
	}
}

// Remove ends the fetching of a partition, and returns what there was of it.
func (f *Fetcher) Remove(key FetchKey) *fetchRow {
	row := f.rows[key]
	if row == nil {
		return nil
	}
	f.forget(row)
	delete(f.rows, key)
	f.gone = true
	return row
}

// tidy takes those out of the order that have been removed, many at a time.
func (f *Fetcher) tidy() {
	if f.gone {
		f.order = slices.DeleteFunc(f.order, func(r *fetchRow) bool { return f.rows[r.key] != r })
		f.gone = false
	}
}

func (f *Fetcher) forget(row *fetchRow) {
	if row.told {
		row.told = false
		f.forgotten = append(f.forgotten, row.key)
	}
}

// Next is what to ask now. When there is nothing, ok is false, and wait is how long until there will be, 0 for
// not before the next Add.
func (f *Fetcher) Next(now time.Time) (plan FetchPlan, wait time.Duration, ok bool) {
	f.tidy()
	if unsynced := f.unsynced(now); len(unsynced) > 0 {
		return FetchPlan{Unsynced: unsynced}, 0, true
	}
	plan = FetchPlan{Session: f.session, Epoch: f.epoch}
	f.trials = f.trials[:0]
	active := 0
	for _, row := range f.order {
		if f.Throttled != nil && row.until.Sub(now) <= 0 && f.Throttled(row.replica) {
			row.until = now.Add(throttlePause)
			f.forget(row)
		}
		if pause := row.until.Sub(now); pause > 0 {
			if wait == 0 || pause < wait {
				wait = pause
			}
			continue
		}
		active++
		ask := FetchAsk{row.key, row.epoch, row.replica.Position(), row.trial}
		if row.trial {
			f.trials = append(f.trials, row)
			plan.AtOnce = true
		}
		if row.told && f.epoch != 0 && ask == row.asked {
			continue
		}
		row.asked, row.told = ask, true
		plan.Partitions = append(plan.Partitions, ask)
	}
	if active == 0 {
		f.Reset()
		return FetchPlan{}, wait, false
	}
	if plan.Epoch != 0 {
		plan.Forgotten = f.forgotten
	}
	f.forgotten = nil
	plan.Within = wait
	return plan, 0, true
}

// unsynced are the partitions of which a fetch would tell more than is on the disk (fsync.on.ack).
func (f *Fetcher) unsynced(now time.Time) []FetchKey {
	var keys []FetchKey
	for _, row := range f.order {
		if !row.until.After(now) && !row.replica.Synced() {
			keys = append(keys, row.key)
		}
	}
	return keys
}

// Replica is what is copied into; nil for a partition that is not fetched any more.
func (f *Fetcher) Replica(key FetchKey) Replica {
	if row := f.rows[key]; row != nil {
		return row.replica
	}
	return nil
}

// Asked is what was asked last of a partition; false if it is not fetched any more.
func (f *Fetcher) Asked(key FetchKey) (FetchAsk, Replica, bool) {
	row := f.rows[key]
	if row == nil || !row.told {
		return FetchAsk{}, nil, false
	}
	return row.asked, row.replica, true
}

// Answered takes the session of an answer, 0 when the leader keeps none. A trial is over with it: what the answer does not
// mention has not changed since the one before.
func (f *Fetcher) Answered(session int32) {
	for _, row := range f.trials {
		row.trial = false
	}
	f.trials = f.trials[:0]
	f.session = session
	switch {
	case session == 0:
		f.epoch = 0
	case f.epoch == 1<<31-1:
		f.epoch = 1
	default:
		f.epoch++
	}
}

// Reset begins a new session with the next request: the connection was lost, or the leader has forgotten the old one.
func (f *Fetcher) Reset() {
	f.epoch, f.forgotten, f.trials = 0, nil, f.trials[:0]
	for _, row := range f.order {
		row.told = false
	}
}

// Succeeded ends a partition's row of failures.
func (f *Fetcher) Succeeded(key FetchKey) {
	if row := f.rows[key]; row != nil {
		row.paused = 0
	}
}

// Failed has a partition pause, each time longer, and returns for how long.
func (f *Fetcher) Failed(key FetchKey, now time.Time) time.Duration {
	row := f.rows[key]
	if row == nil {
		return 0
	}
	row.paused = min(max(2*row.paused, firstPause), f.maxPause)
	row.until = now.Add(row.paused)
	row.trial = row.trial || row.told && row.asked.Trial // nothing was learned
	f.forget(row)
	return row.paused
}
