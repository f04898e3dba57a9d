package record

import (
	"encoding/binary"
	"fmt"
)

// Record is one record of a batch. Its slices are valid until the Reader's next call; nil is Kafka's
// null, which differs from empty.
type Record struct {
	Offset Offset
	// Timestamp is in milliseconds; it is the batch's maximum where the leader has set it.
	Timestamp int64
	Key       []byte
	Value     []byte
	// HeaderCount is the number of headers, which Headers walks.
	HeaderCount int32

	// Raw is the record as it stands in the batch, from its length on.
	Raw []byte
	// OffsetDelta and TimestampDelta are what the record itself holds.
	OffsetDelta    int32
	TimestampDelta int64

	headers []byte
	body    []byte // of Raw: what follows the deltas
}

// Headers starts a walk over the record's headers.
func (r *Record) Headers() Headers { return Headers{rest: r.headers, left: r.HeaderCount} }

// Headers walks the headers of a record, which the Reader has checked already.
type Headers struct {
	rest []byte
	left int32
}

// Next returns the next header; ok is false after the last. value is nil for Kafka's null.
func (h *Headers) Next() (key, value []byte, ok bool) {
	if h.left == 0 {
		return nil, nil, false
	}
	h.left--
	key, h.rest, _ = cutBytes(h.rest)
	value, h.rest, _ = cutBytes(h.rest)
	return key, value, true
}

// Reader walks the records of a batch without allocating for each. The zero value is ready for Reset,
// and a Reader may be used for one batch after another.
//
//	var r record.Reader
//	r.Reset(batch, decompressor)
//	defer r.Close()
//	for r.Next() { use(r.Record()) }
//	if err := r.Err(); err != nil { … }
type Reader struct {
	batch  Batch
	source source
	record Record
	index  int32
	count  int32
	err    error
	// What every record's fields count from.
	baseOffset Offset
	baseTime   int64
	appendTime int64
	fixedTime  bool
}

// Reset points the reader at a batch that Check has found sound; a batch that hasn't been checked gives
// errors and never a panic. A compressed batch needs a Decompressor, which no other Reader may use before
// Close; an uncompressed one ignores it.
func (r *Reader) Reset(b Batch, d *Decompressor) {
	*r = Reader{
		batch:      b,
		count:      b.Count(),
		baseOffset: b.BaseOffset(),
		baseTime:   b.BaseTimestamp(),
		appendTime: b.MaxTimestamp(),
		fixedTime:  b.TimestampType() == LogAppendTime,
	}
	switch codec := b.Codec(); {
	case codec == None:
		r.source.resetPlain(b.Payload())
	case d == nil:
		r.err = fmt.Errorf("no decompressor for %s: %w", codec, ErrUnsupportedCodec)
	default:
		r.err = r.source.resetCompressed(d, codec, b.Payload())
	}
}

// Close gives back what the decompressor holds. The Reader may be Reset again.
func (r *Reader) Close() { r.source.close() }

// Err is what ended the walk early, or nil: it wraps ErrCorrupt, ErrExpands or ErrUnsupportedCodec.
func (r *Reader) Err() error { return r.err }

// Record is the record that Next has found.
func (r *Reader) Record() *Record { return &r.record }

// Index is the place of Record in the batch, from 0.
func (r *Reader) Index() int32 { return r.index - 1 }

// Next advances to the next record. It is false after the last, and at an error.
func (r *Reader) Next() bool {
	if r.err != nil || r.index >= r.count {
		return false
	}
	raw, prefix, err := r.source.next()
	if err == nil {
		err = r.parse(raw, prefix)
	}
	if err != nil {
		r.err = fmt.Errorf("record %d of %d: %w", r.index, r.count, err)
		return false
	}
	r.index++
	return true
}

// Finish says, after Next has returned false without an error, whether the batch ends with its last
// record, as it should. It wraps ErrCorrupt or ErrExpands otherwise.
func (r *Reader) Finish() error { return r.source.finish() }

// parse reads a record whose length prefix is the first prefix bytes of raw.
func (r *Reader) parse(raw []byte, prefix int) error {
	rec := &r.record
	rec.Raw = raw
	body := raw[prefix:]
	if len(body) < 1 {
		return fmt.Errorf("empty record: %w", ErrCorrupt)
	}
	body = body[1:] // the attributes, which have no meaning yet
	var ok bool
	var delta int64
	if rec.TimestampDelta, body, ok = cutVarlong(body); !ok {
		return fmt.Errorf("timestamp delta: %w", ErrCorrupt)
	}
	if delta, body, ok = cutVarint(body); !ok {
		return fmt.Errorf("offset delta: %w", ErrCorrupt)
	}
	rec.OffsetDelta, rec.body = int32(delta), body
	rec.Offset = r.baseOffset + Offset(delta)
	rec.Timestamp = r.appendTime
	if !r.fixedTime {
		rec.Timestamp = r.baseTime + rec.TimestampDelta
	}
	if rec.Key, body, ok = cutBytes(body); !ok {
		return fmt.Errorf("key: %w", ErrCorrupt)
	}
	if rec.Value, body, ok = cutBytes(body); !ok {
		return fmt.Errorf("value: %w", ErrCorrupt)
	}
	return r.parseHeaders(body)
}

func (r *Reader) parseHeaders(body []byte) error {
	count, body, ok := cutVarint(body)
	if !ok || count < 0 || count > int64(len(body)) {
		return fmt.Errorf("header count %d: %w", count, ErrCorrupt)
	}
	rest := body
	for i := int64(0); i < count; i++ {
		var key []byte
		if key, rest, ok = cutBytes(rest); !ok || key == nil {
			return fmt.Errorf("key of header %d: %w", i, ErrCorrupt)
		}
		if _, rest, ok = cutBytes(rest); !ok {
			return fmt.Errorf("value of header %d: %w", i, ErrCorrupt)
		}
	}
	if len(rest) != 0 {
		return fmt.Errorf("%d bytes behind the last header: %w", len(rest), ErrCorrupt)
	}
	r.record.HeaderCount, r.record.headers = int32(count), body
	return nil
}

// cutVarint reads a zigzag varint of 32 bits, at most five bytes.
func cutVarint(buf []byte) (value int64, rest []byte, ok bool) {
	u, n := binary.Uvarint(buf[:min(len(buf), maxVarint)])
	if n <= 0 || u > 1<<32-1 {
		return 0, buf, false
	}
	return int64(int32(uint32(u)>>1) ^ -int32(u&1)), buf[n:], true
}

// cutVarlong reads a zigzag varint of 64 bits.
func cutVarlong(buf []byte) (value int64, rest []byte, ok bool) {
	v, n := binary.Varint(buf)
	if n <= 0 {
		return 0, buf, false
	}
	return v, buf[n:], true
}

// cutBytes reads a length (-1 for null) and as many bytes.
func cutBytes(buf []byte) (value, rest []byte, ok bool) {
	n, rest, ok := cutVarint(buf)
	if !ok || n < -1 || n > int64(len(rest)) {
		return nil, buf, false
	}
	if n == -1 {
		return nil, rest, true
	}
	return rest[:n:n], rest[n:], true
}
