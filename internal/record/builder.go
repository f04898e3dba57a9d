package record

import (
	"encoding/binary"
	"fmt"
)

// Producer is what an idempotent producer stamps a batch with.
type Producer struct {
	ID            ProducerID
	Epoch         ProducerEpoch
	Sequence      Sequence // of the first record
	Transactional bool
}

// Options are what a Builder's batch is to be, apart from its records. The zero value is a plain,
// uncompressed batch at offset 0.
type Options struct {
	Codec      Codec
	Level      int // of the codec, 0 for its default
	BaseOffset Offset
	// Producer is nil unless the batch is idempotent or transactional.
	Producer *Producer
	Control  bool
	// Type LogAppendTime gives all records AppendTimeMs.
	Type         TimestampType
	AppendTimeMs int64
	// DeleteHorizonMs, when above 0, is the time from which compaction may drop tombstones (KIP-534).
	DeleteHorizonMs int64
	// MaxBytes bounds the batch as it is built, 0 for what a batch can be: Build says ErrTooLarge beyond. Nothing more is held meanwhile.
	MaxBytes int
	// Span makes the batch take up at least as many offsets, for compaction, which keeps a batch's
	// range when it removes records.
	Span int64
}

// Header is a header of a record. A nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// Builder writes a batch. Its zero value is ready, and it may be used again after Reset.
type Builder struct {
	opts     Options
	records  []byte
	batch    []byte
	count    int32
	last     int32 // offset delta of the last record
	baseTime int64
	maxTime  int64

	// Of a batch that has grown large.
	stream  packer
	out     packed
	spilled int   // bytes of records that the stream has had
	err     error // what Build will say
}

// NewBuilder returns a Builder for a batch with these options.
func NewBuilder(opts Options) *Builder {
	b := new(Builder)
	b.Reset(opts)
	return b
}

// Reset starts another batch. It keeps the buffers, so the batch that Build returned before is no
// longer valid.
func (b *Builder) Reset(opts Options) {
	b.dropSpill()
	*b = Builder{opts: opts, records: b.records[:0], batch: b.batch[:0], last: -1}
}

// Count is the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// Size is what the batch would take up in bytes if it isn't compressed.
func (b *Builder) Size() int { return HeaderSize + b.spilled + len(b.records) }

// Append adds a record after the last one. A nil key or value is Kafka's null.
func (b *Builder) Append(timestampMs int64, key, value []byte, headers ...Header) {
	at := b.begin(timestampMs, b.last+1)
	b.appendBytes(key)
	b.appendBytes(value)
	b.records = binary.AppendVarint(b.records, int64(len(headers)))
	for _, h := range headers {
		b.records = binary.AppendVarint(b.records, int64(len(h.Key)))
		b.records = append(b.records, h.Key...)
		b.appendBytes(h.Value)
	}
	b.finish(at)
}

// AppendRecord copies a record, headers included, at an offset, which must be above the last one's and
// within 2^31 of the base offset.
func (b *Builder) AppendRecord(offset Offset, rec *Record) {
	at := b.begin(rec.Timestamp, int32(offset-b.opts.BaseOffset))
	if b.opts.Codec != None && len(rec.body) > spillSize {
		b.prefix(at, len(rec.body))
		b.spill(rec.body)
		return
	}
	if b.opts.Codec == None && !b.room(len(rec.body)) {
		b.records = b.records[:0]
		return
	}
	b.records = append(b.records, rec.body...)
	b.finish(at)
}

// lengthRoom is left before each record for its length; finish closes the gap.
const lengthRoom = maxVarint

func (b *Builder) begin(timestampMs int64, delta int32) (at int) {
	if b.count == 0 {
		b.baseTime, b.maxTime = timestampMs, timestampMs
		if b.opts.DeleteHorizonMs > 0 {
			b.baseTime = b.opts.DeleteHorizonMs
		}
	}
	b.maxTime = max(b.maxTime, timestampMs)
	b.count++
	b.last = delta
	at = len(b.records)
	b.records = append(b.records, make([]byte, lengthRoom)...)
	b.records = append(b.records, 0) // attributes
	b.records = binary.AppendVarint(b.records, timestampMs-b.baseTime)
	b.records = binary.AppendVarint(b.records, int64(delta))
	return at
}

func (b *Builder) finish(at int) {
	b.prefix(at, 0)
	switch {
	case b.opts.Codec == None:
		if !b.room(0) {
			b.records = b.records[:0]
		}
	case len(b.records) > spillSize:
		b.spill(nil)
	}
}

