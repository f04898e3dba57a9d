package record

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// zstdMaxWindow is the largest window in bytes that is decoded, since the decoder holds a buffer of
	// that size. Kafka's levels up to 19 stay within it. Frames of higher levels claim as much as
	// 128 MiB but use only what they expand to: they are decoded unless that is more than this.
	zstdMaxWindow = 1 << zstdMaxWindowLog
	// zstdMaxWindowLog is its exponent.
	zstdMaxWindowLog = 23
	// zstdEncoderWindow bounds the memory of encoders.
	zstdEncoderWindow = 1 << 20

	zstdWindowAt = 5 // in a frame that isn't of a single segment
)

type zstdExpander struct {
	in      bytes.Reader
	out     *zstd.Decoder
	claimed uint64 // the window that the frame wants, if it isn't given
}

var zstdExpanders sync.Pool

func openZstd(payload []byte) (expander, error) {
	var header zstd.Header
	if err := header.Decode(payload); err != nil {
		return nil, corruptStream(err)
	}
	window := header.WindowSize
	if header.SingleSegment {
		window = header.FrameContentSize
	}
	if header.SingleSegment && window > zstdMaxWindow {
		return nil, zstdExpands(window)
	}
	e, err := newZstdExpander()
	if err != nil {
		return nil, err
	}
	// A bytes.Buffer would be decoded whole, but neither of these is one.
	var in io.Reader = &e.in
	if e.claimed = 0; window > zstdMaxWindow {
		e.claimed = window
		start := append([]byte{}, payload[:zstdWindowAt+1]...)
		start[zstdWindowAt] = (zstdMaxWindowLog - 10) << 3
		payload = payload[zstdWindowAt+1:]
		in = io.MultiReader(bytes.NewReader(start), &e.in)
	}
	e.in.Reset(payload)
	if err := e.out.Reset(in); err != nil {
		e.release()
		return nil, corruptStream(err)
	}
	return e, nil
}

func newZstdExpander() (*zstdExpander, error) {
	if e, _ := zstdExpanders.Get().(*zstdExpander); e != nil {
		return e, nil
	}
	out, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdMaxWindow))
	if err != nil {
		return nil, err
	}
	return &zstdExpander{out: out}, nil
}

func (e *zstdExpander) Read(buf []byte) (int, error) {
	n, err := e.out.Read(buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF && e.claimed > 0 {
		err = fmt.Errorf("%w: %w", zstdExpands(e.claimed), err)
	}
	return n, err
}

func zstdExpands(window uint64) error {
	return fmt.Errorf("a zstd window of %d bytes, limit %d: %w", window, zstdMaxWindow, ErrExpands)
}

func (e *zstdExpander) release() {
	e.in.Reset(nil)
	if e.out.Reset(nil) == nil {
		zstdExpanders.Put(e)
	}
}

var zstdEncoders [zstd.SpeedBestCompression + 1]sync.Pool

// zstdPacker is a pooled encoder.
type zstdPacker struct {
	*zstd.Encoder
	speed zstd.EncoderLevel
}

func (p zstdPacker) release() {
	p.Reset(nil)
	zstdEncoders[p.speed].Put(p.Encoder)
}

func newZstdPacker(level int) (zstdPacker, error) {
	if level == 0 {
		level = DefaultZstdLevel
	}
	p := zstdPacker{speed: zstd.EncoderLevelFromZstd(level)}
	if p.Encoder, _ = zstdEncoders[p.speed].Get().(*zstd.Encoder); p.Encoder != nil {
		return p, nil
	}
	var err error
	p.Encoder, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(p.speed), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(zstdEncoderWindow),
		zstd.WithZeroFrames(true))
	return p, err
}

func packZstd(out io.Writer, level int) (packer, error) {
	p, err := newZstdPacker(level)
	if err != nil {
		return nil, err
	}
	p.Reset(out)
	return p, nil
}

func compressZstd(dst, src []byte, level int) ([]byte, error) {
	p, err := newZstdPacker(level)
	if err != nil {
		return dst, err
	}
	defer zstdEncoders[p.speed].Put(p.Encoder)
	return p.EncodeAll(src, dst), nil
}
