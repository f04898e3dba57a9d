package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"barnabas/internal/record"
)

// A snapshot file, in Kafka's format: version int16, CRC-32C uint32 over what follows it, the number
// of entries int32, and the entries.
const (
	snapshotVersion    = 1
	snapshotCRCAt      = 2
	snapshotCountAt    = 6
	snapshotEntriesAt  = 10
	snapshotEntrySize  = 46
	maxSnapshotEntries = 1 << 22
)

var errCorruptSnapshot = errors.New("producer snapshot is corrupt")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeSnapshot writes the producers in the order of their ids, so that equal tables give equal bytes.
func encodeSnapshot(producers map[record.ProducerID]*producerEntry) []byte {
	entries := make([]*producerEntry, 0, len(producers))
	for _, entry := range producers {
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b *producerEntry) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	buf := make([]byte, snapshotEntriesAt, snapshotEntriesAt+len(entries)*snapshotEntrySize)
	binary.BigEndian.PutUint16(buf, snapshotVersion)
	binary.BigEndian.PutUint32(buf[snapshotCountAt:], uint32(len(entries)))
	for _, e := range entries {
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.id))
		buf = binary.BigEndian.AppendUint16(buf, uint16(e.epoch))
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.lastSequence()))
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.lastOffset()))
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.lastDelta()))
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.lastTimestampMs))
		buf = binary.BigEndian.AppendUint32(buf, uint32(e.coordinatorEpoch))
		buf = binary.BigEndian.AppendUint64(buf, uint64(e.txnStart))
	}
	crc := crc32.Checksum(buf[snapshotCountAt:], castagnoli)
	binary.BigEndian.PutUint32(buf[snapshotCRCAt:], crc)
	return buf
}

// decodeSnapshot reads what encodeSnapshot, or Kafka, has written. Its error is errCorruptSnapshot.
func decodeSnapshot(buf []byte) ([]producerEntry, error) {
	if len(buf) < snapshotEntriesAt {
		return nil, fmt.Errorf("%d bytes: %w", len(buf), errCorruptSnapshot)
	}
	if version := binary.BigEndian.Uint16(buf); version != snapshotVersion {
		return nil, fmt.Errorf("version %d: %w", version, errCorruptSnapshot)
	}
	crc := crc32.Checksum(buf[snapshotCountAt:], castagnoli)
	if stored := binary.BigEndian.Uint32(buf[snapshotCRCAt:]); stored != crc {
		return nil, fmt.Errorf("stored CRC %08x, computed %08x: %w", stored, crc, errCorruptSnapshot)
	}
	count := binary.BigEndian.Uint32(buf[snapshotCountAt:])
	if count > maxSnapshotEntries || len(buf) != snapshotEntriesAt+int(count)*snapshotEntrySize {
		return nil, fmt.Errorf("%d entries in %d bytes: %w", count, len(buf), errCorruptSnapshot)
	}
	entries := make([]producerEntry, count)
	for i := range entries {
		entries[i] = decodeSnapshotEntry(buf[snapshotEntriesAt+i*snapshotEntrySize:])
	}
	return entries, nil
}

func decodeSnapshotEntry(buf []byte) producerEntry {
	e := producerEntry{
		id:               record.ProducerID(binary.BigEndian.Uint64(buf)),
		epoch:            record.ProducerEpoch(binary.BigEndian.Uint16(buf[8:])),
		lastTimestampMs:  int64(binary.BigEndian.Uint64(buf[26:])),
		coordinatorEpoch: int32(binary.BigEndian.Uint32(buf[34:])),
		txnStart:         max(-1, record.Offset(binary.BigEndian.Uint64(buf[38:]))),
	}
	sent := sentBatch{
		lastSequence: record.Sequence(binary.BigEndian.Uint32(buf[10:])),
		lastOffset:   record.Offset(binary.BigEndian.Uint64(buf[14:])),
		offsetDelta:  int32(binary.BigEndian.Uint32(buf[22:])),
		timestampMs:  e.lastTimestampMs,
	}
	if sent.lastOffset >= 0 {
		e.remember(sent)
	}
	return e
}
