package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// checkpointKind is one of the offsets that a directory keeps on disk for all of its logs.
type checkpointKind uint8

const (
	recoveryPoints checkpointKind = iota
	startOffsets
	highWatermarks
	writtenOffsets
	checkpointKinds
)

var checkpointNames = [checkpointKinds]string{
	recoveryPoints: recoveryPointName,
	startOffsets:   startOffsetName,
	highWatermarks: highWatermarkName,
	writtenOffsets: writtenOffsetName,
}

// checkpointed is the offset that a checkpoint file should hold for a log; ok is false if it need
// not be there.
func (l *Log) checkpointed(kind checkpointKind) (offset int64, ok bool) {
	switch certain := l.certain.Load(); kind {
	case recoveryPoints:
		// Below, not at: recovery has to look into the segment that was cut, whose cut may be undone.
		return min(l.recoveryPoint.Load(), max(0, certain-1)), true
	case startOffsets:
		start := l.start.Load() // what the leader has deleted stays so, whatever comes back
		return start, start > 0
	case highWatermarks:
		return min(l.highWatermark.Load(), certain), true
	default:
		return min(l.end.Load(), certain), true
	}
}

// readCheckpoints reads the checkpoint files. One that is damaged is as good as missing: more is
// scanned then.
func (d *Directory) readCheckpoints() (read [checkpointKinds]offsetCheckpoint, err error) {
	for kind, name := range checkpointNames {
		c, err := readOffsetCheckpoint(d.store.fs, filepath.Join(d.path, name))
		if errors.Is(err, errMalformed) {
			d.store.logger.Warn("ignoring a damaged checkpoint", "dir", d.path, "error", err)
			c, err = offsetCheckpoint{}, nil
		}
		if err != nil {
			return read, err
		}
		read[kind] = c
	}
	return read, nil
}

// markedBoot tells whether the file of written offsets is of the machine's boot that is now.
func (d *Directory) markedBoot(written offsetCheckpoint) bool {
	_, same := written[bootMark(d.store.boot)]
	return same && !d.store.boot.IsZero()
}

// markBoot writes the file of written offsets with the mark of the machine's boot, whether or not the offsets
// have changed.
func (d *Directory) markBoot() error {
	logs := d.lockLogs()
	defer d.mu.Unlock()
	return d.saveCheckpoint(writtenOffsets, logs)
}

// readCleaned reads how far logs were compacted. A damaged file tells nothing.
func (d *Directory) readCleaned() (offsetCheckpoint, error) {
	c, err := readOffsetCheckpoint(d.store.fs, filepath.Join(d.path, cleanerOffsetName))
	if errors.Is(err, errMalformed) {
		return offsetCheckpoint{}, nil
	}
	return c, err
}

// bootMark stands in the file of written offsets for the boot of the machine in which it was
// written: after another, what was written and not synced may be gone.
func bootMark(boot ident.BootID) ident.TopicPartition {
	return ident.TopicPartition{Topic: boot.String(), Partition: -1}
}

// forget notes that the checkpoint files speak of a log that is no more.
func (d *Directory) forget(tp ident.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stale == nil {
		d.stale = make(map[ident.TopicPartition]struct{})
	}
	d.stale[tp] = struct{}{}
	d.forgotten++
}

// lockLogs takes mu, and returns the logs of the directory: no log that was forgotten before is among them. The caller
// unlocks it.
func (d *Directory) lockLogs() []*Log {
	for {
		d.mu.Lock()
		before := d.forgotten
		d.mu.Unlock()
		logs := d.all()
		d.mu.Lock()
		if d.forgotten == before {
			return logs
		}
		d.mu.Unlock()
	}
}

// remembers tells whether the checkpoint files speak of an earlier log of the partition.
func (d *Directory) remembers(tp ident.TopicPartition) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.stale[tp]
	return ok
}

