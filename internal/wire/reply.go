package wire

import (
	"encoding/binary"
	"io"
	"math"
	"os"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// File is what a reply sends ranges of. OS is nil where there is no file of the operating system
// behind it (a memory file system): then the range is read and written.
type File interface {
	io.ReaderAt
	OS() *os.File
}

// Range is part of a file, its bytes sent as they lie there.
type Range struct {
	File     File
	Position int64
	Length   int
}

// Reply is a whole response frame: bytes, with ranges of files between them. The zero Reply means
// that nothing is sent (Produce with acks=0). A Reply has one owner, who calls Free once.
type Reply struct {
	buffer  *Buffer // with the cuts
	inFiles int
	release Releaser
	sent    Sent
}

// Releaser lets go of what a reply's ranges point to.
type Releaser interface{ Release() }

// Sent is told once that a reply was sent or dropped.
type Sent interface{ Sent() }

// cut is a range that goes out after the first at bytes of the buffer.
type cut struct {
	at int
	Range
}

const sizeBytes = 4

// NewReply encodes a response with its header.
func NewReply(h Header, response kmsg.Response) Reply {
	r := BeginReply(h, response.IsFlexible())
	r.buffer.Bytes = response.AppendTo(r.buffer.Bytes)
	return r.End()
}

// BeginReply starts a frame: room for its size, and the response header, version 1 where the
// response is flexible. ApiVersions keeps header version 0 for ever (KIP-511).
func BeginReply(h Header, flexible bool) Reply {
	b := NewBuffer(1 << minBufferBits)
	b.Bytes = append(b.Bytes[:0], 0, 0, 0, 0)
	b.Bytes = binary.BigEndian.AppendUint32(b.Bytes, uint32(h.CorrelationID))
	if flexible && h.Key != KeyApiVersions {
		b.Bytes = append(b.Bytes, 0)
	}
	return Reply{buffer: b}
}

// Append hands the bytes so far to add, which appends to them.
func (r *Reply) Append(add func([]byte) []byte) { r.buffer.Bytes = add(r.buffer.Bytes) }

// Encoder writes what comes next; [Reply.Take] has the reply go on after it.
func (r *Reply) Encoder(flexible bool) Encoder {
	return Encoder{Bytes: r.buffer.Bytes, Flexible: flexible}
}

// Take ends what an Encoder of the reply has written.
func (r *Reply) Take(e *Encoder) { r.buffer.Bytes = e.Bytes }

// AppendRange puts a range of a file after the bytes so far.
func (r *Reply) AppendRange(part Range) {
	if part.Length == 0 {
		return
	}
	r.buffer.cuts = append(r.buffer.cuts, cut{at: len(r.buffer.Bytes), Range: part})
	r.inFiles += part.Length
}

// OnFree has the files of the reply's ranges unpinned when it was sent or dropped.
func (r *Reply) OnFree(release Releaser) { r.release = release }

// OnSent has whoever made the reply told when it is freed: the last byte has left, or none will.
func (r *Reply) OnSent(s Sent) { r.sent = s }

// End writes the frame's size into its place. A frame past 2 GiB is a caller that ignored its bounds.
func (r Reply) End() Reply {
	size := r.Size() - sizeBytes
	if size > math.MaxInt32 {
		panic("wire: reply of more than 2 GiB")
	}
	binary.BigEndian.PutUint32(r.buffer.Bytes, uint32(size))
	return r
}

// IsZero says whether there is nothing to send.
func (r *Reply) IsZero() bool { return r.buffer == nil }

// Size is the frame's, in bytes, with its four bytes of size; of it MemorySize is held in memory.
func (r *Reply) Size() int { return r.MemorySize() + r.inFiles }

// MemorySize is the size of what the reply holds in memory.
func (r *Reply) MemorySize() int {
	if r.buffer == nil {
		return 0
	}
	return len(r.buffer.Bytes)
}

// Free returns the memory and unpins the files. The reply is zero afterwards.
func (r *Reply) Free() {
	r.buffer.Free()
	if r.release != nil {
		r.release.Release()
	}
	sent := r.sent
	*r = Reply{}
	if sent != nil {
		sent.Sent()
	}
}
