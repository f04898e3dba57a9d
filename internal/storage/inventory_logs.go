package storage

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"barnabas/internal/record"
)

// takeInventory describes the logs of the directory, which are closed. Future logs, and those beside which anything
// else lies, are left to be looked into.
func (d *Directory) takeInventory(logs []*Log) inventory {
	found := make(inventory, len(logs))
	var mu sync.Mutex
	_ = inParallel(closeThreads, logs, func(l *Log) error {
		if i, ok := l.describe(); ok && filepath.Base(l.path()) == l.tp.String() {
			mu.Lock()
			defer mu.Unlock()
			found[l.tp.String()] = i
		}
		return nil
	})
	return found
}

// describe tells what the log is; ok is false if its directory holds anything else, or can't be read.
func (l *Log) describe() (i inventoried, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	active := l.active()
	if !active.maxLoaded || l.producers.end != l.EndOffset() || !l.holdsExactly() {
		return i, false
	}
	changed, err := l.store.fs.Stat(l.path())
	if err != nil {
		return i, false
	}
	var writtenNs int64
	if !l.bare {
		written, err := l.store.fs.Stat(active.pathOf(recordsFile))
		if err != nil || written.Size() != active.size.Load() {
			return i, false
		}
		writtenNs = written.ModTime().UnixNano()
	}
	i = inventoried{
		id: l.TopicID(), changedNs: changed.ModTime().UnixNano(), writtenNs: writtenNs, namedNs: l.namedNs(), end: l.EndOffset(), bare: l.bare,
		epochs: *l.epochs.Load(), snapshots: l.producers.snapshots, producers: len(l.producers.producers) > 0,
		active: inventoriedEnd{active.sinceIndex, active.offsets.last, active.times.last, active.max},
		last:   active.last,
	}
	if active.size.Load() == 0 {
		i.last = noBatch
	}
	if l.unwritten {
		i.epochs = i.epochs.truncateEnd(i.end)
	}
	for _, s := range l.list() {
		if len(s.offsets.tail.Load().added()) > 0 || len(s.times.pending) > 0 {
			return i, false
		}
		i.segments = append(i.segments, inventoriedSegment{s.base, s.size.Load(), s.offsets.count(), s.times.count()})
	}
	return i, true
}

// namedNs is when the file that says whose the log is was written, 0 if there is none.
func (l *Log) namedNs() int64 {
	named, err := l.store.fs.Stat(filepath.Join(l.path(), partitionMetadataName))
	if err != nil {
		return 0
	}
	return named.ModTime().UnixNano()
}

// holdsExactly tells whether the log's directory holds the files that the log knows of, and nothing that a start
// would have to tidy up. The caller holds mu.
func (l *Log) holdsExactly() bool {
	entries, err := l.store.fs.ReadDir(l.path())
	if err != nil {
		return false
	}
	list, segments, snapshots := l.list(), 0, 0
	for _, entry := range entries {
		file, ok := parseSegmentFile(entry.Name())
		switch {
		case entry.Name() == partitionMetadataName, entry.Name() == leaderEpochsName:
		case !ok || file.mark != "":
			return false
		case file.kind == snapshotFile:
			if !slices.Contains(l.producers.snapshots, file.base) {
				return false
			}
			snapshots++
		default:
			if at := segmentAt(list, file.base); at < 0 || list[at].base != file.base {
				return false
			}
			if file.kind <= timeIndexFile {
				segments++
			}
		}
	}
	if l.bare {
		return len(entries) == 0
	}
	return segments == len(list[0].files())*len(list) && snapshots == len(l.producers.snapshots)
}

// restore makes of a log what the inventory says. ok is false if its directory has changed since, or does not fit
// the checkpoints: then it is to be looked into. Nobody else knows the log yet.
func (l *Log) restore(i inventoried, from loading) (ok bool, err error) {
	last := i.segments[len(i.segments)-1]
	if i.end < max(from.start, last.base) || from.recoveryPoint > i.end {
		return false, nil
	}
	changed, err := l.store.fs.Stat(l.path())
	if err != nil || changed.ModTime().UnixNano() != i.changedNs {
		return false, nil
	}
	written, err := l.store.fs.Stat(segmentPath(l.path(), last.base, recordsFile))
	switch {
	case i.bare: // files that were made within a tick of the clock are not seen by the directory's time
		if !errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
	case err != nil || written.Size() != last.size || written.ModTime().UnixNano() != i.writtenNs ||
		!from.clean && !l.indexesAre(last):
		return false, nil
	}
	l.bare = i.bare
	l.epochs.Store(&i.epochs)
	start := l.begin(l.segmentsOf(i), i.end, from)
	return true, l.restoreProducers(i, start, false)
}

// indexesAre tells whether the index files are as long as they were: a process that was killed while it cut the log may have
// come as far as these.
func (l *Log) indexesAre(known inventoriedSegment) bool {
	offsets, err := l.store.fs.Stat(segmentPath(l.path(), known.base, offsetIndexFile))
	if err != nil || offsets.Size() != int64(known.offsets)*offsetEntrySize {
		return false
	}
	times, err := l.store.fs.Stat(segmentPath(l.path(), known.base, timeIndexFile))
	return err == nil && times.Size() == int64(known.times)*timeEntrySize
}

// segmentsOf are the log's segments as the inventory tells of them.
func (l *Log) segmentsOf(i inventoried) []*segment {
	segments := make([]*segment, len(i.segments))
	for n, found := range i.segments {
		s := newSegment(l, found.base)
		s.size.Store(found.size)
		s.offsets.reset(found.offsets, offsetEntry{})
		s.times.reset(found.times, noTimeEntry)
		segments[n] = s
	}
	active := segments[len(segments)-1]
	active.offsets.last, active.times.last = i.active.lastOffset, i.active.lastTime
	active.sinceIndex, active.max, active.maxLoaded = i.active.sinceIndex, i.active.max, true
	active.last = i.last
	return segments
}

// restoreProducers makes the producers' state that of a log that begins at start; appended says that producers have written
// since the inventory.
func (l *Log) restoreProducers(i inventoried, start record.Offset, appended bool) error {
	l.producers.snapshots = i.snapshots
	if i.producers || appended ||
		len(i.snapshots) > 0 && (i.snapshots[0] <= start || i.snapshots[len(i.snapshots)-1] > i.end) {
		return l.reloadProducers(start)
	}
	l.producers.end, l.producers.snapshotEnd = l.EndOffset(), newestSnapshot(i.snapshots, start)
	return nil
}

// newestSnapshot is up to where the newest snapshot reaches, start if there is none.
func newestSnapshot(snapshots []record.Offset, start record.Offset) record.Offset {
	if len(snapshots) == 0 {
		return start
	}
	return snapshots[len(snapshots)-1]
}
