package storage

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"

	"barnabas/internal/record"
)

// A directory on an ephemeral volume has an end that is not that of the disk: whoever grows past it is evicted, and the
// directory with it. Before that, segments are sealed while they are small beside the budget, old ones go earlier than their
// topics ask for, and then producers are refused.

// BudgetOfVolume stands for a budget that is read from the file system: what Kubernetes leaves of a node's disk before
// it evicts pods.
const BudgetOfVolume int64 = -1

const (
	// volumePercent of a volume may be used at most, by whomever.
	volumePercent = 90
	// Retention starts early above pressPercent of the budget, and goes on to relievePercent; clients are refused from
	// refusePercent on.
	relievePercent = 75
	pressPercent   = 80
	refusePercent  = 95
	// From sealPercent on, no log that may be deleted from has more in its active segment than its share of so many percent, or
	// leastSealed bytes: what is active can't go.
	sealPercent = 25
	leastSealed = 1 << 20
)

// pressure is what a directory's budget asks for.
type pressure struct {
	excess  int64 // bytes that should go
	clients bool  // producers are refused
}

// pressureOf compares what is used with the budget, both in bytes.
func pressureOf(used, budget int64) pressure {
	if budget <= 0 {
		return pressure{}
	}
	p := pressure{clients: used >= budget/100*refusePercent}
	if used > budget/100*pressPercent {
		p.excess = used - budget/100*relievePercent
	}
	return p
}

// allowance is what a look at the budget leaves until the next one.
type allowance struct {
	pressure
	// left are the bytes that clients may still append, and copies may go so far below zero as spare says.
	left    atomic.Int64
	spare   int64
	refused atomic.Bool // somebody was, since
	full    bool        // and that has been said
}

// allow makes the allowance of a budget, which is above zero, in bytes.
func allow(used, budget int64) *allowance {
	a := &allowance{pressure: pressureOf(used, budget), spare: budget / 100 * (100 - refusePercent)}
	a.left.Store(budget - a.spare - used)
	return a
}

// take gives out n bytes to a client or a copy, or nothing.
func (a *allowance) take(n int64, origin Origin) bool {
	left := a.left.Add(-n)
	if origin == Coordinator || origin == Follower && left >= -a.spare || left >= 0 {
		return true
	}
	a.left.Add(n)
	a.refused.Store(true)
	return false
}

// usage is what is used of a directory's budget, which is 0 where there is none or it can't be told.
func (d *Directory) usage() (used, budget int64) {
	budget = d.store.settings.BudgetBytes
	if budget == BudgetOfVolume {
		total, usable := d.Space()
		if total <= 0 {
			return 0, 0
		}
		return total - usable, total / 100 * volumePercent
	}
	if budget <= 0 {
		return 0, 0
	}
	for _, l := range d.Logs() {
		used += l.Size()
	}
	return used + d.store.deletions.bytes(d), budget
}

// bytes are those of segments of a directory that wait to be removed.
func (ds *deletions) bytes(of *Directory) (n int64) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, d := range ds.queue {
		if d.segment != nil && d.directory() == of {
			n += d.segment.size.Load()
		}
	}
	return n
}

// keepBudgets is the chore: it looks at each directory's usage and acts on it.
func (s *Store) keepBudgets() {
	if s.settings.BudgetBytes == 0 {
		return
	}
	for _, d := range s.dirs {
		if d.Err() == nil {
			d.keepBudget()
		}
	}
}

func (d *Directory) keepBudget() {
	d.budget.Lock()
	defer d.budget.Unlock()
	d.lookAtBudget()
}

// allowanceAfter is the allowance after one that did not suffice: what has become expendable since that look may make room. Where
// nothing could go the next round of the chore is waited for.
func (d *Directory) allowanceAfter(spent *allowance) *allowance {
	d.budget.Lock()
	defer d.budget.Unlock()
	if now := d.allowance.Load(); now != spent || spent.full {
		return now
	}
	d.lookAtBudget()
	return d.allowance.Load()
}

