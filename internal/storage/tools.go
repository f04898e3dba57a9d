package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// What tools need that look at the files of a log while no store has it open: the entries of indexes
// and snapshots as they stand, and meta.properties.

// ErrCorruptIndex says that an index would be rebuilt at a start.
var ErrCorruptIndex = errors.New("corrupt index found")

// OffsetIndexEntry says at which position of the segment's file the batch begins whose last offset
// is given.
type OffsetIndexEntry struct {
	Offset   record.Offset
	Position int32
}

// ReadOffsetIndex reads an offset index, whose segment begins at base. Zeroes that Kafka allocates
// ahead end it.
func ReadOffsetIndex(fsys vfs.FS, path string, base record.Offset) ([]OffsetIndexEntry, error) {
	data, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("read offset index: %w", err)
	}
	var entries []OffsetIndexEntry
	for ; len(data) >= offsetEntrySize; data = data[offsetEntrySize:] {
		relative := int32(binary.BigEndian.Uint32(data))
		if relative == 0 && len(entries) > 0 {
			break
		}
		entries = append(entries, OffsetIndexEntry{
			Offset: base + record.Offset(relative), Position: int32(binary.BigEndian.Uint32(data[4:])),
		})
	}
	return entries, nil
}

// TimeIndexEntry says that no timestamp up to an offset is larger.
type TimeIndexEntry struct {
	Timestamp int64
	Offset    record.Offset
}

// ReadTimeIndex reads a time index, whose segment begins at base. Zeroes that Kafka allocates ahead
// end it.
func ReadTimeIndex(fsys vfs.FS, path string, base record.Offset) ([]TimeIndexEntry, error) {
	data, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("read time index: %w", err)
	}
	var entries []TimeIndexEntry
	for ; len(data) >= timeEntrySize; data = data[timeEntrySize:] {
		relative := int32(binary.BigEndian.Uint32(data[8:]))
		if relative == 0 && len(entries) > 0 {
			break
		}
		entries = append(entries, TimeIndexEntry{
			Timestamp: int64(binary.BigEndian.Uint64(data)), Offset: base + record.Offset(relative),
		})
	}
	return entries, nil
}

// CheckOffsetIndex is the check by which a start decides whether an offset index must be rebuilt.
// Errors wrap ErrCorruptIndex.
func CheckOffsetIndex(fsys vfs.FS, path string, base record.Offset) error {
	entries, err := ReadOffsetIndex(fsys, path, base)
	if err != nil {
		return err
	}
	if err := checkIndexSize(fsys, path, offsetEntrySize); err != nil {
		return err
	}
	if n := len(entries); n > 0 && entries[n-1].Offset < base {
		return fmt.Errorf("%w, index file (%s) has non-zero size but the last offset is %d which is less than the base offset %d",
			ErrCorruptIndex, path, entries[n-1].Offset, base)
	}
	return nil
}

// CheckTimeIndex is CheckOffsetIndex for a time index.
func CheckTimeIndex(fsys vfs.FS, path string, base record.Offset) error {
	entries, err := ReadTimeIndex(fsys, path, base)
	if err != nil {
		return err
	}
	if n := len(entries); n > 0 {
		switch first, last := entries[0], entries[n-1]; {
		case last.Timestamp < first.Timestamp:
			return fmt.Errorf("%w, time index file (%s) has non-zero size but the last timestamp is %d which is less than the first timestamp %d",
				ErrCorruptIndex, path, last.Timestamp, first.Timestamp)
		case last.Offset < base:
			return fmt.Errorf("%w, time index file (%s) has non-zero size but the last offset is %d which is less than the first offset %d",
				ErrCorruptIndex, path, last.Offset, base)
		}
	}
	return checkIndexSize(fsys, path, timeEntrySize)
}

func checkIndexSize(fsys vfs.FS, path string, entry int64) error {
	info, err := fsys.Stat(path)
	if err != nil {
		return err
	}
	if info.Size()%entry != 0 {
		return fmt.Errorf("%w: file %s is corrupt, found %d bytes which is neither positive nor a multiple of %d",
			ErrCorruptIndex, path, info.Size(), entry)
	}
	return nil
}

// AbortedTransaction is an entry of a segment's transaction index: a transaction that was aborted by
// a marker in that segment.
type AbortedTransaction = abortedTxn

// ReadTransactionIndex reads a segment's transaction index; one that is missing is empty.
func ReadTransactionIndex(fsys vfs.FS, path string) ([]AbortedTransaction, error) {
	return readAbortedTxns(fsys, path)
}

// ProducerSnapshotEntry is what a snapshot knows of one producer.
type ProducerSnapshotEntry struct {
	ProducerState
	// HasBatch says that the producer has written; the fields below are of its last batch.
	HasBatch      bool
	FirstSequence record.Sequence
	LastOffset    record.Offset
	OffsetDelta   int32
}

// ReadProducerSnapshot reads a producer snapshot.
func ReadProducerSnapshot(fsys vfs.FS, path string) ([]ProducerSnapshotEntry, error) {
	data, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("read producer snapshot: %w", err)
	}
	decoded, err := decodeSnapshot(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entries := make([]ProducerSnapshotEntry, len(decoded))
	for i := range decoded {
		e := &decoded[i]
		entries[i] = ProducerSnapshotEntry{
			ProducerState: ProducerState{
				ID: e.id, Epoch: e.epoch, LastSequence: e.lastSequence(), LastTimestamp: e.lastTimestampMs,
				CoordinatorEpoch: e.coordinatorEpoch, TxnStart: e.txnStart,
			},
			HasBatch: e.lastOffset() >= 0, LastOffset: e.lastOffset(), OffsetDelta: e.lastDelta(),
			FirstSequence: e.lastSequence().Add(-e.lastDelta()),
		}
	}
	return entries, nil
}

// MetaProperties is a log directory's meta.properties: who it belongs to.
type MetaProperties struct {
	ClusterID ident.ClusterID // zero if it says none
	BrokerID  ident.BrokerID  // ident.NoBroker if it says none
	StoreID   ident.StoreID   // zero in a directory of an old Kafka
}

// ReadMetaProperties reads a log directory's file. exists is false if there is none.
func ReadMetaProperties(fsys vfs.FS, dir string) (m MetaProperties, exists bool, err error) {
	read, exists, err := readMetaProperties(fsys, dir)
	return MetaProperties{ClusterID: read.cluster, BrokerID: read.broker, StoreID: read.directory}, exists, err
}

// WriteMetaProperties makes a log directory, if need be, and writes its file.
func WriteMetaProperties(fsys vfs.FS, dir string, m MetaProperties) error {
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	written := metaProperties{cluster: m.ClusterID, broker: m.BrokerID, directory: m.StoreID}
	return written.write(fsys, dir)
}
