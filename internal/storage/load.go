package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// loading is what is known of a log, beside its own files, when it's read from disk.
type loading struct {
	clean bool // the last process closed the log in order
	// trusted is the offset below which the bytes are known to be on the disk or, if the machine has
	// not started anew since, in its memory.
	trusted       record.Offset
	recoveryPoint record.Offset
	start         record.Offset
	highWatermark record.Offset
	// cleaned is the offset up to which the log was compacted: gaps between segments below it are no
	// loss.
	cleaned record.Offset
}

// load reads the log from its directory: the segments, as far as they are whole, the epochs and the
// producers. The caller holds mu, or nobody else knows the log yet.
func (l *Log) load(from loading) error {
	listing, err := l.listFiles()
	if err != nil {
		return err
	}
	if l.bare = l.mayBeBare(from.start) && listing.isBare(); l.bare {
		return l.beginBare()
	}
	segments := make([]*segment, 0, len(listing.segments))
	for _, found := range listing.segments {
		s := newSegment(l, found.base)
		s.size.Store(found.size)
		segments = append(segments, s)
	}
	l.epochs.Store(l.readEpochs())
	segments, end, err := l.loadSegments(segments, listing, from)
	if err != nil {
		return err
	}
	if len(segments) == 0 || end < from.start {
		return l.loadEmpty(segments, max(from.start, end))
	}
	start := l.begin(segments, end, from)
	if err := l.loadEpochs(start, end); err != nil {
		return err
	}
	return l.loadProducers(listing, start)
}

// begin publishes the segments that were found, and the offsets. It returns the log's first.
func (l *Log) begin(segments []*segment, end record.Offset, from loading) (start record.Offset) {
	l.setList(segments)
	l.end.Store(int64(end))
	start = max(from.start, segments[0].base)
	l.start.Store(int64(start))
	l.highWatermark.Store(int64(min(max(from.highWatermark, start), end)))
	l.recoveryPoint.Store(int64(min(from.recoveryPoint, end)))
	l.synced.Store(l.recoveryPoint.Load())
	// A process that was killed may have made files whose names only the page cache knows. The name of
	// an empty segment may be one of these however the process ended: who appends to it will sync it.
	if l.active().size.Load() == 0 || !from.clean && end > from.recoveryPoint {
		l.unsynced = true
	}
	l.unnamed = l.unsynced
	if l.unnamed && len(segments) > 1 {
		// It may have been begun by a cut of the segment before, which the disk has not got either (truncate.go).
		l.doubt(l.active().base)
	}
	return start
}

// loadEmpty makes a log that holds nothing begin at an offset. Segments that end before it are removed.
func (l *Log) loadEmpty(segments []*segment, start record.Offset) error {
	for _, s := range segments {
		l.store.logger.Warn("removing a segment that ends before the log's start offset",
			"partition", l.tp.String(), "segment", int64(s.base), "logStartOffset", int64(start))
		if err := s.remove(); err != nil {
			return err
		}
	}
	fresh, err := createSegment(l, start)
	if err != nil {
		return err
	}
	l.setList([]*segment{fresh})
	l.end.Store(int64(start))
	l.start.Store(int64(start))
	l.highWatermark.Store(int64(start))
	l.recoveryPoint.Store(int64(start))
	l.synced.Store(int64(start))
	l.unsynced = true
	if err := l.producers.truncateFully(l.store.fs, l.path(), start); err != nil {
		return err
	}
	return l.setEpochs(l.epochs.Load().truncateEnd(start))
}

// listing is what is in a partition's directory.
type listing struct {
	segments []foundSegment // sorted by base
	indexes  map[segmentFile]int64
	names    []string
	latest   *record.Epoch // of the batches that recovery has read until now
}

type foundSegment struct {
	base record.Offset
	size int64
}

