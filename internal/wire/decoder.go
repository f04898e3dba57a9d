package wire

import (
	"encoding/binary"
	"unsafe"
)

// Decoder reads fields of a message in one version. It is for a request that comes so often that kmsg's structures, made
// anew for each, would be a good part of its cost; kmsg reads the others. Strings and bytes point into the source.
// Past the end it yields zeros, and OK says so.
type Decoder struct {
	// Flexible: lengths are compact, and structs end with tagged fields.
	Flexible bool

	src    []byte
	failed bool
}

// NewDecoder reads a body that CheckBody has passed.
func NewDecoder(body []byte, flexible bool) Decoder { return Decoder{src: body, Flexible: flexible} }

// OK reports whether the source held all that was read.
func (d *Decoder) OK() bool { return !d.failed }

// take steps over n bytes and returns them, or nil if there are fewer.
func (d *Decoder) take(n int) []byte {
	if n < 0 || n > len(d.src) {
		d.failed, d.src = true, nil
		return nil
	}
	taken := d.src[:n:n]
	d.src = d.src[n:]
	return taken
}

// Int8 reads a byte.
func (d *Decoder) Int8() int8 {
	if b := d.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

// Int16 reads two bytes.
func (d *Decoder) Int16() int16 {
	if b := d.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// Int32 reads four bytes.
func (d *Decoder) Int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Int64 reads eight bytes.
func (d *Decoder) Int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// UUID reads sixteen bytes.
func (d *Decoder) UUID() (v [16]byte) {
	copy(v[:], d.take(len(v)))
	return v
}

func (d *Decoder) uvarint() int {
	v, n := binary.Uvarint(d.src)
	if n <= 0 || v > 1<<32-1 {
		n = -1
	}
	if d.take(n) == nil {
		return 0
	}
	return int(v)
}

// Length reads the length of an array or of bytes; -1 is null. It is never more than the bytes that are left.
func (d *Decoder) Length() int {
	n := 0
	if d.Flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.Int32())
	}
	if n > len(d.src) {
		d.take(n)
		return 0
	}
	return max(n, -1)
}

// Bytes reads bytes, nil for null.
func (d *Decoder) Bytes() []byte {
	n := d.Length()
	if n < 0 {
		return nil
	}
	return d.take(n)
}

// String reads a string; null is empty.
func (d *Decoder) String() string {
	n := 0
	if d.Flexible {
		n = d.uvarint() - 1
	} else {
		n = int(d.Int16())
	}
	if n <= 0 {
		return ""
	}
	b := d.take(n)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Tags steps over the tagged fields at the end of a struct, where the version has them.
func (d *Decoder) Tags() { d.EachTag(func(int, []byte) {}) }

// EachTag visits the tagged fields at the end of a struct, where the version has them. A value may be cut short: who
// decodes it reads zeros.
func (d *Decoder) EachTag(visit func(tag int, value []byte)) {
	if !d.Flexible {
		return
	}
	for range d.uvarint() {
		tag := d.uvarint()
		value := d.take(d.uvarint())
		if d.failed {
			return
		}
		visit(tag, value)
	}
}
