package storage

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// lastBatch tells the batch at a position from any other that could stand there. Records with the same offset and leader
// epoch have the same history: where this batch still is, everything before it in the segment is what it was.
type lastBatch struct {
	pos   int64
	base  record.Offset
	epoch record.Epoch
	crc   uint32
}

// noBatch stands for one that is not known, or not there.
var noBatch = lastBatch{pos: -1, epoch: record.NoEpoch}

// keepInventory has the inventory of the last clean stop stay for starts after a kill, as long as the machine runs, and reads
// it at such a start. One that can't be of this boot, or that the clean mark did not vouch for, goes: between it and now
// another program may have used the directory, or a crash of the machine may have undone writes.
func (d *Directory) keepInventory(sameBoot bool) error {
	if d.clean && d.inventory != nil {
		return nil
	}
	path := filepath.Join(d.path, inventoryName)
	if d.clean || !sameBoot || d.loaded.Load() {
		return removeFile(d.store.fs, path)
	}
	content, err := vfs.ReadFile(d.store.fs, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d.inventory = d.decodeInventory(content)
	return nil
}

// resume makes of a log what the inventory says of it and what a process that was then killed has appended. ok is false
// where that process has done anything else to the log's files, or where what was appended is not whole: then it is to be
// looked into. Nobody else knows the log yet.
func (l *Log) resume(i inventoried, from loading) (ok bool, err error) {
	size, ok := l.appendedOnly(i)
	if !ok || !l.isOf(i) {
		return false, nil
	}
	segments := l.segmentsOf(i)
	s := segments[0]
	s.size.Store(size)
	h, err := s.records.pin()
	if err != nil {
		return false, nil
	}
	defer h.unpin()
	latest := record.NoEpoch
	scan := recoveryScan{log: l, segment: s, handle: h, pos: max(0, i.last.pos), next: s.base, trusted: from.trusted,
		upTo: math.MaxInt64, epochs: i.epochs, latest: &latest}
	if !scan.passes(i) || scan.run() != nil {
		s.retire()
		return false, nil
	}
	start := max(from.start, s.base)
	if epochs := scan.epochs.truncateEnd(scan.next + 1).truncateStart(start); scan.next >= start && from.recoveryPoint <= scan.next &&
		(start == scan.next || len(epochs) > 0 && epochs[0].start <= start) {
		l.epochs.Store(&epochs)
		start = l.begin(segments, scan.next, from)
		return true, l.restoreProducers(i, start, scan.producers)
	}
	s.retire()
	return false, nil
}

// isOf tells whether the log is of the topic of the inventory's: one that was deleted and made again has logs of the same names, which may
// begin with the very same batches. The files that say whose they are are others, written later; one that is as old as the inventory's
// need not be read.
func (l *Log) isOf(i inventoried) bool {
	if i.namedNs != 0 && l.namedNs() == i.namedNs {
		return true
	}
	written, err := l.dir.readTopicID(l.path())
	return err == nil && written == i.id
}

// appendedOnly tells whether the log's directory holds the very files of the inventory, the indexes as long as they were. It
// returns the size of the one file that may have grown.
func (l *Log) appendedOnly(i inventoried) (size int64, ok bool) {
	entries, err := l.store.fs.ReadDir(l.path())
	if err != nil || len(i.segments) != 1 {
		return 0, false
	}
	known, segments, snapshots, hasEpochs := i.segments[0], 0, 0, false
	for _, entry := range entries {
		switch entry.Name() {
		case partitionMetadataName:
			continue
		case leaderEpochsName:
			hasEpochs = true
			continue
		}
		file, ok := parseSegmentFile(entry.Name())
		switch {
		case !ok || file.mark != "":
			return 0, false
		case file.kind == snapshotFile && slices.Contains(i.snapshots, file.base):
			snapshots++
			continue
		case file.kind > timeIndexFile || file.base != known.base:
			return 0, false
		}
		info, err := entry.Info()
		if err != nil {
			return 0, false
		}
		segments++
		switch file.kind {
		case recordsFile:
			size = info.Size()
		case offsetIndexFile:
			ok = info.Size() == int64(known.offsets)*offsetEntrySize
		case timeIndexFile:
			ok = info.Size() == int64(known.times)*timeEntrySize
		}
		if !ok {
			return 0, false
		}
	}
	return size, segments == 3 && snapshots == len(i.snapshots) && size >= known.size && hasEpochs
}

// passes moves the scan past what the inventory knows, if the last batch of that is where it was.
func (r *recoveryScan) passes(i inventoried) bool {
	known := i.segments[0]
	if known.size == 0 {
		return i.end == r.segment.base
	}
	if i.last.pos < 0 {
		return false
	}
	r.next = i.last.base
	b, err := r.batch(r.segment.size.Load())
	if err != nil || b.BaseOffset() != i.last.base || b.LeaderEpoch() != i.last.epoch || b.CRC() != i.last.crc ||
		r.pos+int64(len(b)) != known.size || b.NextOffset() != i.end {
		return false
	}
	r.pos, r.next = known.size, i.end
	return true
}
