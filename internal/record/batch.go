package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Where the fields of a batch's header are.
const (
	baseOffsetAt      = 0
	lengthAt          = 8
	leaderEpochAt     = 12
	magicAt           = 16
	crcAt             = 17
	attributesAt      = 21
	lastOffsetDeltaAt = 23
	baseTimestampAt   = 27
	maxTimestampAt    = 35
	producerIDAt      = 43
	producerEpochAt   = 51
	baseSequenceAt    = 53
	countAt           = 57

	// HeaderSize is the length of a batch without its records.
	HeaderSize = 61
	// PrefixSize is the length of what comes before the bytes that the length field counts.
	PrefixSize = 12
	// Magic is the only message format that is taken.
	Magic = 2
)

// The bits of a batch's attributes.
const (
	codecMask           = 0x07
	logAppendTimeBit    = 0x08
	transactionalBit    = 0x10
	controlBit          = 0x20
	deleteHorizonBit    = 0x40
	knownAttributesMask = 0x7f
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is the bytes of one record batch of format v2, header and records. A Batch comes from Next,
// which has made sure that the whole header and as many bytes as it claims are there; the accessors
// rely on that and on nothing else. What they return is only claimed until Check has verified the CRC.
type Batch []byte

// Next splits the first batch from buf. ErrShort means that buf ends within a batch (an empty buf is
// short too), ErrCorrupt that the claimed length is impossible, ErrUnsupportedMagic that it isn't of
// format v2. The batch aliases buf.
func Next(buf []byte) (batch Batch, rest []byte, err error) {
	size, err := PeekSize(buf)
	if err != nil {
		return nil, buf, err
	}
	if size > len(buf) {
		return nil, buf, ErrShort
	}
	return Batch(buf[:size:size]), buf[size:], nil
}

// PeekSize returns the whole size in bytes of the batch whose first bytes are in buf, of which it
// needs magic and what precedes it (17 bytes). Its errors are those of Next; ErrShort means here
// that buf is too short to tell.
func PeekSize(buf []byte) (int, error) {
	if len(buf) < magicAt+1 {
		return 0, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(buf[lengthAt:]))
	if magic := int8(buf[magicAt]); magic != Magic {
		if magic < 0 || magic > Magic || length < 14 {
			return 0, fmt.Errorf("magic %d, length %d: %w", magic, length, ErrCorrupt)
		}
		return 0, fmt.Errorf("magic %d: %w", magic, ErrUnsupportedMagic)
	}
	if length < HeaderSize-PrefixSize {
		return 0, fmt.Errorf("length %d is less than a header's: %w", length, ErrCorrupt)
	}
	return int(length) + PrefixSize, nil
}

// BaseOffset is the offset of the batch's first record, even if compaction has removed that record.
func (b Batch) BaseOffset() Offset { return Offset(binary.BigEndian.Uint64(b[baseOffsetAt:])) }

// LastOffset is the offset of the batch's last record, even if compaction has removed that record.
func (b Batch) LastOffset() Offset { return b.BaseOffset() + Offset(b.LastOffsetDelta()) }

// NextOffset is the offset after the batch's last.
func (b Batch) NextOffset() Offset { return b.LastOffset() + 1 }

// Size is the length of the batch in bytes, header included, as the header claims it.
func (b Batch) Size() int {
	return int(int32(binary.BigEndian.Uint32(b[lengthAt:]))) + PrefixSize
}

// LeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() Epoch { return Epoch(binary.BigEndian.Uint32(b[leaderEpochAt:])) }

// Magic is the message format.
func (b Batch) Magic() int8 { return int8(b[magicAt]) }

// CRC is the checksum (CRC-32C) that the header claims over everything from the attributes on.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[crcAt:]) }

// Attributes are the raw bits.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[attributesAt:])) }

// Codec is the compression of the records.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecMask) }

// TimestampType says who set the timestamps.
func (b Batch) TimestampType() TimestampType {
	if b.Attributes()&logAppendTimeBit != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional tells whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.Attributes()&transactionalBit != 0 }

// IsControl tells whether the batch holds a control record, which clients don't see.
func (b Batch) IsControl() bool { return b.Attributes()&controlBit != 0 }

// LastOffsetDelta is the last record's distance from the base offset.
func (b Batch) LastOffsetDelta() int32 {
	return int32(binary.BigEndian.Uint32(b[lastOffsetDeltaAt:]))
}

// BaseTimestamp is what records' timestamp deltas count from, in milliseconds, unless the batch has a
// delete horizon, which then stands in its place.
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[baseTimestampAt:])) }

