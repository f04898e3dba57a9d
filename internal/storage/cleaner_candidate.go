package storage

import (
	"math"
	"slices"

	"barnabas/internal/record"
)

// candidate is a log that could be compacted, and how much there is to gain.
type candidate struct {
	log *Log
	// Records in [firstDirty, upTo) may hold newer values of keys: upTo is where a segment begins.
	firstDirty, upTo       record.Offset
	cleanBytes, dirtyBytes int64
	// overdue tells that max.compaction.lag.ms has passed for the oldest dirty records.
	overdue     bool
	truncations int64 // the log's
}

// ratio is the dirty part of the bytes that would be read.
func (c *candidate) ratio() float64 {
	total := c.cleanBytes + c.dirtyBytes
	if total == 0 {
		return 0
	}
	return float64(c.dirtyBytes) / float64(total)
}

func (c *candidate) wanted(config *LogConfig) bool {
	if c.dirtyBytes == 0 {
		return false
	}
	return c.overdue || c.ratio() > config.MinCleanableDirtyRatio
}

// consider works out what there is to compact in a log that is clean up to an offset (-1 for never
// cleaned). ok is false if there is nothing. It takes the log's mutex.
func (l *Log) consider(cleanTo record.Offset, nowMs int64) (c candidate, ok bool, err error) {
	if len(l.list()) < 2 || l.usable() != nil {
		return c, false, nil
	}
	// What replaces an older record must itself survive a crash.
	stable := min(l.LastStableOffset(), record.Offset(l.recoveryPoint.Load()))
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list()
	sealed, config := list[:len(list)-1], l.config.Load()
	c.log, c.truncations = l, l.truncations.Load()
	c.firstDirty = max(cleanTo, l.StartOffset())
	if c.firstDirty > l.EndOffset() {
		c.firstDirty = l.StartOffset()
	}
	newestMs := nowMs - max(config.MinCompactionLagMs, 0)
	if c.upTo, err = cleanableEnd(list, c.firstDirty, stable, newestMs); err != nil {
		return c, false, l.failed("look for what to compact", err)
	}
	dirtyFrom := max(0, segmentAt(list, min(c.firstDirty, c.upTo)))
	for i, s := range sealed {
		switch {
		case s.base >= c.upTo:
		case i < dirtyFrom:
			c.cleanBytes += s.size.Load()
		default:
			c.dirtyBytes += s.size.Load()
		}
	}
	if c.dirtyBytes == 0 {
		return c, false, nil
	}
	if c.overdue, err = isOverdue(sealed[dirtyFrom:], nowMs, config.MaxCompactionLagMs); err != nil {
		return c, false, l.failed("look for what to compact", err)
	}
	return c, true, nil
}

// cleanableEnd is the base of the first segment that can't be cleaned: the active one, the one that holds
// the last stable offset, or the first dirty one that has records younger than min.compaction.lag.ms.
func cleanableEnd(list []*segment, firstDirty, stable record.Offset, newestMs int64) (record.Offset, error) {
	active := list[len(list)-1].base
	end := min(active, list[max(0, segmentAt(list, stable))].base)
	for i := max(0, segmentAt(list, firstDirty)); list[i].base < end; i++ {
		largest, err := list[i].largestTimestamp()
		if err != nil {
			return 0, err
		}
		if largest > newestMs {
			return list[i].base, nil
		}
	}
	return end, nil
}

// isOverdue tells whether a dirty segment began longer ago than max.compaction.lag.ms.
func isOverdue(dirty []*segment, nowMs, maxLagMs int64) (bool, error) {
	if maxLagMs == math.MaxInt64 {
		return false, nil
	}
	for _, s := range dirty {
		if s.size.Load() == 0 {
			continue
		}
		first, err := s.loadFirstTimestamp()
		if err != nil {
			return false, err
		}
		if first > 0 && first < nowMs-max(maxLagMs, 0) {
			return true, nil
		}
	}
	return false, nil
}

// sealedBelow are the segments that begin below an offset, without the active one.
func (l *Log) sealedBelow(end record.Offset) []*segment {
	list := l.list()
	list = list[:len(list)-1]
	n := max(0, segmentAt(list, end-1)+1)
	return slices.Clone(list[:n])
}

// groupSegments puts neighbours together that fit into one segment after cleaning: even if nothing is
// removed they are no larger than a segment may be, and their offsets fit its index.
func groupSegments(segments []*segment, config *LogConfig, end record.Offset) [][]*segment {
	var groups [][]*segment
	var size int64
	var entries int
	for i, s := range segments {
		next := end
		if i+1 < len(segments) {
			next = segments[i+1].base
		}
		bytes, indexed := s.size.Load(), s.offsets.count()
		if n := len(groups); n > 0 {
			group := groups[n-1]
			if size+bytes <= int64(config.SegmentBytes) &&
				int64(entries+indexed)*timeEntrySize <= int64(config.SegmentIndexBytes) &&
				next-1-group[0].base <= math.MaxInt32 {
				groups[n-1] = append(group, s)
				size, entries = size+bytes, entries+indexed
				continue
			}
		}
		groups = append(groups, []*segment{s})
		size, entries = bytes, indexed
	}
	return groups
}
