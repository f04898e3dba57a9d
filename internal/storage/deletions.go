package storage

import (
	"sync"
)

// deletion is a segment, or a whole partition's directory, that is to be removed some time after it
// was given up.
type deletion struct {
	segment *segment
	dir     *Directory // where path is
	path    string
	dueMs   int64
}

func (d deletion) directory() *Directory {
	if d.segment != nil {
		return d.segment.log.dir
	}
	return d.dir
}

// deletions are the files to be removed. There are never more than were on the disk.
type deletions struct {
	mu    sync.Mutex
	queue []deletion // guarded by mu
}

func (ds *deletions) add(d deletion) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.queue = append(ds.queue, d)
}

// take removes and returns those whose time has come, but for those on directories that are offline.
func (ds *deletions) take(nowMs int64) (due []deletion) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	kept := ds.queue[:0]
	for _, d := range ds.queue {
		if d.dueMs <= nowMs && d.directory().Err() == nil {
			due = append(due, d)
		} else {
			kept = append(kept, d)
		}
	}
	clear(ds.queue[len(kept):])
	ds.queue = kept
	return due
}

// run removes what is due. What can't be removed is tried again when the store is next opened.
func (ds *deletions) run(s *Store) {
	for _, d := range ds.take(s.nowMs()) {
		var err error
		if d.segment != nil {
			err = d.segment.remove()
		} else {
			err = s.fs.RemoveAll(d.path)
		}
		if err != nil {
			s.logger.Warn("cannot remove deleted files", "dir", d.directory().path, "path", d.path, "error", err)
		}
	}
}
