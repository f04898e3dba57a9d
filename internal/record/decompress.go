package record

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// DefaultMaxExpanded bounds in bytes what the records of a batch may expand to, unless the
	// Decompressor says otherwise. Decompression is streamed, so it is time that this bounds, not memory.
	DefaultMaxExpanded = 256 << 20
	// MaxRecordSize bounds in bytes one compressed record when expanded, which has to be in memory whole.
	MaxRecordSize = 32 << 20

	// windowSize is the buffer that records are expanded into; larger records make it grow for a while.
	windowSize = 64 << 10
	// pooledWindowSize is the largest buffer that is kept for others.
	pooledWindowSize = 1 << 20
)

// Decompressor expands the records of one batch at a time, as a stream. The zero value is ready. It is
// cheap: codecs and buffers are taken from pools while a Reader is open, and made when first needed.
type Decompressor struct {
	// MaxExpanded overrides DefaultMaxExpanded.
	MaxExpanded int64
	// Large, if set, is called once for a batch before more than 1 MiB is held of one record, which may then come to
	// one and a half times MaxRecordSize. It may wait.
	Large func()

	stream   expander
	window   []byte
	pooled   *[]byte // where the window came from
	expanded int64
	large    bool
}

// expander is a decompressing stream that can be given back to its pool.
type expander interface {
	io.Reader
	release()
}

var windows = sync.Pool{New: func() any { b := make([]byte, windowSize); return &b }}

func (d *Decompressor) open(codec Codec, payload []byte) error {
	if d.stream != nil {
		panic("record: a Decompressor was given to two Readers at once")
	}
	stream, err := newExpander(codec, payload, d.limit())
	if err != nil {
		return err
	}
	d.stream, d.expanded, d.large = stream, 0, false
	d.pooled = windows.Get().(*[]byte)
	d.window = *d.pooled
	return nil
}

func newExpander(codec Codec, payload []byte, limit int64) (expander, error) {
	switch codec {
	case Gzip:
		return openGzip(payload)
	case Snappy:
		return openSnappy(payload, limit)
	case LZ4:
		return openLZ4(payload)
	case Zstd:
		return openZstd(payload)
	}
	return nil, fmt.Errorf("%s: %w", codec, ErrUnsupportedCodec)
}

func (d *Decompressor) limit() int64 {
	if d.MaxExpanded > 0 {
		return d.MaxExpanded
	}
	return DefaultMaxExpanded
}

func (d *Decompressor) close() {
	if d.stream == nil {
		return
	}
	d.stream.release()
	if len(d.window) <= pooledWindowSize {
		*d.pooled = d.window
	}
	windows.Put(d.pooled)
	d.stream, d.window, d.pooled = nil, nil, nil
}

// fill moves what is unread, which lies in the window, to the window's front and adds what the stream
// has next: at least a byte, or it fails. A record that is to fit whole has the given size, 0 if that isn't known.
// io.EOF, bare, is the end of the stream.
func (d *Decompressor) fill(unread []byte, size int) ([]byte, error) {
	if size > MaxRecordSize {
		return unread, fmt.Errorf("a record of %d bytes, limit %d: %w", size, MaxRecordSize, ErrExpands)
	}
	if len(unread) == len(d.window) {
		d.grow(unread, size)
	} else if len(unread) > 0 && &unread[0] != &d.window[0] {
		copy(d.window, unread)
	}
	have := len(unread)
	n, err := d.read(d.window[have:])
	return d.window[:have+n], err
}

// grow makes the window larger. What a record claims to be is believed once as much as is pooled has come of it:
// to double the window again and again would cost as much memory once more.
func (d *Decompressor) grow(unread []byte, size int) {
	larger := 2 * len(d.window)
	if len(d.window) >= pooledWindowSize {
		if !d.large && d.Large != nil {
			d.Large()
		}
		d.large = true
		larger = max(size, min(larger, MaxRecordSize))
	}
	grown := make([]byte, larger)
	copy(grown, unread)
	d.window = grown
}

// read wants at least one byte. A reader that gives bytes and an error gives the error again later.
func (d *Decompressor) read(into []byte) (int, error) {
	for range maxEmptyReads {
		n, err := d.stream.Read(into)
		d.expanded += int64(n)
		if d.expanded > d.limit() {
			return 0, fmt.Errorf("more than %d bytes: %w", d.limit(), ErrExpands)
		}
		if n > 0 {
			return n, nil
		}
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, corruptStream(err)
		}
	}
	return 0, fmt.Errorf("decompress: %w: %w", ErrCorrupt, io.ErrNoProgress)
}

const maxEmptyReads = 100

// corruptStream makes a codec's error one of this room's.
func corruptStream(err error) error {
	if errors.Is(err, ErrExpands) || errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("decompress: %w: %w", ErrCorrupt, err)
}

// Expand appends the expanded payload of a batch to dst; for codec None, the payload itself. Its errors
// wrap ErrCorrupt, ErrExpands or ErrUnsupportedCodec.
func (d *Decompressor) Expand(dst []byte, codec Codec, payload []byte) ([]byte, error) {
	if codec == None {
		return append(dst, payload...), nil
	}
	if err := d.open(codec, payload); err != nil {
		return dst, err
	}
	defer d.close()
	for {
		chunk, err := d.fill(nil, 0)
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
		dst = append(dst, chunk...)
	}
}
