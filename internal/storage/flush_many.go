package storage

import (
	"errors"
	"path/filepath"
	"time"
)

// flushLogs syncs logs of the directory, file by file where there are few. givenUp, if given, ends it between two logs.
func (d *Directory) flushLogs(logs []*Log, what extent, givenUp func() bool) error {
	if len(logs) >= d.store.settings.SyncTogether {
		return d.flushTogether(logs, what)
	}
	threads := closeThreads
	if what == sealedSegments { // in the background: it has time
		threads = 1
	}
	return inParallel(threads, logs, func(l *Log) error {
		if givenUp != nil && givenUp() {
			return nil
		}
		return l.flush(what)
	})
}

// flushTogether syncs logs by one call for the whole volume: a file alone costs the disk a commit of the file system's
// journal, and 10,000 partitions have 50,000.
func (d *Directory) flushTogether(logs []*Log, what extent) error {
	d.beginTogether()
	defer d.endTogether()
	made := d.made.Load()
	var all []flushing
	var errs []error
	for _, l := range logs {
		f, err := l.beginFlush(what)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, f)
	}
	if d.syncVolume() != nil {
		// It may be another's trouble, or the system can't. File by file it shows whose it is.
		errs = append(errs, inParallel(closeThreads, all, flushing.runAll))
		return errors.Join(errs...)
	}
	d.entriesSynced(made)
	for i := range all {
		errs = append(errs, all[i].finish(nil))
	}
	return errors.Join(errs...)
}

// beginTogether waits until no other sync of many logs is under way: two that each wait for a log of the other's would for ever.
func (d *Directory) beginTogether() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.together {
		d.togetherTurn.Wait()
	}
	d.together = true
}

func (d *Directory) endTogether() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.together = false
	d.togetherTurn.Broadcast()
}

// runAll is run, with the producers' snapshot, which was left to the volume's sync.
func (f flushing) runAll() error {
	l := f.log
	l.mu.Lock()
	snapshot := filepath.Join(l.path(), snapshotName(l.producers.snapshotEnd))
	l.mu.Unlock()
	if err := syncFile(l.store.fs, snapshot); err != nil {
		return f.finish(err)
	}
	return f.run()
}

var errNotOpen = errors.New("the directory is not open")

// syncVolume syncs everything on the directory's volume.
func (d *Directory) syncVolume() error {
	d.mu.Lock()
	lock := d.lock
	d.mu.Unlock()
	if lock == nil {
		return errNotOpen
	}
	start := time.Now()
	err := lock.SyncVolume()
	if d.store.flushed != nil && err == nil {
		d.store.flushed(time.Since(start))
	}
	return err
}

// settleLogs leaves nothing to be recovered of all logs of the directory.
func (d *Directory) settleLogs(logs []*Log) error {
	together := len(logs) >= d.store.settings.SyncTogether
	settled := make([]bool, len(logs))
	places := make([]int, len(logs))
	for i := range places {
		places[i] = i
	}
	err := inParallel(closeThreads, places, func(i int) (err error) {
		settled[i], err = logs[i].settled(!together)
		return err
	})
	if err != nil {
		return err
	}
	var left []*Log
	for i, l := range logs {
		if !settled[i] {
			left = append(left, l)
		}
	}
	if together && len(left) > 0 {
		return d.flushTogether(left, wholeLog)
	}
	return d.flushLogs(left, wholeLog, nil)
}

// settled writes what is only in memory, and tells whether nothing needs to be synced. The producers' snapshot is synced
// at once if asked for.
func (l *Log) settled(syncSnapshot bool) (bool, error) {
	l.mu.Lock()
	before := l.producers.snapshotEnd
	err := l.producers.takeSnapshot(l.store.fs, l.path(), syncSnapshot)
	if err == nil {
		err = l.active().flushIndexes()
	}
	settled := l.recoveryPoint.Load() == l.end.Load() && (!l.unsynced || l.isEmpty()) &&
		(syncSnapshot || l.producers.snapshotEnd == before)
	l.mu.Unlock()
	if err != nil {
		return false, l.failed("close", err)
	}
	return settled, nil
}

func isClosed(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
