package jute

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxBuffer is the longest frame that a client may send: ZooKeeper's default of jute.maxbuffer, in bytes.
const MaxBuffer = 0xfffff

// ErrFrameLength says that a frame is longer than is allowed, or that its length is negative.
var ErrFrameLength = errors.New("jute: the length of a packet is not allowed")

// ReadFrame reads one frame after its length has been read. The length is judged before memory is taken.
func ReadFrame(from io.Reader, length int32, limit int) ([]byte, error) {
	if length < 0 || int64(length) > int64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, of at most %d (jute.maxbuffer)", ErrFrameLength, length, limit)
	}
	frame := make([]byte, length)
	_, err := io.ReadFull(from, frame)
	return frame, err
}

// Framed begins a frame in b; End writes its length when the record has been appended.
func Framed(b []byte) (frame []byte, start int) { return append(b, 0, 0, 0, 0), len(b) }

// End completes the frame that begins at start.
func End(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(length(len(b)-start-4)))
	return b
}
