package storage

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"barnabas/internal/record"
)

// Flush makes all that is appended survive a crash of the machine. Errors: ErrStorage, ErrDeleted.
func (l *Log) Flush() error { return l.flush(wholeLog) }

// extent is how much of a log a sync is of.
type extent uint8

const (
	// wholeLog is records and indexes: nothing below the end needs recovery any more.
	wholeLog extent = iota
	// sealedSegments are those that are no longer appended to.
	sealedSegments
	// recordsOnly leaves the indexes of the active segment to recovery, which makes them anew: a third of the work.
	recordsOnly
)

// flush syncs what was appended since the last time. Nothing waits for it but the caller, and other syncs of the log.
func (l *Log) flush(what extent) error {
	f, err := l.beginFlush(what)
	if err != nil {
		return err
	}
	return f.run()
}

// flushing is a log on the way to be synced. Whoever has begun one ends it by run or finish.
type flushing struct {
	log         *Log
	what        extent
	segments    []*segment
	active      *segment
	bare        bool          // the log had no files
	entries     bool          // the directory's entries and small files too
	end         record.Offset // up to which it will be synced
	truncations int64
}

// beginFlush waits for the sync before, notes what is to be synced, and writes what is only in memory.
func (l *Log) beginFlush(what extent) (flushing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.flushing {
		l.turn.Wait()
	}
	if err := l.usable(); err != nil {
		return flushing{}, err
	}
	f := flushing{log: l, what: what, active: l.active(), end: l.EndOffset(), truncations: l.truncations.Load()}
	list := l.list()
	from := l.recoveryPoint.Load()
	if what == recordsOnly {
		from = l.synced.Load()
	}
	f.segments = list[max(0, segmentAt(list, record.Offset(from))):]
	switch {
	case l.bare:
		f.bare, f.segments = true, nil
	case what == sealedSegments:
		last := len(f.segments) - 1
		f.end, f.segments = f.segments[last].base, f.segments[:last]
	case what == wholeLog:
		if err := l.active().flushIndexes(); err != nil {
			return flushing{}, l.failed("flush", err)
		}
	}
	f.entries = l.unsynced
	if what == recordsOnly && !f.entries && l.synced.Load() >= int64(f.end) {
		f.segments = nil // the sync before was late enough
	}
	l.unsynced, l.flushing = false, true
	return f, nil
}

// run syncs file by file.
func (f *flushing) run() error {
	l := f.log
	if len(f.segments) == 0 && !f.entries {
		return f.finish(nil)
	}
	start := time.Now()
	path := l.path()
	err := f.sync()
	if errors.Is(err, fs.ErrNotExist) && l.renamedSince(path) {
		err = f.sync()
	}
	if l.store.flushed != nil {
		l.store.flushed(time.Since(start))
	}
	return f.finish(err)
}

// finish notes what is synced, or that it is not, and lets the next sync begin.
func (f *flushing) finish(err error) error {
	l := f.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushing = false
	defer l.turn.Broadcast()
	if err != nil {
		l.unsynced = l.unsynced || f.entries
		return l.failed("flush", err)
	}
	if f.entries && l.active() == f.active && !f.bare { // files that were made beside the sync may have no names yet
		l.unnamed = false
		if l.cuts == 0 {
			l.certain.Store(math.MaxInt64)
		}
	}
	if l.truncations.Load() == f.truncations && l.cuts == 0 {
		l.synced.Store(max(l.synced.Load(), int64(f.end)))
		if f.what != recordsOnly {
			l.recoveryPoint.Store(max(l.recoveryPoint.Load(), int64(f.end)))
		}
	}
	if f.what != recordsOnly {
		l.flushedMs = l.store.nowMs()
	}
	return nil
}

func (f *flushing) sync() error {
	if f.bare {
		return f.log.dir.syncEntries()
	}
	return f.log.syncAll(f.segments, f.what, f.entries)
}

