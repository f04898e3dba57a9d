package storage

import (
	"errors"
	"fmt"
	"slices"
)

// errSegmentsChanged says that the segments to be replaced are no longer those of the log.
var errSegmentsChanged = errors.New("segments have changed meanwhile")

// replacement is a segment that the cleaner has written, marked cleanedMark, on its way to take the
// place of those that it was made from.
type replacement struct {
	log   *Log
	old   []*segment // contiguous, without the active one
	fresh *segment
	// truncations is what the log's was before the first of the old ones was read.
	truncations int64
}

// replace puts a cleaned segment in the place of others. A crash at any moment leaves the old or the new
// one, because load completes what bears swapMark:
//
//	the new files are synced, then marked swapMark, then their names are synced: from here on they count
//	the old files are marked as deleted, and that is synced: from here on nobody needs the mark
//	the new files get their names
//
// The log's mutex isn't held while something is synced. errSegmentsChanged, ErrStorage, ErrDeleted.
func (r *replacement) replace() error {
	l := r.log
	if err := r.fresh.sync(); err != nil {
		return l.failed("sync cleaned segment", err)
	}
	// Readers may open the files as soon as they are in the list. While these have two names, they
	// are open.
	unpin, err := pinAll(r.fresh)
	if err != nil {
		return l.failed("open cleaned segment", err)
	}
	defer unpin()
	for _, step := range []func() error{r.mark, r.swap, r.name} {
		if err := r.locked(step); err != nil {
			return err
		}
		if err := l.store.fs.SyncDir(l.path()); err != nil {
			return l.failed("replace segments", err)
		}
	}
	return nil
}

func (r *replacement) locked(step func() error) error {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	err := step()
	if errors.Is(err, errSegmentsChanged) {
		return err
	}
	return l.failed("replace segments", err)
}

// place is where the old segments are in the list.
func (r *replacement) place() (list []*segment, i int, err error) {
	list = r.log.list()
	i = slices.Index(list, r.old[0])
	if r.log.truncations.Load() != r.truncations || i < 0 || i+len(r.old) >= len(list) ||
		!slices.Equal(list[i:i+len(r.old)], r.old) {
		return nil, 0, fmt.Errorf("%s: %w", r.log, errSegmentsChanged)
	}
	return list, i, nil
}

func (r *replacement) mark() error {
	if _, _, err := r.place(); err != nil {
		return err
	}
	return r.fresh.rename(swapMark)
}

func (r *replacement) swap() error {
	list, i, err := r.place()
	if err != nil {
		return errors.Join(err, r.fresh.remove())
	}
	l := r.log
	l.boundaries.clear()
	l.setList(slices.Concat(list[:i], []*segment{r.fresh}, list[i+len(r.old):]))
	for _, s := range r.old {
		if err := l.discard(s); err != nil {
			return err
		}
	}
	return nil
}

func (r *replacement) name() error {
	if mark := r.fresh.mark.Load(); mark == nil || *mark != swapMark {
		return nil // removed in the meantime
	}
	r.log.unsynced = true
	return r.fresh.rename("")
}

// pinAll keeps all files of a segment open until unpin is called.
func pinAll(s *segment) (unpin func(), err error) {
	var pinned []*handle
	unpin = func() {
		for _, h := range pinned {
			h.unpin()
		}
	}
	for _, f := range s.files() {
		h, err := f.pin()
		if err != nil {
			unpin()
			return nil, err
		}
		pinned = append(pinned, h)
	}
	return unpin, nil
}
