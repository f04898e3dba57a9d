package record

import (
	"fmt"
	"io"
)

// source cuts records from a batch's payload. Plain payloads are cut in place; compressed ones pass
// through the Decompressor's window, which always holds at least the record that is being read.
type source struct {
	buf    []byte // what follows the record that was cut last
	stream *Decompressor
}

func (s *source) resetPlain(payload []byte) { *s = source{buf: payload} }

func (s *source) resetCompressed(d *Decompressor, codec Codec, payload []byte) error {
	*s = source{}
	if err := d.open(codec, payload); err != nil {
		return err
	}
	s.stream = d
	return nil
}

func (s *source) close() {
	if s.stream != nil {
		s.stream.close()
	}
	*s = source{}
}

// next cuts the next record: its bytes from the length on, and how many bytes the length takes.
func (s *source) next() (raw []byte, prefix int, err error) {
	for {
		size, prefix, known, err := recordSize(s.buf)
		if err != nil {
			return nil, 0, err
		}
		if known && size <= len(s.buf) {
			raw, s.buf = s.buf[:size:size], s.buf[size:]
			return raw, prefix, nil
		}
		if err := s.more(size); err != nil {
			return nil, 0, err
		}
	}
}

// more makes buf longer, to hold a record of that size in the end; 0 if it isn't known.
func (s *source) more(size int) (err error) {
	if s.stream == nil {
		return fmt.Errorf("payload ends within a record: %w", ErrCorrupt)
	}
	s.buf, err = s.stream.fill(s.buf, size)
	if err == io.EOF {
		return fmt.Errorf("payload ends within a record: %w", ErrCorrupt)
	}
	return err
}

// finish returns nil if nothing is left, neither bytes nor an error at the very end such as a checksum.
func (s *source) finish() (err error) {
	if len(s.buf) == 0 && s.stream != nil {
		if s.buf, err = s.stream.fill(nil, 0); err == io.EOF {
			return nil
		}
	}
	if err == nil && len(s.buf) > 0 {
		err = fmt.Errorf("bytes behind the last record: %w", ErrCorrupt)
	}
	return err
}

// recordSize reads a record's length. known is false while buf is too short to tell.
func recordSize(buf []byte) (size, prefix int, known bool, err error) {
	n, rest, ok := cutVarint(buf)
	if !ok {
		if len(buf) >= maxVarint {
			err = fmt.Errorf("record length: %w", ErrCorrupt)
		}
		return 0, 0, false, err
	}
	if n < minRecordBody {
		return 0, 0, false, fmt.Errorf("record length %d: %w", n, ErrCorrupt)
	}
	prefix = len(buf) - len(rest)
	return prefix + int(n), prefix, true, nil
}

// minRecordBody is the length of a record that has nothing: attributes, two deltas, two nulls and no headers.
const minRecordBody = 6

// maxVarint is the length of the longest varint of 32 bits.
const maxVarint = 5
