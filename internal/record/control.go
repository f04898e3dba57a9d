package record

import (
	"encoding/binary"
	"fmt"
)

// ControlType is the kind of a control record, from its key.
type ControlType int16

// The control records that partitions of topics hold; Raft's own are not among them.
const (
	ControlAbort  ControlType = 0
	ControlCommit ControlType = 1
)

// Marker is the end of a transaction, as a control batch holds it.
type Marker struct {
	Commit bool
	// CoordinatorEpoch is the leader epoch of the coordinator that wrote the marker.
	CoordinatorEpoch int32
	TimestampMs      int64
}

// ParseMarker reads the transaction marker of a control batch. ok is false for an empty batch, whose
// marker compaction has removed, and for a control record of another kind.
func ParseMarker(b Batch) (marker Marker, ok bool, err error) {
	switch count := b.Count(); {
	case count == 0:
		return Marker{}, false, nil
	case count < 0:
		return Marker{}, false, fmt.Errorf("control batch at offset %d: %d records: %w", b.BaseOffset(), count, ErrCorrupt)
	}
	var r Reader
	r.Reset(b, nil)
	defer r.Close()
	if !r.Next() {
		return Marker{}, false, fmt.Errorf("control batch at offset %d: %w", b.BaseOffset(), r.Err())
	}
	return parseMarker(r.Record())
}

func parseMarker(rec *Record) (marker Marker, ok bool, err error) {
	if len(rec.Key) < 4 {
		return Marker{}, false, fmt.Errorf("control record's key of %d bytes: %w", len(rec.Key), ErrCorrupt)
	}
	if version := int16(binary.BigEndian.Uint16(rec.Key)); version < 0 {
		return Marker{}, false, fmt.Errorf("control record's version %d: %w", version, ErrCorrupt)
	}
	kind := ControlType(binary.BigEndian.Uint16(rec.Key[2:]))
	if kind != ControlAbort && kind != ControlCommit {
		return Marker{}, false, nil
	}
	if len(rec.Value) < 6 {
		return Marker{}, false, fmt.Errorf("marker's value of %d bytes: %w", len(rec.Value), ErrCorrupt)
	}
	return Marker{
		Commit:           kind == ControlCommit,
		CoordinatorEpoch: int32(binary.BigEndian.Uint32(rec.Value[2:])),
		TimestampMs:      rec.Timestamp,
	}, true, nil
}

// NewMarker writes the control batch that ends a producer's transaction.
func NewMarker(id ProducerID, epoch ProducerEpoch, m Marker) (Batch, error) {
	b := NewBuilder(Options{
		Control:  true,
		Producer: &Producer{ID: id, Epoch: epoch, Sequence: NoSequence, Transactional: true},
	})
	kind := ControlAbort
	if m.Commit {
		kind = ControlCommit
	}
	key := binary.BigEndian.AppendUint16(make([]byte, 2, 4), uint16(kind))
	value := binary.BigEndian.AppendUint32(make([]byte, 2, 6), uint32(m.CoordinatorEpoch))
	b.Append(m.TimestampMs, key, value)
	return b.Build()
}
