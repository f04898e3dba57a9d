package record

import (
	"fmt"
	"io"
	"math"
)

// spillSize is how many bytes of records a Builder that compresses holds before it hands them to the codec. What fits
// is compressed in one go; larger batches pass through the codec as a stream, so that a batch which is compressed anew
// costs memory by what it is compressed, and not by what it expands to.
const spillSize = 256 << 10

// packer is a compressing stream that can be given back to its pool.
type packer interface {
	io.WriteCloser
	release()
}

func newPacker(codec Codec, out *packed, level int) (packer, error) {
	switch codec {
	case Gzip:
		return packGzip(out, level)
	case Snappy:
		return packSnappy(out), nil
	case LZ4:
		return packLZ4(out, level)
	case Zstd:
		return packZstd(out, level)
	}
	return nil, fmt.Errorf("%s: %w", codec, ErrUnsupportedCodec)
}

// packed is a batch that grows behind its header, to a bound.
type packed struct {
	bytes []byte
	max   int
}

// Write implements io.Writer. It takes all or nothing.
func (p *packed) Write(b []byte) (int, error) {
	if err := p.room(len(b)); err != nil {
		return 0, err
	}
	p.bytes = append(p.bytes, b...)
	return len(b), nil
}

func (p *packed) room(more int) error {
	if len(p.bytes)+more > p.max {
		return fmt.Errorf("more than %d bytes: %w", p.max, ErrTooLarge)
	}
	return nil
}

// maxBytes is the bound on the batch.
func (b *Builder) maxBytes() int {
	if b.opts.MaxBytes > 0 {
		return b.opts.MaxBytes
	}
	return math.MaxInt32
}

// spill hands the records so far to the codec, and then more, which is the end of a record, or nil.
func (b *Builder) spill(more []byte) {
	if b.err == nil && b.stream == nil {
		b.out = packed{bytes: append(b.batch[:0], make([]byte, HeaderSize)...), max: b.maxBytes()}
		b.stream, b.err = newPacker(b.opts.Codec, &b.out, b.opts.Level)
	}
	for _, part := range [...][]byte{b.records, more} {
		if b.err == nil {
			_, b.err = b.stream.Write(part)
		}
		b.spilled += len(part)
	}
	b.records = b.records[:0]
}

// room says whether a Builder that does not compress can still hold its records; more are to come after them.
func (b *Builder) room(more int) bool {
	if b.err == nil && b.Size()+more > b.maxBytes() {
		b.err = fmt.Errorf("more than %d bytes: %w", b.maxBytes(), ErrTooLarge)
	}
	return b.err == nil
}

// endSpill ends the stream and returns the batch, its header not yet written.
func (b *Builder) endSpill() ([]byte, error) {
	b.spill(nil)
	if b.err == nil {
		b.err = b.stream.Close()
	}
	b.dropSpill()
	return b.out.bytes, b.err
}

// dropSpill gives the stream back.
func (b *Builder) dropSpill() {
	if b.stream != nil {
		b.stream.release()
		b.stream = nil
	}
}
