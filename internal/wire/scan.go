package wire

import (
	"encoding/binary"
	"fmt"
)

// maxRequestElements bounds the array elements and tagged fields of one request. kmsg trusts a
// count as soon as that many bytes are left, which lets a frame of 100 MiB make it allocate
// gigabytes, and trusts a count of tagged fields whatever is left.
const maxRequestElements = 1 << 20

// maxElements is the bound for a body of that size: each element takes a byte at least.
func maxElements(bodyBytes int) int { return min(bodyBytes, maxRequestElements) }

// CheckBody walks a request's body by its schema, without allocating, and refuses with ErrMalformed
// one that is truncated, or claims more elements than it has or than a request may have.
func CheckBody(key, version int16, body []byte) error {
	shape := schemaOf(key)
	if shape == nil {
		return fmt.Errorf("%w: key %d", ErrUnsupported, key)
	}
	s := scanner{
		src:      body,
		version:  version,
		flexible: shape.flexibleFrom >= 0 && version >= shape.flexibleFrom,
		budget:   maxElements(len(body)),
	}
	if !s.skipStruct(shape.fields) {
		return fmt.Errorf("%w: key %d version %d, at byte %d of %d",
			ErrMalformed, key, version, len(body)-len(s.src), len(body))
	}
	return nil
}

// scanner steps over fields. Its methods return false where the source does not hold what they step over.
type scanner struct {
	src      []byte
	version  int16
	flexible bool
	budget   int // elements and tags that may still come
}

func (s *scanner) skip(n int) bool {
	if n < 0 || n > len(s.src) {
		return false
	}
	s.src = s.src[n:]
	return true
}

func (s *scanner) uvarint() (int, bool) {
	value, n := binary.Uvarint(s.src)
	if n <= 0 || value > 1<<32-1 {
		return 0, false
	}
	s.src = s.src[n:]
	return int(value), true
}

// spend takes n elements from the budget.
func (s *scanner) spend(n int) bool {
	s.budget -= n
	return s.budget >= 0
}

func (s *scanner) skipStruct(fields []field) bool {
	for i := range fields {
		f := &fields[i]
		if f.tag >= 0 || !f.in(s.version) {
			continue
		}
		if !s.skipField(f) {
			return false
		}
	}
	return !s.flexible || s.skipKnownTags(fields)
}

func (s *scanner) skipField(f *field) bool {
	switch f.kind {
	case fixed:
		return s.skip(f.size)
	case arrayField:
		return s.skipArray(&f.inner[0])
	case structField:
		if f.nullable {
			return s.skipNullable(f)
		}
		return s.skipStruct(f.inner)
	}
	length, ok := s.length(f.kind == stringField)
	return ok && (length < 0 || s.skip(length))
}

// skipNullable steps over a struct that a byte precedes: negative where it is not there.
func (s *scanner) skipNullable(f *field) bool {
	if len(s.src) == 0 {
		return false
	}
	present := int8(s.src[0]) >= 0
	s.src = s.src[1:]
	return !present || s.skipStruct(f.inner)
}

// length reads what precedes a string, bytes or an array; -1 is null.
func (s *scanner) length(short bool) (int, bool) {
	if s.flexible {
		n, ok := s.uvarint()
		return n - 1, ok
	}
	if short {
		return s.shortLength()
	}
	if len(s.src) < 4 {
		return 0, false
	}
	n := int(int32(binary.BigEndian.Uint32(s.src)))
	s.src = s.src[4:]
	return n, n >= -1
}

func (s *scanner) shortLength() (int, bool) {
	if len(s.src) < 2 {
		return 0, false
	}
	n := int(int16(binary.BigEndian.Uint16(s.src)))
	s.src = s.src[2:]
	return n, n >= -1
}

func (s *scanner) skipArray(element *field) bool {
	count, ok := s.length(false)
	if !ok || !s.spend(max(count, 0)) {
		return false
	}
	if element.kind == fixed {
		return s.skip(max(count, 0) * element.size)
	}
	for range count {
		if !s.skipField(element) {
			return false
		}
	}
	return true
}

// skipKnownTags steps over the tagged fields at a struct's end; those of the schema are walked too,
// since kmsg will read them.
func (s *scanner) skipKnownTags(fields []field) bool {
	return s.eachTag(func(tag int, value []byte) bool {
		f := taggedField(fields, tag, s.version)
		if f == nil {
			return true
		}
		inner := scanner{src: value, version: s.version, flexible: true, budget: s.budget}
		ok := inner.skipField(f)
		s.budget = inner.budget
		return ok
	})
}

// skipTags steps over tagged fields that nobody knows.
func (s *scanner) skipTags() bool {
	return s.eachTag(func(int, []byte) bool { return true })
}

func (s *scanner) eachTag(visit func(tag int, value []byte) bool) bool {
	count, ok := s.uvarint()
	if !ok || !s.spend(count) {
		return false
	}
	for range count {
		tag, ok := s.uvarint()
		if !ok {
			return false
		}
		size, ok := s.uvarint()
		if !ok || size > len(s.src) || !visit(tag, s.src[:size]) {
			return false
		}
		s.src = s.src[size:]
	}
	return true
}

func taggedField(fields []field, tag int, version int16) *field {
	for i := range fields {
		if fields[i].tag == tag && fields[i].in(version) {
			return &fields[i]
		}
	}
	return nil
}
