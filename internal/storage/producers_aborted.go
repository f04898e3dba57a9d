package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// abortedTxn is an entry of a segment's transaction index, in Kafka's format: a transaction that was
// aborted by a marker in that segment.
type abortedTxn struct {
	Producer         record.ProducerID
	FirstOffset      record.Offset // of the transaction, perhaps in an earlier segment
	LastOffset       record.Offset // of the marker
	LastStableOffset record.Offset // when the marker was written
}

const (
	abortedTxnVersion = 0
	abortedTxnSize    = 34
)

func (t *abortedTxn) append(buf []byte) []byte {
	buf = binary.BigEndian.AppendUint16(buf, abortedTxnVersion)
	buf = binary.BigEndian.AppendUint64(buf, uint64(t.Producer))
	buf = binary.BigEndian.AppendUint64(buf, uint64(t.FirstOffset))
	buf = binary.BigEndian.AppendUint64(buf, uint64(t.LastOffset))
	return binary.BigEndian.AppendUint64(buf, uint64(t.LastStableOffset))
}

// readAbortedTxns reads a transaction index; one that is missing is empty. An entry that was cut short
// ends it: its marker was cut off too.
func readAbortedTxns(fsys vfs.FS, path string) ([]abortedTxn, error) {
	data, err := vfs.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read transaction index: %w", err)
	}
	var txns []abortedTxn
	for ; len(data) >= abortedTxnSize; data = data[abortedTxnSize:] {
		if version := binary.BigEndian.Uint16(data); version != abortedTxnVersion {
			return nil, fmt.Errorf("%s: version %d: %w", path, version, errMalformed)
		}
		txns = append(txns, abortedTxn{
			Producer:         record.ProducerID(binary.BigEndian.Uint64(data[2:])),
			FirstOffset:      record.Offset(binary.BigEndian.Uint64(data[10:])),
			LastOffset:       record.Offset(binary.BigEndian.Uint64(data[18:])),
			LastStableOffset: record.Offset(binary.BigEndian.Uint64(data[26:])),
		})
	}
	return txns, nil
}
