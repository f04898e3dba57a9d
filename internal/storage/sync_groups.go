package storage

import (
	"sync"

	"barnabas/internal/record"
)

// syncGroupsAtOnce is how many sync groups of a log directory are on their way to the disk at once, each of one log unless
// there are more logs waiting than Settings.SyncTogether. Each keeps a thread.
const syncGroupsAtOnce = 8

// syncGroups are the syncs that acknowledgements wait for (fsync.on.ack). What waits for one log is a sync group: all that was
// appended before its sync begins shares it, and what is appended while that is under way shares the next one. So a
// log has one sync under way at most and a place in the queue at most, however many wait for it, and the slower the disk is, the
// larger are the groups. Its goroutines are the store's, and there only while there is something to sync.
type syncGroups struct {
	dir *Directory

	mu      sync.Mutex
	waiting []*Log // guarded by mu: each log once
	working int    // guarded by mu: goroutines
	closed  bool   // guarded by mu
}

// syncWant is where a log stands with its directory's sync groups.
type syncWant struct {
	state syncState
	// done is told after each sync of the group, however it ended.
	done func()
}

type syncState uint8

const (
	syncIdle    syncState = iota
	syncWaiting           // in the queue
	syncUnder             // on its way to the disk
	syncAgain             // and to be synced once more after that
)

// Synced is the offset below which all records are on the disk.
func (l *Log) Synced() record.Offset { return record.Offset(l.synced.Load()) }

// SyncSoon has a goroutine of the store sync the records that the log has now, together with whatever else is in it by
// then, and call done, with no lock held, when that is so or has failed: Synced and the directory's Err say which. It never waits. There
// is one done for a log: the last one given.
func (l *Log) SyncSoon(done func()) { l.dir.syncing.add(l, done) }

func (g *syncGroups) add(l *Log, done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	l.wanted.done = done
	switch l.wanted.state {
	case syncIdle:
		l.wanted.state = syncWaiting
		g.waiting = append(g.waiting, l)
	case syncUnder:
		l.wanted.state = syncAgain
		return
	default:
		return
	}
	if g.working < syncGroupsAtOnce {
		g.working++
		g.dir.store.syncBy(g.work)
	}
}

// close begins no further sync, and lets those under way end.
func (g *syncGroups) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.waiting = true, nil
}

// work syncs until nothing waits.
func (g *syncGroups) work() {
	for {
		logs := g.take()
		if logs == nil {
			return
		}
		// What fails has taken the directory offline and said so, or the log is gone.
		if len(logs) == 1 {
			_ = logs[0].flush(recordsOnly)
		} else {
			_ = g.dir.flushLogs(logs, recordsOnly, nil)
		}
		for _, l := range logs {
			g.synced(l)()
		}
	}
}

// take is what to sync next: all logs that wait where they are many, and one otherwise; nil when there is nothing.
func (g *syncGroups) take() []*Log {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), 1)
	if len(g.waiting) >= g.dir.store.settings.SyncTogether {
		n = len(g.waiting)
	}
	if n == 0 {
		g.working--
		return nil
	}
	logs := append([]*Log(nil), g.waiting[:n]...)
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
	for _, l := range logs {
		l.wanted.state = syncUnder
	}
	return logs
}

// synced ends a log's sync, and returns whom to tell. Where it was asked for again meanwhile, it waits again.
func (g *syncGroups) synced(l *Log) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	again := l.wanted.state == syncAgain && !g.closed
	l.wanted.state = syncIdle
	if again {
		l.wanted.state = syncWaiting
		g.waiting = append(g.waiting, l)
	}
	return l.wanted.done
}

// SyncRecords syncs the records of logs, each on its own or, where they are many, together, and returns when that is done. A
// log that could not be synced is in a directory that is offline now, or gone: its Synced tells.
func (s *Store) SyncRecords(logs []*Log) {
	if len(logs) == 1 {
		_ = logs[0].flush(recordsOnly)
		return
	}
	byDirectory := map[*Directory][]*Log{}
	for _, l := range logs {
		byDirectory[l.dir] = append(byDirectory[l.dir], l)
	}
	var all sync.WaitGroup
	for d, logs := range byDirectory {
		all.Go(func() { _ = d.flushLogs(logs, recordsOnly, nil) })
	}
	all.Wait()
}
