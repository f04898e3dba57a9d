package cli

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// sibling is another file of the same segment.
func sibling(path, suffix string) string {
	at := strings.LastIndexByte(path, '/') + 1
	digits, _, _ := strings.Cut(path[at:], ".")
	return path[:at] + digits + suffix
}

// openLog opens the log that an index belongs to.
func (d *dump) openLog(index string) (*batchWalk, error) {
	file, err := d.fs.Open(sibling(index, ".log"))
	if err != nil {
		return nil, fmt.Errorf("the index's log: %w", err)
	}
	size, err := file.Size()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &batchWalk{file: file, end: size}, nil
}

// offsetIndex shows the entries of an offset index and compares them with the log.
func (d *dump) offsetIndex(path string, base record.Offset) error {
	log, err := d.openLog(path)
	if err != nil {
		return err
	}
	defer log.file.Close()
	entries, err := storage.ReadOffsetIndex(d.fs, path, base)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		fmt.Fprintf(d.out, "%s is empty.\n", path)
		return nil
	}
	if d.sanityOnly {
		return d.passed(path, storage.CheckOffsetIndex(d.fs, path, base))
	}
	for _, e := range entries {
		log.pos = int64(e.Position)
		b, err := log.next()
		if err != nil {
			return noBatchAt(log.pos, err)
		}
		if b.LastOffset() != e.Offset {
			d.mismatches.add(path, int64(e.Offset), int64(b.LastOffset()))
		}
		if !d.verifyOnly {
			fmt.Fprintf(d.out, "offset: %d position: %d\n", e.Offset, e.Position)
		}
	}
	return nil
}

func noBatchAt(position int64, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the index points to position %d, where the log has no batch", position)
	}
	return err
}

func (d *dump) passed(path string, err error) error {
	if err == nil {
		fmt.Fprintf(d.out, "%s passed sanity check.\n", path)
	}
	return err
}

// timeIndex shows the entries of a time index and compares them with the log.
func (d *dump) timeIndex(path string, base record.Offset) error {
	log, err := d.openLog(path)
	if err != nil {
		return err
	}
	defer log.file.Close()
	positions, err := storage.ReadOffsetIndex(d.fs, sibling(path, ".index"), base)
	if err != nil {
		return err
	}
	if d.sanityOnly {
		return d.passed(path, storage.CheckTimeIndex(d.fs, path, base))
	}
	entries, err := storage.ReadTimeIndex(d.fs, path, base)
	if err != nil {
		return err
	}
	previous := record.NoTimestamp
	for _, e := range entries {
		log.pos = positionOf(positions, e.Offset)
		if err := d.checkTime(path, log, e, previous); err != nil {
			return err
		}
		if !d.verifyOnly {
			fmt.Fprintf(d.out, "timestamp: %d offset: %d\n", e.Timestamp, e.Offset)
		}
		previous = e.Timestamp
	}
	return nil
}

// positionOf is where to look for an offset: at the last entry that is not beyond it.
func positionOf(entries []storage.OffsetIndexEntry, offset record.Offset) int64 {
	n := sort.Search(len(entries), func(i int) bool { return entries[i].Offset > offset })
	if n == 0 {
		return 0
	}
	return int64(entries[n-1].Position)
}

// checkTime finds the batch that ends with the entry's offset and compares its largest timestamp.
func (d *dump) checkTime(path string, log *batchWalk, e storage.TimeIndexEntry, previous int64) error {
	for {
		b, err := log.next()
		if errors.Is(err, io.EOF) {
			d.offsetsWanted.add(path, int64(e.Offset), -1)
			return nil
		}
		if err != nil {
			return err
		}
		if b.LastOffset() < e.Offset {
			continue
		}
		if b.LastOffset() != e.Offset {
			d.offsetsWanted.add(path, int64(e.Offset), int64(b.LastOffset()))
			return nil
		}
		largest, err := d.largestTimestamp(b)
		if err != nil {
			return err
		}
		if largest != e.Timestamp {
			d.timestamps.add(path, e.Timestamp, largest)
		}
		if previous >= e.Timestamp {
			d.disorder.add(path, e.Timestamp, previous)
		}
		return nil
	}
}

func (d *dump) largestTimestamp(b record.Batch) (int64, error) {
	largest := record.NoTimestamp
	var r record.Reader
	r.Reset(b, &d.decompressor)
	defer r.Close()
	for r.Next() {
		largest = max(largest, r.Record().Timestamp)
	}
	return largest, r.Err()
}
