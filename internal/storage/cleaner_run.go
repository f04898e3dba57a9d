package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"barnabas/internal/record"
)

// errCleanerStopped ends a cleaning when the store closes.
var errCleanerStopped = errors.New("cleaner has been stopped")

// errNoProgress says that a log can't be compacted with the memory that is allowed for keys.
var errNoProgress = errors.New("the keys of one batch exceed the dedupe buffer")

// cleaning is the compaction of one log: first the keys of the dirty part are read into a map, then
// all segments from the log's beginning to the end of that part are written anew, group by group,
// without the records that the map knows newer ones for.
type cleaning struct {
	cleaner *cleaner
	candidate
	config LogConfig
	nowMs  int64
	keys   *offsetMap
	buf    []byte // of reads
	out    []byte // of writes
	dropped,
	fresh int // segments
	read, written cleanerCount
}

// run compacts the log and returns the offset up to which it is clean now.
func (c *cleaning) run() (record.Offset, error) {
	c.config = c.log.Config()
	c.nowMs = c.log.store.nowMs()
	settings := &c.cleaner.settings
	c.keys = newOffsetMap(settings.DedupeBufferBytes/int64(settings.Threads), settings.DedupeLoadFactor)
	c.buf = make([]byte, max(settings.IOBufferBytes/settings.Threads/2, minCleanerBuffer))
	if err := c.buildMap(); err != nil {
		return 0, err
	}
	end := c.keys.latest + 1
	if end <= c.firstDirty {
		return 0, fmt.Errorf("%s: %d bytes: %w", c.log, settings.DedupeBufferBytes, errNoProgress)
	}
	txns := newCleanedTxns()
	for _, group := range groupSegments(c.log.sealedBelow(end), &c.config, c.upTo) {
		if err := c.cleanGroup(group, txns); err != nil {
			return 0, err
		}
	}
	return end, nil
}

// minCleanerBuffer is the least that is read at once.
const minCleanerBuffer = 64 << 10

// buildMap reads the keys of the dirty part, or as much of it as the map has room for.
func (c *cleaning) buildMap() error {
	list := c.log.sealedBelow(c.upTo)
	dirty := list[max(0, segmentAt(list, c.firstDirty)):]
	txns := newCleanedTxns()
	aborted, err := c.abortedTxns(dirty)
	if err != nil {
		return err
	}
	txns.add(aborted)
	for i, s := range dirty {
		full, err := c.mapSegment(s, txns)
		if err != nil || full {
			return err
		}
		next := c.upTo
		if i+1 < len(dirty) {
			next = dirty[i+1].base
		}
		c.keys.reach(next - 1)
	}
	return nil
}

func (c *cleaning) mapSegment(s *segment, txns *cleanedTxns) (full bool, err error) {
	var d record.Decompressor
	var r record.Reader
	err = c.eachBatch(s, func(b record.Batch) error {
		drop, err := txns.batch(b)
		if err != nil {
			return err
		}
		if !drop && !b.IsControl() && b.LastOffset() >= c.firstDirty {
			r.Reset(b, &d)
			defer r.Close()
			for r.Next() {
				rec := r.Record()
				if rec.Key != nil && rec.Offset >= c.firstDirty && !c.keys.put(rec.Key, rec.Offset) {
					full = true
					return errStopWalk
				}
			}
			if r.Err() != nil {
				return r.Err()
			}
		}
		if b.LastOffset() >= c.firstDirty {
			c.keys.reach(b.LastOffset())
		}
		return nil
	})
	return full, err
}

// errStopWalk ends eachBatch early.
var errStopWalk = errors.New("stop")

// eachBatch calls do with every batch of a sealed segment; the batch is valid until do returns.
func (c *cleaning) eachBatch(s *segment, do func(record.Batch) error) error {
	h, err := s.records.pin()
	if err != nil {
		return err
	}
	defer h.unpin()
	for pos, end := int64(0), s.size.Load(); pos < end; {
		if err := c.mayGoOn(); err != nil {
			return err
		}
		window := c.buf[:min(int64(len(c.buf)), end-pos)]
		if err := readFull(h, window, pos); err != nil {
			return fmt.Errorf("segment %d at %d: %w", s.base, pos, err)
		}
		used, err := eachWhole(window, do)
		if err != nil {
			if errors.Is(err, errStopWalk) {
				return nil
			}
			return fmt.Errorf("segment %d at %d: %w", s.base, pos+int64(used), err)
		}
		c.cleaner.throttle(used)
		pos += int64(used)
		if used == 0 {
			if err := c.growBuffer(window, end-pos); err != nil {
				return fmt.Errorf("segment %d at %d: %w", s.base, pos, err)
			}
		}
	}
	return nil
}

// eachWhole calls do with the batches that are whole, and returns how many bytes they take up.
func eachWhole(window []byte, do func(record.Batch) error) (used int, err error) {
	for rest := window; len(rest) > 0; {
		b, after, err := record.Next(rest)
		if errors.Is(err, record.ErrShort) {
			return used, nil
		}
		if err == nil {
			err = b.Check(record.StoredLimits)
		}
		if err == nil {
			err = do(b)
		}
		if err != nil {
			return used, err
		}
		used, rest = used+len(b), after
	}
	return used, nil
}

// growBuffer makes room for a batch that is larger than the buffer.
func (c *cleaning) growBuffer(window []byte, left int64) error {
	size, err := record.PeekSize(window)
	if err != nil || int64(size) > left {
		return fmt.Errorf("a batch of %d bytes, %d are left: %w", size, left, record.ErrCorrupt)
	}
	c.buf = make([]byte, size)
	return nil
}

