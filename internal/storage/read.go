package storage

import (
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// ReadOptions bound a read.
type ReadOptions struct {
	// MaxBytes is how much to return at most. The last batch may be cut by it, as Kafka's are.
	MaxBytes int
	// MinOneBatch returns the first batch whole even if it is larger than MaxBytes.
	MinOneBatch bool
	// UpTo bounds the batches: none holds an offset at or after it. Zero means the end of the log.
	UpTo record.Offset
}

// Range is a piece of a segment's file.
type Range struct {
	File vfs.File
	Pos  int64
	Len  int
}

// Span is what a read found: pieces of files, which stay open until Release. The zero Span is empty.
type Span struct {
	// Ranges are in the order of their offsets.
	Ranges []Range
	// Offset is the base offset of the first batch, which may be lower than what was asked for.
	Offset record.Offset
}

// Len is the bytes of all ranges.
func (s *Span) Len() int { return 0 }

// Release lets go of the files. The ranges must not be used after it. It may be called once more.
func (s *Span) Release() {}

// CopyTo reads the ranges into buf, which has room for Len bytes, and returns how many were read. ErrStorage
// if that fails; io.ErrUnexpectedEOF if the log was truncated meanwhile.
func (s *Span) CopyTo(buf []byte) (int, error) { return 0, nil }
