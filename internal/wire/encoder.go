package wire

import "encoding/binary"

// Encoder appends fields of a message in one version. It is for messages that are written by hand,
// because files stand between their bytes; kmsg writes the others.
type Encoder struct {
	Bytes []byte
	// Flexible: lengths are compact, and structs end with tagged fields.
	Flexible bool
}

// Int16 appends two bytes.
func (e *Encoder) Int16(v int16) { e.Bytes = binary.BigEndian.AppendUint16(e.Bytes, uint16(v)) }

// Int32 appends four bytes.
func (e *Encoder) Int32(v int32) { e.Bytes = binary.BigEndian.AppendUint32(e.Bytes, uint32(v)) }

// Int64 appends eight bytes.
func (e *Encoder) Int64(v int64) { e.Bytes = binary.BigEndian.AppendUint64(e.Bytes, uint64(v)) }

// UUID appends sixteen bytes.
func (e *Encoder) UUID(v [16]byte) { e.Bytes = append(e.Bytes, v[:]...) }

// Uvarint appends an unsigned variable-length number.
func (e *Encoder) Uvarint(v uint64) { e.Bytes = binary.AppendUvarint(e.Bytes, v) }

// Length appends the length of an array or of bytes; -1 is null.
func (e *Encoder) Length(n int) {
	if e.Flexible {
		e.Uvarint(uint64(n + 1))
		return
	}
	e.Int32(int32(n))
}

// String appends a string that is not null.
func (e *Encoder) String(s string) {
	if e.Flexible {
		e.Uvarint(uint64(len(s) + 1))
	} else {
		e.Int16(int16(len(s)))
	}
	e.Bytes = append(e.Bytes, s...)
}

// NullableString appends a string or null.
func (e *Encoder) NullableString(s *string) {
	switch {
	case s != nil:
		e.String(*s)
	case e.Flexible:
		e.Uvarint(0)
	default:
		e.Int16(-1)
	}
}

// Tags appends how many tagged fields follow, where the version has them.
func (e *Encoder) Tags(n int) {
	if e.Flexible {
		e.Uvarint(uint64(n))
	}
}

// Tag appends a tagged field whose content write appends.
func (e *Encoder) Tag(number int, write func(*Encoder)) {
	e.Uvarint(uint64(number))
	inner := Encoder{Flexible: true}
	write(&inner)
	e.Uvarint(uint64(len(inner.Bytes)))
	e.Bytes = append(e.Bytes, inner.Bytes...)
}