func (c *cleaning) mayGoOn() error {
	if c.cleaner.stopping() {
		return errCleanerStopped
	}
	return c.log.usable()
}

// abortedTxns reads the transaction indexes of segments.
func (c *cleaning) abortedTxns(segments []*segment) ([]abortedTxn, error) {
	var txns []abortedTxn
	for _, s := range segments {
		found, err := readAbortedTxns(c.log.store.fs, s.pathOf(txnIndexFile))
		if err != nil {
			return nil, err
		}
		txns = append(txns, found...)
	}
	return txns, nil
}

// cleanGroup writes one new segment in the place of some old ones.
func (c *cleaning) cleanGroup(group []*segment, txns *cleanedTxns) error {
	fresh, err := c.createCleaned(group[0].base)
	if err != nil {
		return err
	}
	if err := c.fill(fresh, group, txns); err != nil {
		return errors.Join(err, fresh.remove())
	}
	modified := c.modified(group)
	if err := c.log.store.fs.Chtimes(fresh.pathOf(recordsFile), modified); err != nil {
		return errors.Join(err, fresh.remove())
	}
	replacement := replacement{log: c.log, old: group, fresh: fresh, truncations: c.truncations}
	if err := replacement.replace(); err != nil {
		if errors.Is(err, errSegmentsChanged) {
			err = errors.Join(err, fresh.remove())
		}
		return err
	}
	c.dropped += len(group)
	c.fresh++
	return c.log.forgetSnapshots(group[1:])
}

// createCleaned makes the files of a segment that is nobody's yet: what a crash leaves of it is removed.
func (c *cleaning) createCleaned(base record.Offset) (*segment, error) {
	s := newSegment(c.log, base)
	mark := cleanedMark
	s.mark.Store(&mark)
	s.maxLoaded = true
	for _, f := range s.files() {
		h, err := f.create()
		if err != nil {
			return nil, fmt.Errorf("create cleaned segment %d: %w", base, err)
		}
		h.unpin()
	}
	return s, nil
}

// modified is when the youngest of some segments was written; a segment without timestamps is as old
// as its file.
func (c *cleaning) modified(group []*segment) time.Time {
	var latest time.Time
	for _, s := range group {
		if info, err := c.log.store.fs.Stat(s.pathOf(recordsFile)); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}

// fill writes what is to stay of the old segments into the new one.
func (c *cleaning) fill(fresh *segment, group []*segment, txns *cleanedTxns) error {
	aborted, err := c.abortedTxns(group)
	if err != nil {
		return err
	}
	txns.add(aborted)
	filter := cleanerFilter{
		keys:        c.keys,
		txns:        txns,
		lastRecords: c.log.lastRecords(),
		nowMs:       c.nowMs,
		retentionMs: c.config.DeleteRetentionMs,
		upTo:        c.endOf(group),
	}
	for _, s := range group {
		err := c.eachBatch(s, func(b record.Batch) (err error) {
			if c.out, err = filter.filter(c.out, b); err != nil || len(c.out) < len(c.buf) {
				return err
			}
			return c.flush(fresh)
		})
		if err == nil {
			err = c.flush(fresh)
		}
		if err != nil {
			return err
		}
	}
	c.read.add(int(filter.read.Records), int(filter.read.Bytes))
	c.written.add(int(filter.written.Records), int(filter.written.Bytes))
	if err := c.writeAborted(fresh, txns); err != nil {
		return err
	}
	return fresh.flushIndexes()
}

func (c *cleaning) flush(fresh *segment) error {
	if len(c.out) == 0 {
		return nil
	}
	if fresh.size.Load()+int64(len(c.out)) > math.MaxInt32 {
		return fmt.Errorf("cleaned segment %d exceeds %d bytes: %w", fresh.base, math.MaxInt32, record.ErrTooLarge)
	}
	if err := fresh.write(c.out, c.config.IndexIntervalBytes); err != nil {
		return err
	}
	c.cleaner.throttle(len(c.out))
	c.out = c.out[:0]
	return nil
}

// endOf is where the segment begins that follows a group.
func (c *cleaning) endOf(group []*segment) record.Offset {
	list := c.log.list()
	if i := segmentAt(list, group[len(group)-1].base); i >= 0 && i+1 < len(list) {
		return list[i+1].base
	}
	return c.upTo
}

// writeAborted gives the new segment its transaction index, if it needs one.
func (c *cleaning) writeAborted(fresh *segment, txns *cleanedTxns) error {
	if len(txns.kept) == 0 {
		return nil
	}
	var buf []byte
	for i := range txns.kept {
		buf = txns.kept[i].append(buf)
	}
	txns.kept = nil
	f, err := c.log.store.fs.Create(fresh.pathOf(txnIndexFile))
	if err != nil {
		return err
	}
	_, err = f.WriteAt(buf, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// lastRecords is where the producers' sequences must stay readable.
func (l *Log) lastRecords() map[record.ProducerID]lastRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producers.lastRecords()
}

// forgetSnapshots removes the producer snapshots of segments that are gone.
func (l *Log) forgetSnapshots(gone []*segment) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := make([]record.Offset, 0, len(gone))
	for _, s := range gone {
		ends = append(ends, s.base)
	}
	err := l.producers.removeSnapshots(l.store.fs, l.path(), ends)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
