package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"barnabas/internal/ident"
	"barnabas/internal/vfs"
)

// closeThreads is how many logs of a directory are synced at once when the store is closed.
const closeThreads = 8

// loadLogs reads all logs of the directory that are not known yet.
func (d *Directory) loadLogs() error {
	if !d.clean && !d.fresh {
		// A process that was killed may have replaced a checkpoint file, and not waited until the disk had it: what is read
		// is what a crash will leave.
		if err := d.store.fs.SyncDir(d.path); err != nil {
			return err
		}
	}
	checkpoints, err := d.readCheckpoints()
	if err != nil {
		return err
	}
	sameBoot := d.markedBoot(checkpoints[writtenOffsets])
	if !sameBoot {
		checkpoints[writtenOffsets] = offsetCheckpoint{}
		if !d.clean && !d.fresh {
			d.torn.Store(true)
		}
	}
	cleaned, err := d.readCleaned()
	if err != nil {
		return err
	}
	found, err := d.findLogs()
	if err != nil {
		return err
	}
	if err := d.keepInventory(sameBoot); err != nil {
		return err
	}
	err = inParallel(d.store.settings.RecoveryThreads, found, func(l foundLog) error {
		return d.loadLog(l, checkpoints, cleaned)
	})
	d.inventory = nil // it was of the start
	d.noteStale(checkpoints)
	if err == nil {
		err = d.correct(checkpoints)
	}
	d.loaded.Store(err == nil)
	if err != nil || sameBoot != d.torn.Load() {
		return err
	}
	return d.markBoot() // or takes the mark of this boot away
}

// foundLog is a log on disk that is not known yet.
type foundLog struct {
	tp     ident.TopicPartition
	name   string // of its directory
	future bool   // or it is the second log of the partition
}

// findLogs are the logs in the directory that are not known yet. What was deleted is marked for it.
func (d *Directory) findLogs() ([]foundLog, error) {
	entries, err := d.store.fs.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var found []foundLog
	for _, entry := range entries {
		name := entry.Name()
		if !entry.IsDir() {
			continue
		}
		if isDeletedDir(name) {
			d.store.deletions.add(deletion{dir: d, path: filepath.Join(d.path, name), dueMs: d.store.nowMs()})
			continue
		}
		if tp, ok := parseFutureDir(name); ok {
			if l := d.store.Future(tp); l == nil {
				found = append(found, foundLog{tp, name, true})
			} else if l.dir != d {
				d.ignore(tp, "a replica is being moved to two log directories, ignoring one", l.dir)
			}
			continue
		}
		tp, ok := parsePartitionDir(name)
		if !ok || tp.String() != name {
			if slices.Contains(d.store.foreign, name) {
				continue
			}
			d.store.logger.Warn("ignoring a directory that is no partition's", "dir", d.path, "name", name)
			continue
		}
		switch l, other := d.store.Log(tp), d.store.Future(tp); {
		case l == nil:
			found = append(found, foundLog{tp, name, false})
		case l.dir != d && other == nil:
			found = append(found, foundLog{tp, name, true})
		case l.dir != d && other.dir != d:
			d.ignore(tp, inTwoDirectories, l.dir)
		}
	}
	return found, nil
}

const inTwoDirectories = "partition is in two log directories, ignoring one"

// ignore says that a log here is left alone, for one in another directory is used.
func (d *Directory) ignore(tp ident.TopicPartition, why string, used *Directory) {
	d.store.logger.Error(why, "partition", tp.String(), "used", used.path, "ignored", d.path)
}

// noteStale finds the partitions of which only the checkpoint files speak.
func (d *Directory) noteStale(checkpoints [checkpointKinds]offsetCheckpoint) {
	for kind, c := range checkpoints {
		for tp := range c {
			if !d.holds(tp) && (checkpointKind(kind) != writtenOffsets || tp.Partition >= 0) {
				d.forget(tp)
			}
		}
	}
}

// holds tells whether a partition has a log here, be it a future one.
func (d *Directory) holds(tp ident.TopicPartition) bool {
	l, future := d.store.Log(tp), d.store.Future(tp)
	return l != nil && l.dir == d || future != nil && future.dir == d
}

func (d *Directory) loadLog(
	found foundLog, checkpoints [checkpointKinds]offsetCheckpoint, cleaned offsetCheckpoint,
) error {
	tp := found.tp
	recoveryPoint := checkpoints[recoveryPoints][tp]
	l, err := d.openLog(found, loading{
		clean:         d.clean,
		trusted:       max(recoveryPoint, checkpoints[writtenOffsets][tp]),
		recoveryPoint: recoveryPoint,
		start:         checkpoints[startOffsets][tp],
		highWatermark: checkpoints[highWatermarks][tp],
		cleaned:       cleaned[tp],
	})
	if err != nil {
		return fmt.Errorf("load %s: %w", tp, err)
	}
	for kind, c := range checkpoints {
		l.saved[kind] = -1
		if offset, ok := c[tp]; ok {
			l.saved[kind] = int64(offset)
		}
	}
	if used := d.store.take(l, found.future); used != l {
		d.ignore(tp, inTwoDirectories, used.dir)
		l.close()
	}
	return nil
}