// lookAtBudget makes room, and allows what there is. The caller holds budget.
func (d *Directory) lookAtBudget() {
	used, budget := d.usage()
	if budget <= 0 {
		d.pressed.Store(false)
		d.allowance.Store(nil)
		d.sealed.Store(0)
		return
	}
	d.seal(used, budget)
	p, freed := pressureOf(used, budget), int64(0)
	d.pressed.Store(p.excess > 0)
	if p.excess > 0 {
		if freed = d.relieve(p.excess); freed > 0 {
			d.store.logger.Warn("the data directory nears its budget: segments go before their topics' retention is over",
				"directory", d.path, "used", used, "budget", budget, "freed", freed)
			d.store.deletions.run(d.store)
			used, budget = d.usage()
		}
	}
	a, was := allow(used, budget), d.allowance.Load()
	a.full = a.clients || was != nil && was.refused.Load() && freed == 0
	d.allowance.Store(a)
	if before := was != nil && was.full; before != a.full {
		if a.full {
			d.store.logger.Error("the data directory has used up its budget, and nothing in it may be deleted: producers are "+
				"refused until there is room; raise barnabas.data.budget.bytes with the volume, or lower retention",
				"directory", d.path, "used", used, "budget", budget)
		} else {
			d.store.logger.Info("the data directory has room again", "directory", d.path, "used", used, "budget", budget)
		}
	}
}

// seal ends active segments that are large beside the budget, so that they may go one day, and says how large those to come may
// become.
func (d *Directory) seal(used, budget int64) {
	if used < budget/100*sealPercent {
		d.sealed.Store(budget / 100 * sealPercent)
		return
	}
	var filled []*Log
	for _, l := range d.Logs() {
		if l.config.Load().Delete && l.active().size.Load() > 0 {
			filled = append(filled, l)
		}
	}
	most := max(leastSealed, budget/100*sealPercent/int64(max(1, len(filled))))
	d.sealed.Store(most)
	for _, l := range filled {
		if l.active().size.Load() >= most {
			_ = l.seal() // what fails has taken the directory offline and said so
		}
	}
}

// sealedAt is the size from which on an active segment is sealed, by the log's settings or for the budget's sake.
func (l *Log) sealedAt(c *LogConfig) int64 {
	if most := l.dir.sealed.Load(); most > 0 && c.Delete {
		return min(most, int64(c.SegmentBytes))
	}
	return int64(c.SegmentBytes)
}

// seal begins a new segment at the end of the log.
func (l *Log) seal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	return l.failed("seal a segment", l.roll(l.EndOffset()))
}

// expendable is a segment that may go early.
type expendable struct {
	log       *Log
	next      record.Offset // where the log would begin without it
	size      int64
	timestamp int64
}

// relieve moves the starts of logs behind their oldest segments, the oldest of all logs first, until so many bytes are
// given up, and removes these.
func (d *Directory) relieve(excess int64) (freed int64) {
	var all []expendable
	logs := d.Logs()
	for _, l := range logs {
		all = append(all, l.expendables()...)
	}
	slices.SortStableFunc(all, func(a, b expendable) int { return cmp.Compare(a.timestamp, b.timestamp) })
	given := map[*Log]bool{}
	for _, c := range all {
		if freed >= excess {
			break
		}
		if c.log.AdvanceStart(c.next) == nil && c.log.StartOffset() >= c.next {
			freed += c.size
			given[c.log] = true
		}
	}
	if len(given) == 0 {
		return 0
	}
	if d.startsChanged.Swap(false) {
		_ = d.checkpoint(startOffsets) // or the directory has gone offline, and said so
	}
	for l := range given {
		_ = l.dropBelow(d.savedStart(l))
	}
	return freed
}

// expendables are the segments that retention may take: those of a topic that deletes, below the high watermark, and never
// the last one.
func (l *Log) expendables() []expendable {
	if c := l.config.Load(); !c.Delete {
		return nil
	}
	var all []expendable
	list, highWatermark := l.list(), l.HighWatermark()
	newest := int64(0)
	for i := 0; i+1 < len(list) && list[i+1].base <= highWatermark; i++ {
		timestamp, err := list[i].largestTimestamp()
		if err != nil {
			break
		}
		newest = max(newest, timestamp) // a log's segments go in their order
		all = append(all, expendable{l, list[i+1].base, list[i].size.Load(), newest})
	}
	return all
}

// withinBudget refuses an append of so many bytes that the directory has no room for. The caller holds no lock.
func (l *Log) withinBudget(bytes int, origin Origin, done *Appended) error {
	a := l.dir.allowance.Load()
	if a == nil || a.take(int64(bytes), origin) {
		return nil
	}
	if a = l.dir.allowanceAfter(a); a == nil || a.take(int64(bytes), origin) {
		return nil
	}
	done.Message = "The broker's data directory has used up its budget (barnabas.data.budget.bytes); nothing was written."
	return fmt.Errorf("%s: %w", l, ErrBudget)
}