// listFiles reads the partition's directory, puts in place what the cleaner has finished, and removes
// what is left over.
func (l *Log) listFiles() (listing, error) {
	entries, err := l.store.fs.ReadDir(l.path())
	if err != nil {
		return listing{}, err
	}
	if changed, err := l.tidy(entries); err != nil {
		return listing{}, err
	} else if changed {
		if entries, err = l.store.fs.ReadDir(l.path()); err != nil {
			return listing{}, err
		}
	}
	found := listing{indexes: make(map[segmentFile]int64), latest: new(record.Epoch)}
	*found.latest = record.NoEpoch
	for _, entry := range entries {
		found.names = append(found.names, entry.Name())
		file, ok := parseSegmentFile(entry.Name())
		if !ok || file.mark != "" || file.kind > timeIndexFile {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return found, err
		}
		if file.kind == recordsFile {
			found.segments = append(found.segments, foundSegment{file.base, info.Size()})
		} else {
			found.indexes[file] = info.Size()
		}
	}
	slices.SortFunc(found.segments, func(a, b foundSegment) int { return cmp.Compare(a.base, b.base) })
	return found, l.removeOrphans(found)
}

// removeOrphans removes the indexes of segments that are gone.
func (l *Log) removeOrphans(found listing) error {
	for file := range found.indexes {
		if !slices.ContainsFunc(found.segments, func(s foundSegment) bool { return s.base == file.base }) {
			if err := removeFile(l.store.fs, segmentPath(l.path(), file.base, file.kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tidy removes what a crash has left half done, and completes what was as good as done: segments
// that the cleaner has marked to take the place of those they were made from.
func (l *Log) tidy(entries []fs.DirEntry) (changed bool, err error) {
	var swaps, plain []segmentFile
	for _, entry := range entries {
		file, ok := parseSegmentFile(entry.Name())
		switch {
		case ok && (file.mark == deletedMark || file.mark == cleanedMark), filepath.Ext(entry.Name()) == ".tmp":
			changed = true
			if err := removeFile(l.store.fs, filepath.Join(l.path(), entry.Name())); err != nil {
				return changed, err
			}
		case ok && file.mark == swapMark:
			swaps = append(swaps, file)
		case ok && file.kind == recordsFile:
			plain = append(plain, file)
		}
	}
	for _, swap := range swaps {
		if swap.kind == recordsFile {
			if err := l.removeReplaced(swap, swaps, plain); err != nil {
				return changed, err
			}
		}
	}
	for _, swap := range swaps {
		changed = true
		path := segmentPath(l.path(), swap.base, swap.kind)
		if err := l.store.fs.Rename(path+swapMark, path); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// removeReplaced removes the segments that a swapped one was made from: those that begin within its
// offsets.
func (l *Log) removeReplaced(swap segmentFile, swaps, plain []segmentFile) error {
	end, err := l.endOfFile(segmentPath(l.path(), swap.base, recordsFile) + swapMark)
	if err != nil {
		return err
	}
	for _, p := range plain {
		isSwap := slices.ContainsFunc(swaps, func(s segmentFile) bool { return s.base == p.base && s.kind == p.kind })
		if isSwap || p.base < swap.base || p.base >= end {
			continue
		}
		for kind := recordsFile; kind <= txnIndexFile; kind++ {
			if err := removeFile(l.store.fs, segmentPath(l.path(), p.base, kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

// endOfFile is the offset after the last batch of a file of batches, 0 if it has none.
func (l *Log) endOfFile(path string) (end record.Offset, err error) {
	f, err := l.store.fs.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	walk := walkHeaders(f, 0, size)
	defer walk.close()
	for {
		b, _, err := walk.next()
		if errors.Is(err, io.EOF) || errors.Is(err, record.ErrCorrupt) || errors.Is(err, record.ErrUnsupportedMagic) {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		end = b.NextOffset()
	}
}

// readEpochs reads the leader epochs. It points to nil if they must all be taken from the batches.
func (l *Log) readEpochs() *leaderEpochs {
	es := leaderEpochs{}
	data, err := vfs.ReadFile(l.store.fs, filepath.Join(l.path(), leaderEpochsName))
	if err == nil {
		es, err = parseLeaderEpochs(data)
	}
	if err == nil {
		return &es
	}
	if !errors.Is(err, fs.ErrNotExist) {
		l.store.logger.Warn("cannot read the leader epochs, taking them from the batches",
			"partition", l.tp.String(), "error", err)
	}
	return new(leaderEpochs)
}

// loadEpochs brings the epochs in line with the log's start and end. Where the file knows nothing of
// the first records, because it was lost or is younger than the start offset that a crash has left,
// the batches tell. An epoch that begins at the end stays: its leader has appended nothing yet, and
// 10,000 such logs need no writing at a start.
func (l *Log) loadEpochs(start, end record.Offset) error {
	known := l.epochs.Load().truncateEnd(end + 1).truncateStart(start)
	if len(known) > 0 && known[0].start <= start || start == end {
		return l.setEpochs(known)
	}
	var es leaderEpochs
	err := l.eachBatch(start, func(b record.Batch, _ *handle, _ int64) error {
		if len(known) > 0 && b.BaseOffset() >= known[0].start {
			return errStopWalk
		}
		if b.LeaderEpoch() > es.latest() {
			es = es.assign(b.LeaderEpoch(), max(start, b.BaseOffset()))
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStopWalk) {
		return err
	}
	for _, e := range known {
		if e.epoch > es.latest() {
			es = es.assign(e.epoch, e.start)
		}
	}
	return l.setEpochs(es)
}

// eachBatch calls do with the header of every batch from the one that holds an offset on. The caller
// holds mu.
func (l *Log) eachBatch(from record.Offset, do func(b record.Batch, h *handle, pos int64) error) error {
	list := l.list()
	for _, s := range list[max(0, segmentAt(list, from)):] {
		if err := s.eachBatch(from, do); err != nil {
			return err
		}
	}
	return nil
}

func (s *segment) eachBatch(from record.Offset, do func(b record.Batch, h *handle, pos int64) error) error {
	if s.size.Load() == 0 {
		return nil
	}
	h, err := s.records.pin()
	if err != nil {
		return err
	}
	defer h.unpin()
	at, found, err := s.find(from, h)
	if err != nil || !found {
		return err
	}
	walk := walkHeaders(h, at.pos, s.size.Load())
	defer walk.close()
	for {
		b, pos, err := walk.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", s.base, err)
		}
		if err := do(b, h, pos); err != nil {
			return err
		}
	}
}

// loadProducers reads the producers' state: the newest snapshot and what was appended after it.
func (l *Log) loadProducers(found listing, start record.Offset) error {
	bases := make([]record.Offset, 0, len(l.list()))
	for _, s := range l.list() {
		bases = append(bases, s.base)
	}
	if err := l.producers.listSnapshots(l.store.fs, l.path(), found.names, bases); err != nil {
		return err
	}
	known := len(l.producers.snapshots)
	if err := l.reloadProducers(start); err != nil || len(l.producers.snapshots) == known {
		return err
	}
	// What was removed is of records that are gone. It must not come back with a crash, beside others at their offsets.
	return l.store.fs.SyncDir(l.path())
}

// reloadProducers makes the producers' state that of the log as it is now. The caller holds mu.
func (l *Log) reloadProducers(start record.Offset) error {
	end := l.EndOffset()
	err := l.producers.load(l.store.fs, l.path(), start, end, l.store.nowMs(), l.store.logger)
	if err != nil {
		return err
	}
	if err := l.recallBatches(); isBadBatch(err) {
		l.missProducers(l.producers.end, err)
	} else if err != nil {
		return err
	}
	if l.producers.end < end {
		err = l.eachBatch(l.producers.end, func(b record.Batch, h *handle, pos int64) error {
			if b.IsControl() {
				whole := make(record.Batch, b.Size())
				if err := readFull(h, whole, pos); err != nil {
					return err
				}
				b = whole
			}
			if _, err := l.producers.replay(b); isBadBatch(err) {
				l.missProducers(b.BaseOffset(), err)
			} else if err != nil {
				return err
			}
			return nil
		})
	}
	if isBadBatch(err) {
		l.missProducers(l.producers.end, err)
	} else if err != nil {
		return err
	}
	l.producers.setEnd(end)
	l.producers.onHighWatermark(l.HighWatermark())
	l.publishUnstable()
	return nil
}

// missProducers says that bytes which were synced once are broken now. They are left to who reads them; that the log's
// other batches and the directory's other logs can't be used because of them would be worse than what is forgotten here.
func (l *Log) missProducers(at record.Offset, err error) {
	l.store.logger.Error("producers' state is incomplete: a batch is broken", "partition", l.tp.String(), "offset", int64(at), "error", err)
}
