package storage

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"barnabas/internal/record"
)

// headerWindow is how many bytes a walk over headers reads at once: what lies between two index
// entries, mostly.
const headerWindow = 8 << 10

var headerWindows = sync.Pool{New: func() any { return new([headerWindow]byte) }}

// headers walks over the headers of the batches in a segment's file, from pos to end, without reading
// the records between them where those are long.
type headers struct {
	file     io.ReaderAt
	pos, end int64 // the next batch; where the walk ends

	window *[headerWindow]byte
	at     int64 // the file position of window[0]
	filled int
}

func walkHeaders(file io.ReaderAt, pos, end int64) headers {
	return headers{file: file, pos: pos, end: end, window: headerWindows.Get().(*[headerWindow]byte)}
}

// close gives the window back; batches from next are no longer valid.
func (h *headers) close() {
	if h.window != nil {
		headerWindows.Put(h.window)
		h.window = nil
	}
}

// next returns the next batch's header (its records are not there) and where the batch begins. The
// header is valid until the following call. io.EOF marks the end; a batch that is broken or reaches
// beyond it is record.ErrCorrupt.
func (h *headers) next() (record.Batch, int64, error) {
	if h.pos >= h.end {
		return nil, h.pos, io.EOF
	}
	header, err := h.header()
	if err != nil {
		return nil, h.pos, err
	}
	size, err := record.PeekSize(header)
	if err != nil {
		return nil, h.pos, fmt.Errorf("position %d: %w", h.pos, err)
	}
	if int64(size) > h.end-h.pos || record.Batch(header).LastOffsetDelta() < 0 {
		return nil, h.pos, fmt.Errorf("position %d: size %d, %d bytes are left: %w",
			h.pos, size, h.end-h.pos, record.ErrCorrupt)
	}
	pos := h.pos
	h.pos += int64(size)
	return record.Batch(header), pos, nil
}

func (h *headers) header() ([]byte, error) {
	if h.end-h.pos < record.HeaderSize {
		return nil, fmt.Errorf("position %d: %d bytes are left: %w", h.pos, h.end-h.pos, record.ErrCorrupt)
	}
	if h.pos < h.at || h.pos+record.HeaderSize > h.at+int64(h.filled) {
		want := min(int64(headerWindow), h.end-h.pos)
		n, err := h.file.ReadAt(h.window[:want], h.pos)
		if err != nil && !(errors.Is(err, io.EOF) && n >= record.HeaderSize) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			h.filled = 0
			return nil, fmt.Errorf("read at %d: %w", h.pos, err)
		}
		h.at, h.filled = h.pos, n
	}
	from := h.pos - h.at
	return h.window[from : from+record.HeaderSize : from+record.HeaderSize], nil
}
