package group

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// flexibleValueVersion is the first version of both kinds of values that has tagged fields.
const flexibleValueVersion = 4

// checkOffsetTags and checkGroupTags walk over a value up to its tagged fields and refuse more of them than there are
// bytes: kmsg believes the count, and four billion that aren't there would keep a shard busy for half a minute.

func checkOffsetTags(value []byte) error {
	r := kbin.Reader{Src: value}
	if r.Int16() < flexibleValueVersion {
		return nil
	}
	r.Int64() // the offset
	r.Int32() // its epoch
	r.UnsafeCompactString()
	r.Int64() // when
	return walkTags(&r)
}

func checkGroupTags(value []byte) error {
	r := kbin.Reader{Src: value}
	if r.Int16() < flexibleValueVersion {
		return nil
	}
	r.UnsafeCompactString()
	r.Int32() // the generation
	r.UnsafeCompactNullableString()
	r.UnsafeCompactNullableString()
	r.Int64() // since when
	for members := r.CompactArrayLen(); members > 0 && r.Ok(); members-- {
		r.UnsafeCompactString()
		r.UnsafeCompactNullableString()
		r.UnsafeCompactString()
		r.UnsafeCompactString()
		r.Int32() // two timeouts
		r.Int32()
		r.CompactBytes()
		r.CompactBytes()
		if err := walkTags(&r); err != nil {
			return err
		}
	}
	return walkTags(&r)
}

// walkTags steps over tagged fields.
func walkTags(r *kbin.Reader) error {
	for count := r.Uvarint(); count > 0 && r.Ok(); count-- {
		r.Uvarint() // the tag
		r.Span(int(r.Uvarint()))
	}
	if !r.Ok() {
		return fmt.Errorf("%w: it ends too early", errBadRecord)
	}
	return nil
}
