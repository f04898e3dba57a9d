package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

const snapshotSuffix = ".snapshot"

// snapshotName is the file that holds the producer state up to (not including) an offset.
func snapshotName(end record.Offset) string { return fmt.Sprintf("%020d%s", end, snapshotSuffix) }

// listSnapshots finds the snapshot files among a partition's directory entries. Of those that belong to
// no segment only the newest is kept, and only if it is newer than every segment: a clean stop wrote it.
func (t *producerTable) listSnapshots(
	fsys vfs.FS, dir string, names []string, segments []record.Offset,
) error {
	t.snapshots = t.snapshots[:0]
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, snapshotSuffix)
		if !ok {
			continue
		}
		if end, err := strconv.ParseInt(digits, 10, 64); err == nil && end >= 0 {
			t.snapshots = append(t.snapshots, record.Offset(end))
		}
	}
	slices.Sort(t.snapshots)
	newest := len(t.snapshots) - 1
	var stray []record.Offset
	for i, end := range t.snapshots {
		isLast := i == newest && (len(segments) == 0 || end > slices.Max(segments))
		if !isLast && !slices.Contains(segments, end) {
			stray = append(stray, end)
		}
	}
	return t.removeSnapshots(fsys, dir, stray)
}

// load makes the table reflect a log that goes from start to end, from the newest snapshot in that
// range. The caller then replays the batches from t.end to end. A snapshot that can't be read is
// removed, with a line in the log, and an older one taken.
func (t *producerTable) load(
	fsys vfs.FS, dir string, start, end record.Offset, nowMs int64, logger *slog.Logger,
) error {
	var outside []record.Offset
	for _, snapshot := range t.snapshots {
		if snapshot > end || snapshot <= start {
			outside = append(outside, snapshot)
		}
	}
	if err := t.removeSnapshots(fsys, dir, outside); err != nil {
		return err
	}
	t.clear()
	for len(t.snapshots) > 0 {
		newest := t.snapshots[len(t.snapshots)-1]
		err := t.loadSnapshot(fsys, filepath.Join(dir, snapshotName(newest)), nowMs)
		if err == nil {
			t.end, t.snapshotEnd = newest, newest
			return nil
		}
		if !errors.Is(err, errCorruptSnapshot) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		logger.Warn("removing an unreadable producer snapshot", "dir", dir, "offset", newest, "error", err)
		if err := t.removeSnapshots(fsys, dir, []record.Offset{newest}); err != nil {
			return err
		}
	}
	t.end, t.snapshotEnd = start, start
	return nil
}

func (t *producerTable) loadSnapshot(fsys vfs.FS, name string, nowMs int64) error {
	buf, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("read producer snapshot: %w", err)
	}
	entries, err := decodeSnapshot(buf)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for i := range entries {
		entry := &entries[i]
		if t.isExpired(entry, nowMs) {
			continue
		}
		t.put(entry)
		if entry.txnStart >= 0 {
			t.open = insertTxn(t.open, openTxn{producer: entry.id, first: entry.txnStart, last: -1})
		}
	}
	return nil
}

// takeSnapshot writes the table to a file, unless the newest snapshot reflects as much already. It is
// taken when a segment is rolled and at a clean stop; with sync it survives a crash of the machine.
func (t *producerTable) takeSnapshot(fsys vfs.FS, dir string, sync bool) error {
	if t.end <= t.snapshotEnd {
		return nil
	}
	name := filepath.Join(dir, snapshotName(t.end))
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("take producer snapshot: %w", err)
	}
	_, err = f.WriteAt(encodeSnapshot(t.producers), 0)
	if err == nil && sync {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("take producer snapshot %s: %w", name, err)
	}
	t.snapshotEnd = t.end
	if !slices.Contains(t.snapshots, t.end) {
		t.snapshots = append(t.snapshots, t.end)
	}
	return nil
}

// onStart follows the log's start when retention or DeleteRecords moves it up.
func (t *producerTable) onStart(start record.Offset) {
	t.onHighWatermark(start)
	t.end = max(t.end, start)
	if n := len(t.snapshots); n > 0 {
		t.snapshotEnd = t.snapshots[n-1]
	} else {
		t.snapshotEnd = start
	}
}

// truncateFully forgets everything, snapshots included: the log begins anew at start.
func (t *producerTable) truncateFully(fsys vfs.FS, dir string, start record.Offset) error {
	t.clear()
	t.end, t.snapshotEnd = start, 0
	return t.removeSnapshots(fsys, dir, slices.Clone(t.snapshots))
}

// snapshotAfter tells whether a snapshot reflects more of the log than there is before an offset.
func (t *producerTable) snapshotAfter(o record.Offset) bool {
	n := len(t.snapshots)
	return n > 0 && t.snapshots[n-1] > o
}

// deleteSnapshotsBefore removes the snapshots that no segment needs any more.
func (t *producerTable) deleteSnapshotsBefore(fsys vfs.FS, dir string, start record.Offset) error {
	n, _ := slices.BinarySearch(t.snapshots, start)
	return t.removeSnapshots(fsys, dir, slices.Clone(t.snapshots[:n]))
}

// removeSnapshots removes snapshot files; those that are gone already are no error.
func (t *producerTable) removeSnapshots(fsys vfs.FS, dir string, ends []record.Offset) error {
	for _, end := range ends {
		err := fsys.Remove(filepath.Join(dir, snapshotName(end)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove producer snapshot: %w", err)
		}
		t.snapshots = slices.DeleteFunc(t.snapshots, func(s record.Offset) bool { return s == end })
	}
	return nil
}

func (t *producerTable) clear() {
	t.producers, t.open, t.unreplicated = nil, nil, nil
}
