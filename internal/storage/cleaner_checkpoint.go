package storage

import (
	"path/filepath"
	"sync"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// cleanedOffsets remembers how far each log was compacted, in a file of its directory.
type cleanedOffsets struct {
	mu   sync.Mutex
	dirs map[*Directory]offsetCheckpoint // guarded by mu; a directory's is read when first asked for
}

// get is the offset up to which a log was compacted, -1 if it never was. A file that can't be read counts for
// nothing: compacting again does no harm.
func (c *cleanedOffsets) get(d *Directory, tp ident.TopicPartition) record.Offset {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.of(d)[tp]; ok {
		return o
	}
	return -1
}

// of is a directory's offsets. The caller holds mu.
func (c *cleanedOffsets) of(d *Directory) offsetCheckpoint {
	if known := c.dirs[d]; known != nil {
		return known
	}
	read, err := readOffsetCheckpoint(d.store.fs, filepath.Join(d.path, cleanerOffsetName))
	if err != nil {
		d.store.logger.Warn("cannot read how far logs were compacted, starting over", "dir", d.path, "error", err)
		read = offsetCheckpoint{}
	}
	if c.dirs == nil {
		c.dirs = make(map[*Directory]offsetCheckpoint)
	}
	c.dirs[d] = read
	return read
}

// set notes how far a log was compacted and writes the directory's file, without the logs that are gone.
func (c *cleanedOffsets) set(d *Directory, tp ident.TopicPartition, o record.Offset) error {
	present := make(map[ident.TopicPartition]bool)
	for _, l := range d.Logs() {
		present[l.tp] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	offsets := c.of(d)
	offsets[tp] = o
	for other := range offsets {
		if !present[other] {
			delete(offsets, other)
		}
	}
	return vfs.WriteFileAtomic(d.store.fs, filepath.Join(d.path, cleanerOffsetName), offsets.encode())
}

// lower notes that a log has been cut: what it gets from there on is dirty.
func (c *cleanedOffsets) lower(d *Directory, tp ident.TopicPartition, o record.Offset) error {
	if c.get(d, tp) <= o {
		return nil
	}
	return c.set(d, tp, o)
}