// prefix writes the length of the record that begins at at, of which more bytes are still to come.
func (b *Builder) prefix(at, more int) {
	size := len(b.records) - at - lengthRoom + more
	width := len(binary.AppendVarint(b.records[at:at], int64(size)))
	if width < lengthRoom {
		b.records = append(b.records[:at+width], b.records[at+lengthRoom:]...)
	}
}

func (b *Builder) appendBytes(value []byte) {
	if value == nil {
		b.records = append(b.records, 1) // -1
		return
	}
	b.records = binary.AppendVarint(b.records, int64(len(value)))
	b.records = append(b.records, value...)
}

// Build compresses and seals the batch. Its leader epoch is NoEpoch; a log sets it. The batch is valid
// until Reset. Errors: ErrUnsupportedCodec, ErrTooLarge if it doesn't fit into a batch or is above MaxBytes.
func (b *Builder) Build() (Batch, error) {
	out, err := b.pack()
	if err != nil {
		return nil, err
	}
	b.batch = out
	h := header{
		baseOffset: b.opts.BaseOffset,
		attributes: b.attributes(),
		lastDelta:  max(b.last, int32(b.opts.Span-1), 0),
		baseTime:   b.baseTime,
		maxTime:    b.maxTime,
		producer:   b.opts.Producer,
		count:      b.count,
	}
	if b.opts.Type == LogAppendTime {
		h.maxTime = b.opts.AppendTimeMs
	}
	return h.seal(out), nil
}

// pack returns the batch, its header not yet written.
func (b *Builder) pack() ([]byte, error) {
	if b.stream != nil || b.err != nil {
		return b.endSpill()
	}
	out, err := b.opts.Codec.Compress(append(b.batch[:0], make([]byte, HeaderSize)...), b.records, b.opts.Level)
	if err == nil && len(out) > b.maxBytes() {
		err = fmt.Errorf("%d bytes, limit %d: %w", len(out), b.maxBytes(), ErrTooLarge)
	}
	return out, err
}

func (b *Builder) attributes() int16 {
	bits := int16(b.opts.Codec)
	if b.opts.Type == LogAppendTime {
		bits |= logAppendTimeBit
	}
	if b.opts.Producer != nil && b.opts.Producer.Transactional {
		bits |= transactionalBit
	}
	if b.opts.Control {
		bits |= controlBit
	}
	if b.opts.DeleteHorizonMs > 0 {
		bits |= deleteHorizonBit
	}
	return bits
}

// header is the fields of a batch's header that a writer chooses.
type header struct {
	baseOffset        Offset
	attributes        int16
	lastDelta         int32
	baseTime, maxTime int64
	producer          *Producer
	count             int32
}

// seal writes the header in front of the records that are in buf already, and the CRC.
func (h *header) seal(buf []byte) Batch {
	producer := h.producer
	if producer == nil {
		producer = &Producer{ID: NoProducerID, Epoch: NoProducerEpoch, Sequence: NoSequence}
	}
	b := Batch(buf)
	b.SetBaseOffset(h.baseOffset)
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-PrefixSize))
	b.SetLeaderEpoch(NoEpoch)
	b[magicAt] = Magic
	binary.BigEndian.PutUint16(b[attributesAt:], uint16(h.attributes))
	binary.BigEndian.PutUint32(b[lastOffsetDeltaAt:], uint32(h.lastDelta))
	binary.BigEndian.PutUint64(b[baseTimestampAt:], uint64(h.baseTime))
	binary.BigEndian.PutUint64(b[maxTimestampAt:], uint64(h.maxTime))
	binary.BigEndian.PutUint64(b[producerIDAt:], uint64(producer.ID))
	binary.BigEndian.PutUint16(b[producerEpochAt:], uint16(producer.Epoch))
	binary.BigEndian.PutUint32(b[baseSequenceAt:], uint32(producer.Sequence))
	binary.BigEndian.PutUint32(b[countAt:], uint32(h.count))
	b.seal()
	return b
}

// AppendEmptyBatch appends to dst what compaction leaves of a batch all of whose records are gone but
// whose producer must be remembered: a header without records, with the same offsets, sequences,
// producer and leader epoch.
func AppendEmptyBatch(dst []byte, b Batch) []byte {
	h := header{
		baseOffset: b.BaseOffset(),
		attributes: b.Attributes() &^ (codecMask | deleteHorizonBit),
		lastDelta:  b.LastOffsetDelta(),
		baseTime:   NoTimestamp,
		maxTime:    b.MaxTimestamp(),
		producer:   &Producer{ID: b.ProducerID(), Epoch: b.ProducerEpoch(), Sequence: b.BaseSequence()},
	}
	at := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	h.seal(dst[at:]).SetLeaderEpoch(b.LeaderEpoch())
	return dst
}