// MaxTimestamp is the largest timestamp of the records, in milliseconds, or NoTimestamp.
func (b Batch) MaxTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[maxTimestampAt:])) }

// DeleteHorizon is the time in milliseconds from which compaction may drop the batch's tombstones and
// control records; ok tells whether one is set (KIP-534).
func (b Batch) DeleteHorizon() (horizonMs int64, ok bool) {
	if b.Attributes()&deleteHorizonBit == 0 {
		return NoTimestamp, false
	}
	return b.BaseTimestamp(), true
}

// ProducerID is the idempotent producer that wrote the batch, or NoProducerID.
func (b Batch) ProducerID() ProducerID { return ProducerID(binary.BigEndian.Uint64(b[producerIDAt:])) }

// HasProducerID tells whether an idempotent producer wrote the batch.
func (b Batch) HasProducerID() bool { return b.ProducerID() > NoProducerID }

// ProducerEpoch is the producer's epoch, or NoProducerEpoch.
func (b Batch) ProducerEpoch() ProducerEpoch {
	return ProducerEpoch(binary.BigEndian.Uint16(b[producerEpochAt:]))
}

// BaseSequence is the first record's sequence, or NoSequence.
func (b Batch) BaseSequence() Sequence {
	return Sequence(binary.BigEndian.Uint32(b[baseSequenceAt:]))
}

// LastSequence is the last record's sequence, or NoSequence.
func (b Batch) LastSequence() Sequence {
	first := b.BaseSequence()
	if first == NoSequence {
		return NoSequence
	}
	return first.Add(b.LastOffsetDelta())
}

// Count is the number of records in the batch. After compaction it may be less than the offsets that
// the batch spans, and zero.
func (b Batch) Count() int32 { return int32(binary.BigEndian.Uint32(b[countAt:])) }

// Payload is the records as stored: compressed unless Codec is None.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// SetBaseOffset gives the batch its place in the log. The CRC doesn't cover it.
func (b Batch) SetBaseOffset(o Offset) { binary.BigEndian.PutUint64(b[baseOffsetAt:], uint64(o)) }

// SetLeaderEpoch stamps the batch with its leader's epoch. The CRC doesn't cover it.
func (b Batch) SetLeaderEpoch(e Epoch) { binary.BigEndian.PutUint32(b[leaderEpochAt:], uint32(e)) }

// SetLogAppendTime makes the leader's clock (milliseconds) the timestamp of all records, and computes
// the CRC again.
func (b Batch) SetLogAppendTime(nowMs int64) {
	b.setTimestamps(b.Attributes()|logAppendTimeBit, nowMs)
}

// SetCreateTime clears the log-append-time flag and sets the maximum timestamp, as a leader does that
// has found a producer's to be wrong; the CRC is computed again if anything changed.
func (b Batch) SetCreateTime(maxMs int64) {
	if b.TimestampType() == CreateTime && b.MaxTimestamp() == maxMs {
		return
	}
	b.setTimestamps(b.Attributes()&^logAppendTimeBit, maxMs)
}

func (b Batch) setTimestamps(attributes int16, maxMs int64) {
	binary.BigEndian.PutUint16(b[attributesAt:], uint16(attributes))
	binary.BigEndian.PutUint64(b[maxTimestampAt:], uint64(maxMs))
	b.seal()
}

// ComputeCRC is the checksum that the header should hold.
func (b Batch) ComputeCRC() uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }

// seal writes the CRC over what the batch now holds.
func (b Batch) seal() { binary.BigEndian.PutUint32(b[crcAt:], b.ComputeCRC()) }
