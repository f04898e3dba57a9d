package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// zstdStreamWindow is the largest window in bytes that is decoded as a stream, which holds a buffer
	// of that size: levels up to 19 stay within it.
	zstdStreamWindow = 8 << 20
	// zstdMaxWindow is the largest window that is decoded at all, as with Kafka: level 22 has it.
	zstdMaxWindow = 128 << 20
	// zstdWholeSize bounds in bytes what a frame with a larger window may expand to, since it is
	// decoded whole.
	zstdWholeSize = 64 << 20
	// zstdEncoderWindow bounds the memory of encoders.
	zstdEncoderWindow = 1 << 20
)

// zstdExpander streams frames with a common window through a pooled decoder.
type zstdExpander struct {
	in  bytes.Reader
	out *zstd.Decoder
}

var zstdExpanders sync.Pool

func openZstd(payload []byte, limit int64) (expander, error) {
	var header zstd.Header
	if err := header.Decode(payload); err != nil {
		if len(payload) == 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, corruptStream(err)
	}
	window := header.WindowSize
	if header.SingleSegment {
		window = header.FrameContentSize
	}
	if window > zstdStreamWindow {
		return openZstdWhole(payload, window, limit)
	}
	e, _ := zstdExpanders.Get().(*zstdExpander)
	if e == nil {
		out, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdStreamWindow))
		if err != nil {
			return nil, err
		}
		e = &zstdExpander{out: out}
	}
	e.in.Reset(payload)
	// A bytes.Reader isn't a bytes.Buffer, which the decoder would decode whole.
	if err := e.out.Reset(&e.in); err != nil {
		e.release()
		return nil, corruptStream(err)
	}
	return e, nil
}

func (e *zstdExpander) Read(buf []byte) (int, error) { return e.out.Read(buf) }

func (e *zstdExpander) release() {
	e.in.Reset(nil)
	if e.out.Reset(nil) == nil {
		zstdExpanders.Put(e)
	}
}

// zstdWhole holds a frame that was decoded at once, because its window is too large for a stream: the
// memory it takes is then what it expands to and not what it claims.
type zstdWhole struct{ bytes.Reader }

func (*zstdWhole) release() {}

func openZstdWhole(payload []byte, window uint64, limit int64) (expander, error) {
	if window > zstdMaxWindow {
		return nil, fmt.Errorf("a zstd window of %d bytes: %w", window, ErrExpands)
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdMaxWindow),
		zstd.WithDecoderMaxMemory(uint64(zstdWholeSize)))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	expanded, err := d.DecodeAll(payload, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || int64(len(expanded)) > limit {
		return nil, fmt.Errorf("a zstd frame with a window of %d bytes: %w", window, ErrExpands)
	}
	if err != nil {
		return nil, corruptStream(err)
	}
	whole := new(zstdWhole)
	whole.Reset(expanded)
	return whole, nil
}

var zstdEncoders [zstd.SpeedBestCompression + 1]sync.Pool

func compressZstd(dst, src []byte, level int) ([]byte, error) {
	if level == 0 {
		level = DefaultZstdLevel
	}
	speed := zstd.EncoderLevelFromZstd(level)
	e, _ := zstdEncoders[speed].Get().(*zstd.Encoder)
	if e == nil {
		var err error
		e, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(zstdEncoderWindow),
			zstd.WithZeroFrames(true))
		if err != nil {
			return dst, err
		}
	}
	defer zstdEncoders[speed].Put(e)
	return e.EncodeAll(src, dst), nil
}
