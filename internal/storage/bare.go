package storage

import (
	"barnabas/internal/record"
)

// A log without files.
//
// Of what a new partition costs, most is the making of its files, and many partitions see their first record late or never. So
// a log that begins at 0 is bare at first: a directory, and nothing in it. The directory can't wait, for in-sync sets name
// stores: a broker that was killed before the first record has to find the log where it was. The first append makes the
// files, under the log's mutex, and where that fails the log directory goes offline, as it would have when the log was created.
//
//   - partition.metadata is made before the .log. A log that has a .log and no partition.metadata has lost it in a crash, as ever;
//     one that has no .log is bare again, and writes the other anew.
//   - A bare log that an inventory does not describe does not know its topic after a start. It holds nothing, so it is as good
//     for a topic that was made again under the name: it takes the id of the one that is there (Claim).
//   - A sync of a bare log is one of its directory's name. Files made beside it have theirs synced by the next one.
//   - A log that begins elsewhere has its files at once, since their names tell where; and so has a future one.

// mayBeBare tells whether a log that begins at an offset may do without files as long as it is empty.
func (l *Log) mayBeBare(start record.Offset) bool { return start == 0 && !l.IsNamedFuture() }

// isBare tells whether a log's directory has nothing that tells of records.
func (found *listing) isBare() bool {
	for _, name := range found.names {
		if name != partitionMetadataName {
			return false
		}
	}
	return true
}

// beginBare makes a log one without files. Nobody else knows it yet, or the caller holds mu.
func (l *Log) beginBare() error {
	s := newSegment(l, 0)
	s.maxLoaded = true
	l.bare, l.unwritten, l.unnamed, l.unsynced = true, false, false, true
	l.epochs.Store(new(leaderEpochs))
	l.setList([]*segment{s})
	for _, offset := range []interface{ Store(int64) }{&l.end, &l.start, &l.highWatermark, &l.recoveryPoint, &l.synced} {
		offset.Store(0)
	}
	return l.producers.truncateFully(l.store.fs, l.path(), 0)
}

// makeFiles gives a log its files, if it has none. After an error it is bare still, and its directory is to go offline. The
// caller holds mu.
func (l *Log) makeFiles() error {
	if !l.bare {
		return nil
	}
	if err := l.writeTopicID(l.TopicID(), true); err != nil {
		return err
	}
	l.unsynced = true
	if err := l.active().createFiles(); err != nil {
		return err
	}
	l.bare = false
	l.store.flusher.addNew(l)
	return nil
}

// IsBare tells whether the log has no files yet, and never had a record.
func (l *Log) IsBare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bare
}
