package wire

import (
	"math/bits"
	"sync"
)

// Buffers are pooled in classes of powers of two, so that a small reply never pins a large buffer. What is not used
// from one garbage collection to the next but one is given back.
const (
	minBufferBits = 9  // 512 bytes
	maxBufferBits = 24 // 16 MiB, of which a follower's answer takes up to ten; larger ones are left to the garbage collector
)

// Buffer is pooled memory with one owner, who calls Free when nothing points into Bytes any more.
type Buffer struct {
	Bytes []byte
	freed bool
	cuts  []cut // of the reply that is written into it
}

// keptCuts is how many ranges of files a reply may have had whose buffer keeps the room for them.
const keptCuts = 64

var bufferPools [maxBufferBits + 1]sync.Pool

// NewBuffer returns a Buffer whose Bytes have length n and unspecified content.
func NewBuffer(n int) *Buffer {
	class := max(minBufferBits, bits.Len(uint(max(n, 1)-1)))
	if class > maxBufferBits {
		return &Buffer{Bytes: make([]byte, n)}
	}
	if b, ok := bufferPools[class].Get().(*Buffer); ok {
		b.Bytes, b.freed = b.Bytes[:n], false
		return b
	}
	return &Buffer{Bytes: make([]byte, n, 1<<class)}
}

// Free gives the memory back. A Buffer that has grown by append goes to the class it has grown to.
func (b *Buffer) Free() {
	if b == nil {
		return
	}
	if b.freed {
		panic("wire: buffer freed twice") // two owners would write over each other
	}
	b.freed = true
	if clear(b.cuts); cap(b.cuts) > keptCuts {
		b.cuts = nil
	}
	b.cuts = b.cuts[:0]
	class := bits.Len(uint(cap(b.Bytes))) - 1
	if class < minBufferBits || class > maxBufferBits {
		return
	}
	bufferPools[class].Put(b)
}
