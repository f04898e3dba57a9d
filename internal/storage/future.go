package storage

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// A future log is a partition's second one on this broker: a copy that is being made in another log directory, to take
// the place of the first (KIP-113). Its directory is called topic-partition.<id>-future until then. Who copies, and when the
// change is made, is replication's business.

const futureDirSuffix = "-future"

// futureDirName is what the directory of a future log is called.
func futureDirName(tp ident.TopicPartition, id ident.StoreID) string {
	return fmt.Sprintf("%s.%x%s", tp, id[:], futureDirSuffix)
}

// CanBeMoved tells whether the name of a partition leaves room for that of its future log (KAFKA-4893).
func CanBeMoved(tp ident.TopicPartition) bool {
	return len(futureDirName(tp, ident.StoreID{})) <= maxPartitionDirNameLen
}

// parseFutureDir reads futureDirName.
func parseFutureDir(name string) (ident.TopicPartition, bool) {
	rest, ok := strings.CutSuffix(name, futureDirSuffix)
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot <= 0 || len(rest)-dot-1 != 32 {
		return ident.TopicPartition{}, false
	}
	return parsePartitionDir(rest[:dot])
}

// DirectoryAt finds a log directory by its path, or nil.
func (s *Store) DirectoryAt(path string) *Directory {
	for _, d := range s.dirs {
		if d.path == path {
			return d
		}
	}
	return nil
}

// Prefer has the partition's log made in a directory, should it be made before the store is closed.
func (s *Store) Prefer(tp ident.TopicPartition, d *Directory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.preferred) < maxPreferred {
		s.preferred[tp] = d
	}
}

// maxPreferred bounds the wishes for logs that may never be made.
const maxPreferred = 10_000

// place is the directory for a new log: the one asked for, or the online one with the fewest.
func (s *Store) place(tp ident.TopicPartition) *Directory {
	s.mu.Lock()
	wished := s.preferred[tp]
	delete(s.preferred, tp)
	s.mu.Unlock()
	if wished != nil && wished.Err() == nil {
		return wished
	}
	return s.roomiest()
}

// Future finds a partition's future log, or nil. It may also be a log that was found in a second directory under
// the partition's own name: a crash has come between the two renames of Promote.
func (s *Store) Future(tp ident.TopicPartition) *Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.futures[tp]
}

// Futures are all future logs, in no order.
func (s *Store) Futures() []*Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	futures := make([]*Log, 0, len(s.futures))
	for _, l := range s.futures {
		futures = append(futures, l)
	}
	return futures
}

// Futures are the future logs in this directory, in no order.
func (d *Directory) Futures() []*Log {
	return slices.DeleteFunc(d.store.Futures(), func(l *Log) bool { return l.dir != d })
}

// IsNamedFuture tells a log whose directory bears the name of a future one from a second log of the same partition.
func (l *Log) IsNamedFuture() bool { return strings.HasSuffix(l.path(), futureDirSuffix) }

// syncNames has the names of all logs survive a crash of the machine, as moves from one directory to another have left them, ended or
// called off. ErrStorage.
func (s *Store) syncNames() error {
	for _, d := range s.dirs {
		if d.Err() != nil {
			continue
		}
		if err := d.syncEntries(); err != nil {
			return d.fail(fmt.Errorf("sync %s: %w", d.path, err))
		}
	}
	return nil
}

// CreateFuture makes an empty future log in a directory, beginning at offset start. Errors: ErrLogExists, ErrStorage.
func (s *Store) CreateFuture(of *Log, d *Directory, start record.Offset) (*Log, error) {
	if err := d.Err(); err != nil {
		return nil, err
	}
	if s.Future(of.tp) != nil || of.dir == d {
		return nil, fmt.Errorf("future of %s in %s: %w", of.tp, d.path, ErrLogExists)
	}
	// Else a crash could leave three, and the one that is ignored then may be the one that the in-sync set names.
	if err := s.syncNames(); err != nil {
		return nil, err
	}
	if d.remembers(of.tp) {
		if err := d.checkpointAll(); err != nil {
			return nil, err
		}
	}
	l, err := s.createAt(d, newLog(d, of.tp, of.TopicID(), filepath.Join(d.path, futureDirName(of.tp, s.newID())), of.Config()), start)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.futures[of.tp] = l
	s.mu.Unlock()
	s.flusher.add(l)
	return l, nil
}

// DropFuture gives a future log up, as Delete does a log. ErrUnknownLog, ErrStorage.
func (s *Store) DropFuture(tp ident.TopicPartition) error {
	if err := s.discard(s.futures, tp); err != nil {
		return fmt.Errorf("future log: %w", err)
	}
	return nil
}

// Promote makes a partition's future log its log, and has the one that it had deleted by the function it returns. A crash in
// between leaves both under the partition's name: the in-sync set says which of them is meant. ErrUnknownLog, ErrStorage.
func (s *Store) Promote(tp ident.TopicPartition) (promoted *Log, deleteOld func() error, err error) {
	s.mu.Lock()
	l, old := s.futures[tp], s.logs[tp]
	if l == nil {
		s.mu.Unlock()
		return nil, nil, fmt.Errorf("future of %s: %w", tp, ErrUnknownLog)
	}
	s.mu.Unlock()
	if err := l.takeName(); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	delete(s.futures, tp)
	s.logs[tp] = l
	stays := s.leave(old)
	s.mu.Unlock()
	return l, func() error {
		if old == nil {
			return nil
		}
		old.dir.forget(tp)
		if stays != nil {
			old.close()
			return stays
		}
		return old.delete()
	}, nil
}

// takeName gives a log's directory the partition's own name.
func (l *Log) takeName() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	path := l.dir.pathOf(l.tp)
	if path == l.path() {
		return nil
	}
	if err := l.store.fs.Rename(l.path(), path); err != nil {
		return l.dir.fail(fmt.Errorf("rename the future log of %s: %w", l.tp, err))
	}
	l.moveTo(path)
	l.unsynced = true
	l.dir.made.Add(1)
	l.store.flusher.add(l)
	return nil
}

// TakeEpochs has a log that holds the same records as another know the leader epochs that the other knows: one that has
// begun and written nothing is in no record. Errors: ErrStorage, ErrDeleted.
func (l *Log) TakeEpochs(of *Log) error {
	epochs := *of.epochs.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	return l.failed("write leader epochs", l.setEpochs(epochs.truncateStart(l.StartOffset())))
}
