package record

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

type gzipExpander struct {
	in bytes.Reader
	gzip.Reader
}

var gzipExpanders = sync.Pool{New: func() any { return new(gzipExpander) }}

func openGzip(payload []byte) (expander, error) {
	e := gzipExpanders.Get().(*gzipExpander)
	e.in.Reset(payload)
	if err := e.Reader.Reset(&e.in); err != nil {
		e.release()
		return nil, corruptStream(err)
	}
	return e, nil
}

func (e *gzipExpander) release() {
	e.in.Reset(nil)
	gzipExpanders.Put(e)
}

// gzipWriters are pooled by level, the default's at 0.
var gzipWriters [gzip.BestCompression + 1]sync.Pool

// gzipPacker is a pooled writer.
type gzipPacker struct {
	*gzip.Writer
	level int
}

func (p gzipPacker) release() { gzipWriters[p.level].Put(p.Writer) }

func packGzip(out io.Writer, level int) (packer, error) {
	if level < 0 || level > gzip.BestCompression {
		level = 0
	}
	w, _ := gzipWriters[level].Get().(*gzip.Writer)
	if w == nil {
		speed := gzip.DefaultCompression
		if level > 0 {
			speed = level
		}
		var err error
		if w, err = gzip.NewWriterLevel(out, speed); err != nil {
			return nil, err
		}
	}
	w.Reset(out)
	return gzipPacker{w, level}, nil
}
