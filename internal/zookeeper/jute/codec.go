package jute

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrTruncated says that a record promises more than its frame holds, or a length that can't be one.
var ErrTruncated = errors.New("jute: the record is cut off or a length in it is wrong")

// null is the length of a string, buffer or vector that is not there.
const null = -1

// Reader takes fields off a record. After the first error every field is empty and Err tells it, so that a record is
// read without looking in between.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads the record that the bytes hold. Buffers that it returns share their memory.
func NewReader(record []byte) *Reader { return &Reader{rest: record} }

// Err is ErrTruncated once a field did not fit.
func (r *Reader) Err() error { return r.err }

// Left is how many bytes have not been read.
func (r *Reader) Left() int { return len(r.rest) }

func (r *Reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.rest) {
		r.err, r.rest = ErrTruncated, nil
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

// Int reads a four-byte integer.
func (r *Reader) Int() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Long reads an eight-byte integer.
func (r *Reader) Long() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Bool reads one byte, in which anything but 0 is true.
func (r *Reader) Bool() bool {
	b := r.take(1)
	return b != nil && b[0] != 0
}

// Buffer reads bytes, nil if they are null.
func (r *Reader) Buffer() []byte {
	n := r.Int()
	if n == null {
		return nil
	}
	return r.take(int(n))
}

// String reads a string; a null one is empty.
func (r *Reader) String() string { return string(r.Buffer()) }

// vector reads the length of a vector whose elements have at least that many bytes.
func (r *Reader) vector(least int) int {
	n := r.Int()
	if n == null || r.err != nil {
		return 0
	}
	if n < 0 || int64(n)*int64(least) > int64(len(r.rest)) {
		r.err, r.rest = ErrTruncated, nil
		return 0
	}
	return int(n)
}

// Strings reads a vector of strings.
func (r *Reader) Strings() []string {
	n := r.vector(4)
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.String())
	}
	return list
}

// AppendInt appends a four-byte integer.
func AppendInt(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// AppendLong appends an eight-byte integer.
func AppendLong(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// AppendBool appends one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendBuffer appends bytes with their length; nil is null.
func AppendBuffer(b, v []byte) []byte {
	if v == nil {
		return AppendInt(b, null)
	}
	return append(AppendInt(b, length(len(v))), v...)
}

// AppendString appends a string with its length.
func AppendString(b []byte, v string) []byte {
	return append(AppendInt(b, length(len(v))), v...)
}

// AppendStrings appends a vector of strings.
func AppendStrings(b []byte, list []string) []byte {
	b = AppendInt(b, length(len(list)))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// length is a length as the wire has it. Whatever is sent is bounded far below.
func length(n int) int32 {
	if n > math.MaxInt32 {
		panic("jute: a field of more than 2 GiB")
	}
	return int32(n)
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}
