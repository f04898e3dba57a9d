package record

import (
	"bytes"
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

func compressGzip(dst, src []byte, level int) ([]byte, error) {
	if level < 0 || level > gzip.BestCompression {
		level = 0
	}
	out := bytes.NewBuffer(dst)
	w, _ := gzipWriters[level].Get().(*gzip.Writer)
	if w == nil {
		speed := gzip.DefaultCompression
		if level > 0 {
			speed = level
		}
		var err error
		if w, err = gzip.NewWriterLevel(out, speed); err != nil {
			return dst, err
		}
	}
	defer gzipWriters[level].Put(w)
	w.Reset(out)
	if _, err := w.Write(src); err != nil {
		return dst, err
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	return out.Bytes(), nil
}