// syncAll syncs segments, and the directory with its small files if they have changed.
func (l *Log) syncAll(list []*segment, what extent, entries bool) error {
	for _, s := range list {
		err := s.syncExtent(what)
		if errors.Is(err, fs.ErrNotExist) && !slices.Contains(l.list(), s) {
			continue // removed meanwhile
		}
		if err != nil {
			return err
		}
	}
	if !entries {
		return nil
	}
	for _, name := range []string{partitionMetadataName, leaderEpochsName} {
		if err := syncFile(l.store.fs, filepath.Join(l.path(), name)); err != nil {
			return err
		}
	}
	return errors.Join(l.store.fs.SyncDir(l.path()), l.dir.syncEntries())
}

// renamedSince tells whether the log's directory has got another name. It waits for a renaming under way.
func (l *Log) renamedSince(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.path() != path && !l.closed.Load()
}

// syncEntries makes the partitions' directories survive a crash of the machine: once for all that were
// made since the last time.
func (d *Directory) syncEntries() error {
	made := d.made.Load()
	if d.madeSynced.Load() >= made {
		return nil
	}
	if err := d.store.fs.SyncDir(d.path); err != nil {
		return err
	}
	d.entriesSynced(made)
	return nil
}

// entriesSynced notes that the first so many partitions' directories are.
func (d *Directory) entriesSynced(made int64) {
	for known := d.madeSynced.Load(); known < made; known = d.madeSynced.Load() {
		if d.madeSynced.CompareAndSwap(known, made) {
			break
		}
	}
}

// needsFlush tells whether flush.ms has passed since something was appended.
func (l *Log) needsFlush(nowMs int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.config.Load()
	return int64(l.EndOffset()) > l.recoveryPoint.Load() && nowMs-l.flushedMs >= c.FlushMs
}

const (
	// flushDelay is how long the flusher waits for more to do, so that many partitions made at once
	// don't slow the broker's start.
	flushDelay = 500 * time.Millisecond
	// makingLimit bounds how long new logs wait while others are still being made: each sync of the volume holds up who makes
	// files on it, and the keepers' log if that is there.
	makingLimit = 5 * time.Second
)

// flusher syncs rolled segments and new directories in the background, by one goroutine of the store.
type flusher struct {
	mu      sync.Mutex
	pending map[*Log]struct{} // guarded by mu; at most one entry per log
	made    map[*Log]struct{} // guarded by mu: new ones
	// firstMade and lastMade are when the first and the last of the new ones came; guarded by mu.
	firstMade, lastMade time.Time
	wake                chan struct{}
}

func newFlusher() flusher {
	return flusher{pending: make(map[*Log]struct{}), made: make(map[*Log]struct{}), wake: make(chan struct{}, 1)}
}

// add asks for a log's sealed segments to be synced soon. It never waits.
func (f *flusher) add(l *Log) {
	f.mu.Lock()
	f.pending[l] = struct{}{}
	f.mu.Unlock()
	f.nudge()
}

// addNew asks for a new log's directory to be synced once no more logs are made. It never waits.
func (f *flusher) addNew(l *Log) {
	f.mu.Lock()
	f.lastMade = time.Now()
	if len(f.made) == 0 {
		f.firstMade = f.lastMade
	}
	f.made[l] = struct{}{}
	f.mu.Unlock()
	f.nudge()
}

func (f *flusher) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take are the logs whose turn it is. Those that are left have the flusher come again.
func (f *flusher) take(now time.Time) map[*Log]struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.pending
	f.pending = make(map[*Log]struct{})
	switch {
	case len(f.made) == 0:
	case now.Sub(f.lastMade) < flushDelay && now.Sub(f.firstMade) < makingLimit:
		f.nudge()
	default:
		maps.Copy(taken, f.made)
		f.made = make(map[*Log]struct{})
	}
	return taken
}

func (f *flusher) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-f.wake:
		}
		select {
		case <-stop:
			return
		case <-time.After(flushDelay):
		}
		byDirectory := map[*Directory][]*Log{}
		for l := range f.take(time.Now()) {
			byDirectory[l.dir] = append(byDirectory[l.dir], l)
		}
		for d, logs := range byDirectory {
			// What fails has taken the directory offline and said so.
			_ = d.flushLogs(logs, sealedSegments, func() bool { return isClosed(stop) })
		}
	}
}
