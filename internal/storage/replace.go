package storage

import (
	"errors"
	"fmt"
	"slices"
)

// errSegmentsChanged says that the segments to be replaced are no longer those of the log.
var errSegmentsChanged = errors.New("segments have changed meanwhile")

// replace puts segments that the cleaner has written, marked cleanedMark, in place of those that they were made from. A crash at
// any moment leaves the old or the new ones: load completes what bears swapMark. Both are contiguous and sorted; the active segment
// can't be replaced. truncations is what the log's was before the first of the old ones was read.
func (l *Log) replace(old, fresh []*segment, truncations int) error {
	for _, s := range fresh {
		if err := s.sync(); err != nil {
			return l.failed("sync cleaned segment", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	list := l.list()
	i := slices.Index(list, old[0])
	if l.truncations != truncations || i < 0 || i+len(old) >= len(list) || !slices.Equal(list[i:i+len(old)], old) {
		return fmt.Errorf("%s: %w", l, errSegmentsChanged)
	}
	return l.failed("replace segments", l.swap(list, i, old, fresh))
}

func (l *Log) swap(list []*segment, i int, old, fresh []*segment) error {
	// From the last to the first: the first, whose offsets tell what is replaced, counts when all are there.
	for _, s := range slices.Backward(fresh) {
		if err := s.rename(swapMark); err != nil {
			return err
		}
	}
	if err := l.store.fs.SyncDir(l.path()); err != nil {
		return err
	}
	// Readers may open the files as soon as they are in the list. While these have two names, they are open.
	unpin, err := pinAll(fresh)
	if err != nil {
		return err
	}
	defer unpin()
	l.boundaries.clear()
	l.setList(slices.Concat(list[:i], fresh, list[i+len(old):]))
	for _, s := range old {
		if err := l.discard(s); err != nil {
			return err
		}
	}
	for _, s := range fresh {
		if err := s.rename(""); err != nil {
			return err
		}
	}
	l.unsynced = true
	return nil
}

// pinAll keeps all files of some segments open until unpin is called.
func pinAll(segments []*segment) (unpin func(), err error) {
	var pinned []*handle
	unpin = func() {
		for _, h := range pinned {
			h.unpin()
		}
	}
	for _, s := range segments {
		for _, f := range s.files() {
			h, err := f.pin()
			if err != nil {
				unpin()
				return nil, err
			}
			pinned = append(pinned, h)
		}
	}
	return unpin, nil
}