// savedStart is what the file of start offsets says of a log, negative for nothing.
func (d *Directory) savedStart(l *Log) record.Offset {
	d.mu.Lock()
	defer d.mu.Unlock()
	return record.Offset(l.saved[startOffsets])
}

// checkpoint writes a checkpoint file if it would say anything new.
func (d *Directory) checkpoint(kind checkpointKind) error {
	if d.Err() != nil || !d.opened() {
		return nil
	}
	logs := d.lockLogs()
	defer d.mu.Unlock()
	changed := len(d.stale) > 0
	for _, l := range logs {
		offset, ok := l.checkpointed(kind)
		if !ok {
			offset = -1
		}
		changed = changed || l.saved[kind] != offset
	}
	if !changed {
		return nil
	}
	return d.saveCheckpoint(kind, logs)
}

// distrust writes those of the checkpoint files that say more of a log, one of some, than is certain now: they would make
// recovery trust bytes which the log cuts off, or show what takes their place.
func (d *Directory) distrust(logs ...*Log) error {
	for _, kind := range []checkpointKind{recoveryPoints, highWatermarks, writtenOffsets} {
		if !d.overstates(kind, logs) {
			continue
		}
		if err := d.checkpoint(kind); err != nil {
			return err
		}
	}
	return nil
}

// overstates tells whether a checkpoint file says, or may say, too much of one of the logs.
func (d *Directory) overstates(kind checkpointKind, logs []*Log) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(logs, func(l *Log) bool {
		certain, _ := l.checkpointed(kind)
		return l.saved[kind] == unknownOffset || l.saved[kind] > certain
	})
}

// correct writes the checkpoint files that say more of a log than there is of it, for a crash has taken its end. They
// would count again as soon as it is longer.
func (d *Directory) correct(files [checkpointKinds]offsetCheckpoint) error {
	logs := d.lockLogs()
	defer d.mu.Unlock()
	for _, kind := range []checkpointKind{recoveryPoints, highWatermarks} {
		overstated := slices.ContainsFunc(logs, func(l *Log) bool {
			offset := &l.recoveryPoint
			if kind == highWatermarks {
				offset = &l.highWatermark
			}
			return int64(files[kind][l.tp]) > offset.Load()
		})
		if !overstated {
			continue
		}
		if err := d.saveCheckpoint(kind, logs); err != nil {
			return err
		}
	}
	return nil
}

// checkpointAll writes all checkpoint files.
func (d *Directory) checkpointAll() error {
	if d.Err() != nil || !d.opened() {
		return nil
	}
	logs := d.lockLogs()
	defer d.mu.Unlock()
	for kind := range checkpointKinds {
		if err := d.saveCheckpoint(kind, logs); err != nil {
			return err
		}
	}
	d.stale = nil
	return nil
}

// saveCheckpoint replaces one of the checkpoint files. The caller holds mu.
func (d *Directory) saveCheckpoint(kind checkpointKind, logs []*Log) error {
	c := make(offsetCheckpoint, len(logs)+1)
	for _, l := range logs {
		if offset, ok := l.checkpointed(kind); ok {
			c[l.tp] = record.Offset(offset)
		}
	}
	var err error
	if kind == writtenOffsets {
		// This file is only believed until the machine starts anew: it need not be synced.
		if !d.torn.Load() {
			c[bootMark(d.store.boot)] = 0
		}
		err = vfs.ReplaceFile(d.store.fs, filepath.Join(d.path, checkpointNames[kind]), c.encode())
	} else {
		err = d.writeCheckpoint(checkpointNames[kind], c)
	}
	if err != nil {
		for _, l := range logs {
			l.saved[kind] = unknownOffset
		}
		return d.fail(fmt.Errorf("write checkpoint: %w", err))
	}
	for _, l := range logs {
		l.saved[kind] = -1
		if offset, ok := c[l.tp]; ok {
			l.saved[kind] = int64(offset)
		}
	}
	return nil
}