// take has the store know a log that was found, unless it has two of the partition: then it returns another. While the
// directory came back one of that name may have been made, or be just being made, which is the partition's: then this is the
// second.
func (s *Store) take(l *Log, future bool) (used *Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !future && s.logs[l.tp] == nil && !s.making[l.tp] {
		s.logs[l.tp] = l
		return l
	}
	if used = s.futures[l.tp]; used == nil {
		s.futures[l.tp] = l
		return l
	}
	return used
}

// clearFor makes room for a new log where there is a directory of its name already that the store does not know, as beside two
// logs in other directories: what is in it of another topic was deleted, for names are given once at a time.
func (d *Directory) clearFor(l *Log) error {
	id, err := d.readTopicID(l.path())
	if err != nil || id.IsZero() || l.TopicID().IsZero() || id == l.TopicID() {
		return err
	}
	d.store.logger.Warn("log of a deleted topic of the same name is removed", "partition", l.tp.String(), "dir", d.path,
		"topicId", id, "wanted", l.TopicID())
	path := filepath.Join(d.path, deletedDirName(l.tp, d.store.newID()))
	if err := d.store.fs.Rename(l.path(), path); err != nil {
		return err
	}
	d.store.deletions.add(deletion{dir: d, path: path, dueMs: d.store.nowMs() + l.config.Load().FileDeleteDelayMs})
	return nil
}

// openLog makes a log of what the inventory says of it or, where that says nothing, of what is found in its directory.
func (d *Directory) openLog(found foundLog, from loading) (*Log, error) {
	d.made.Add(1) // whoever made it may not have synced it
	path := filepath.Join(d.path, found.name)
	if i, ok := d.inventory[found.name]; ok {
		l := newLog(d, found.tp, i.id, path, d.store.config)
		ok, err := l.restore(i, from)
		if !ok && err == nil && !from.clean {
			l.close() // it may have been begun
			l = newLog(d, found.tp, i.id, path, d.store.config)
			ok, err = l.resume(i, from)
		}
		if ok || err != nil {
			return l, err
		}
		l.close()
	}
	id, err := d.readTopicID(path)
	if err != nil {
		return nil, err
	}
	l := newLog(d, found.tp, id, path, d.store.config)
	return l, l.load(from)
}

// readTopicID reads a partition's metadata file. One that is missing, or that a crash has left
// empty, gives the zero id.
func (d *Directory) readTopicID(path string) (ident.TopicID, error) {
	data, err := vfs.ReadFile(d.store.fs, filepath.Join(path, partitionMetadataName))
	if errors.Is(err, fs.ErrNotExist) {
		return ident.TopicID{}, nil
	}
	if err != nil {
		return ident.TopicID{}, err
	}
	id, err := parsePartitionMetadata(data)
	if err != nil {
		d.store.logger.Warn("cannot tell a partition's topic id", "dir", path, "error", err)
		return ident.TopicID{}, nil
	}
	return id, nil
}

// closeLogs closes all logs of the directory; with clean they are synced, and the directory is marked.
func (d *Directory) closeLogs(clean bool) error {
	logs := d.all()
	usable := d.Err() == nil && d.opened()
	var err error
	if clean && usable {
		err = d.settleLogs(logs)
	}
	for _, l := range logs {
		l.close()
	}
	if !clean || !usable || err != nil {
		return err
	}
	if err := d.checkpointAll(); err != nil {
		return err
	}
	return d.markClean(d.takeInventory(logs))
}

// isEmpty tells that the log has no records at all.
func (l *Log) isEmpty() bool { return l.Segments() == 1 && l.active().size.Load() == 0 }

// close ends the use of a log. Its files are closed when the last reader has gone.
func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed.Store(true)
	for _, s := range l.list() {
		s.retire()
	}
}

// inParallel calls do for every item, n at a time, and returns all errors.
func inParallel[T any](n int, items []T, do func(T) error) error {
	var (
		mu   sync.Mutex
		errs []error
		work sync.WaitGroup
		next = make(chan T)
	)
	for range min(n, len(items)) {
		work.Go(func() {
			for item := range next {
				if err := do(item); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, item := range items {
		next <- item
	}
	close(next)
	work.Wait()
	return errors.Join(errs...)
}
