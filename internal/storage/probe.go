package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"barnabas/internal/record"
)

// probeSize is how much a probe writes: a directory that takes less is no use, and would go offline
// with the next append.
const probeSize = 1 << 20

// probeOffline tries the directories that are offline, and brings back those that work again.
func (s *Store) probeOffline() {
	for _, d := range s.dirs {
		if d.Err() == nil {
			continue
		}
		if err := d.revive(); err != nil {
			s.logger.Debug("log directory is still offline", "dir", d.path, "error", err)
			continue
		}
		s.logger.Info("log directory is online again", "dir", d.path, "logs", len(d.Logs()))
		if s.directoryChanged != nil {
			s.directoryChanged(d, nil)
		}
	}
}

// revive writes something to the directory and, if that goes well, reads its logs anew. Then it is online.
func (d *Directory) revive() error {
	if !d.opened() {
		if err := d.open(); err != nil {
			return err
		}
	}
	if err := d.probe(); err != nil {
		return err
	}
	m, exists, err := readMetaProperties(d.store.fs, d.path)
	if err == nil && (!exists || m.directory != d.ID()) {
		err = errors.New("the directory has lost its identity: another disk?")
	}
	if err != nil {
		return err
	}
	cleaned, err := d.readCleaned()
	if err != nil {
		return err
	}
	for _, l := range d.all() {
		if err := l.reload(cleaned[l.tp]); err != nil {
			return err
		}
	}
	for left := -1; !d.online(&left); {
		if err := d.loadLogs(); err != nil {
			return err
		}
	}
	return nil
}

// online ends the time in which the directory is offline, unless logs were taken out of the store since it was asked last:
// what is in the directory and not in the store would be deleted by nobody, and be taken for the log of the next topic of that
// name. left is how many there were then, negative for the first time.
func (d *Directory) online(left *int) bool {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if *left != d.left {
		*left = d.left
		return false
	}
	d.offline.Store(nil)
	return true
}

// probe writes, syncs and removes a file.
func (d *Directory) probe() error {
	path := filepath.Join(d.path, probeName)
	f, err := d.store.fs.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, probeSize), 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), removeFile(d.store.fs, path))
}

// reload reads a log anew after its directory was offline. What a failed append may have left behind
// the end is cut off first.
func (l *Log) reload(cleaned record.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil
	}
	end, active := l.EndOffset(), l.active()
	for _, s := range l.list() {
		s.retire()
	}
	if err := active.dropTail(); err != nil {
		return fmt.Errorf("reload %s: %w", l, err)
	}
	if l.SyncOnAck() {
		if err := l.rewriteFrom(record.Offset(l.synced.Load())); err != nil {
			return fmt.Errorf("reload %s: %w", l, err)
		}
	}
	l.truncations.Add(1)
	defer l.truncations.Add(1)
	l.boundaries.clear()
	l.unwritten = false // what the file says counts
	err := l.load(loading{
		trusted:       record.Offset(l.recoveryPoint.Load()),
		recoveryPoint: record.Offset(l.recoveryPoint.Load()),
		start:         l.StartOffset(),
		highWatermark: l.HighWatermark(),
		cleaned:       cleaned,
	})
	if err != nil {
		return fmt.Errorf("reload %s: %w", l, err)
	}
	if now := l.EndOffset(); now < end {
		l.store.logger.Error("records were lost while the log directory was offline",
			"partition", l.tp.String(), "from", int64(now), "to", int64(end))
		l.dir.torn.Store(true)
	}
	return nil
}

// rewriteFrom writes again what was not synced when the directory went offline. A page that could not be written counts as clean
// from then on: a sync would say that all is well, and records would be acknowledged that are nowhere. What is read is what
// the page cache still has, or what is on the disk, and recovery judges that. The caller holds mu.
func (l *Log) rewriteFrom(o record.Offset) error {
	list := l.list()
	for _, s := range list[max(0, segmentAt(list, o)):] {
		if err := s.rewriteFrom(o); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write segment %d again: %w", s.base, err)
		}
	}
	return nil
}

// rewriteBytes is how much of a segment is written again at a time.
const rewriteBytes = 256 << 10

func (s *segment) rewriteFrom(o record.Offset) error {
	h, err := s.records.pin()
	if err != nil {
		return err
	}
	defer h.unpin()
	var pos int64
	if o > s.base {
		at, found, err := s.find(o, h)
		if isBadBatch(err) {
			return nil // recovery cuts it off
		}
		if err != nil || !found {
			return err
		}
		pos = at.pos
	}
	for end := s.size.Load(); pos < end; {
		piece := make([]byte, min(rewriteBytes, end-pos))
		n, err := h.ReadAt(piece, pos)
		if n == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if _, err := h.WriteAt(piece[:n], pos); err != nil {
			return err
		}
		pos += int64(n)
	}
	return nil
}

// dropTail cuts off bytes of the file that were never published.
func (s *segment) dropTail() error {
	h, err := s.records.pin()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was to be removed
	}
	if err != nil {
		return err
	}
	defer h.unpin()
	size, err := h.Size()
	if err != nil || size <= s.size.Load() {
		return err
	}
	return errors.Join(h.Truncate(s.size.Load()), h.Sync())
}
