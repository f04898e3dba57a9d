package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
)

// Snappy comes in two framings. The Java client wraps blocks of 32 KiB in the xerial format: a header of
// 16 bytes, then for each block its compressed length (int32) and itself. Others send one raw block.
const (
	xerialHeaderSize = 16
	xerialBlockSize  = 32 << 10
	// snappyMaxRatio is more than snappy can expand by: three bytes that copy 64.
	snappyMaxRatio = 22
	// snappyPooledBlock is the largest block that is kept for others.
	snappyPooledBlock = 256 << 10
)

var (
	xerialMagic  = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}
	xerialHeader = append(xerialMagic[:8:8], 0, 0, 0, 1, 0, 0, 0, 1)
)

type snappyExpander struct {
	in     []byte
	xerial bool
	limit  int64
	block  []byte // decoded; kept between uses
	unread []byte // of block
}

var snappyExpanders = sync.Pool{New: func() any { return new(snappyExpander) }}

func openSnappy(payload []byte, limit int64) (expander, error) {
	e := snappyExpanders.Get().(*snappyExpander)
	e.in, e.limit, e.unread = payload, limit, nil
	e.xerial = bytes.HasPrefix(payload, xerialMagic)
	return e, nil
}

func (e *snappyExpander) release() {
	e.in, e.unread = nil, nil
	if cap(e.block) > snappyPooledBlock {
		e.block = nil
	}
	snappyExpanders.Put(e)
}

func (e *snappyExpander) Read(buf []byte) (int, error) {
	for len(e.unread) == 0 {
		if err := e.decodeBlock(); err != nil {
			return 0, err
		}
	}
	n := copy(buf, e.unread)
	e.unread = e.unread[n:]
	return n, nil
}

func (e *snappyExpander) decodeBlock() error {
	block, err := e.cutBlock()
	if err != nil {
		return err
	}
	size, err := snappy.DecodedLen(block)
	if err != nil {
		return err
	}
	if int64(size) > e.limit {
		return fmt.Errorf("a snappy block of %d bytes: %w", size, ErrExpands)
	}
	if size > snappyMaxRatio*len(block) {
		return fmt.Errorf("a snappy block that claims %d bytes of %d: %w", size, len(block), ErrCorrupt)
	}
	decoded, err := snappy.Decode(e.block[:cap(e.block)], block)
	if err != nil {
		return err
	}
	e.block, e.unread = decoded, decoded
	return nil
}

func (e *snappyExpander) cutBlock() ([]byte, error) {
	if len(e.in) == 0 {
		return nil, io.EOF
	}
	if !e.xerial {
		block := e.in
		e.in = nil
		return block, nil
	}
	// Streams may be concatenated, header and all.
	for bytes.HasPrefix(e.in, xerialMagic) {
		if len(e.in) < xerialHeaderSize {
			return nil, io.ErrUnexpectedEOF
		}
		e.in = e.in[xerialHeaderSize:]
	}
	if len(e.in) == 0 {
		return nil, io.EOF
	}
	if len(e.in) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	size := binary.BigEndian.Uint32(e.in)
	if uint64(size) > uint64(len(e.in)-4) {
		return nil, io.ErrUnexpectedEOF
	}
	block := e.in[4 : 4+size]
	e.in = e.in[4+size:]
	return block, nil
}

func compressSnappy(dst, src []byte) []byte {
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		block := src[:min(len(src), xerialBlockSize)]
		src = src[len(block):]
		dst = appendXerialBlock(dst, block)
	}
	return dst
}

func appendXerialBlock(dst, block []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendSnappyBlock(dst, block)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// snappyPacker cuts what is written into the blocks of the xerial format.
type snappyPacker struct {
	out   *packed
	block []byte // not yet encoded, less than a block
}

func packSnappy(out *packed) packer {
	out.bytes = append(out.bytes, xerialHeader...)
	return &snappyPacker{out: out, block: make([]byte, 0, xerialBlockSize)}
}

func (p *snappyPacker) release() {}

// Write implements io.Writer.
func (p *snappyPacker) Write(b []byte) (int, error) {
	written := len(b)
	for len(b) > 0 {
		n := min(len(b), xerialBlockSize-len(p.block))
		p.block = append(p.block, b[:n]...)
		b = b[n:]
		if len(p.block) < xerialBlockSize {
			break
		}
		if err := p.flush(); err != nil {
			return 0, err
		}
	}
	return written, nil
}

// Close writes the last block.
func (p *snappyPacker) Close() error {
	if len(p.block) == 0 {
		return p.out.room(0)
	}
	return p.flush()
}

func (p *snappyPacker) flush() error {
	p.out.bytes = appendXerialBlock(p.out.bytes, p.block)
	p.block = p.block[:0]
	return p.out.room(0)
}

// appendSnappyBlock encodes straight into dst's spare room, which it makes if need be.
func appendSnappyBlock(dst, block []byte) []byte {
	at, most := len(dst), snappy.MaxEncodedLen(len(block))
	if cap(dst)-at < most {
		grown := make([]byte, at, 2*cap(dst)+most)
		copy(grown, dst)
		dst = grown
	}
	encoded := snappy.Encode(dst[at:at+most], block)
	return dst[:at+len(encoded)]
}
