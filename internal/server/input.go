package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"barnabas/internal/wire"
)

// inputBytes is what a connection keeps to read into: a one-record request comes with one system
// call, and ten thousand idle connections stay small.
const inputBytes = 2 << 10

// firstAllocation bounds what a frame's claim alone allocates.
const firstAllocation = 64 << 10

const sizeBytes = 4

// input is a connection's unread bytes.
type input struct {
	buffer     []byte
	start, end int
	frames     uint64 // read so far
}

var (
	errFrameTooLarge = errors.New("frame larger than socket.request.max.bytes")
	errFrameSize     = errors.New("frame of negative or no size")
	errNotKafka      = errors.New("not the Kafka protocol")
)

// next reads a frame. Its bytes are taken from the server's budget.
func (in *input) next(c *conn) (*wire.Buffer, error) {
	if err := in.fill(c, sizeBytes); err != nil {
		return nil, err
	}
	head := in.buffer[in.start : in.start+sizeBytes]
	size := int(int32(binary.BigEndian.Uint32(head)))
	if err := c.checkSize(size, head, in.frames); err != nil {
		return nil, err
	}
	in.start += sizeBytes
	in.frames++
	if in.end-in.start >= size { // the whole frame came with one read
		frame, err := in.take(c, size)
		return in.checkFirst(c, frame, err)
	}
	c.lastActive.Store(c.server.now())
	c.inFrame.Store(true)
	frame, err := in.read(c, size)
	c.inFrame.Store(false)
	return in.checkFirst(c, frame, noCleanEnd(err))
}

// checkFirst refuses a connection whose first frame is a ZooKeeper client's greeting: in size it could be a request.
func (in *input) checkFirst(c *conn, frame *wire.Buffer, err error) (*wire.Buffer, error) {
	if err != nil || in.frames != 1 || !zooKeeperGreeting(frame.Bytes) {
		return frame, err
	}
	c.server.budget.give(len(frame.Bytes))
	frame.Free()
	return nil, fmt.Errorf("%w but ZooKeeper's (the keeper's port is 2181)", errNotKafka)
}

// zooKeeperGreeting recognises a ConnectRequest: protocol version 0, last zxid, timeout, session, a password of 16
// bytes, and perhaps whether a read-only server will do.
func zooKeeperGreeting(frame []byte) bool {
	const version, passwordLength, password, whole = 0, 24, 16, 44
	return (len(frame) == whole || len(frame) == whole+1) && binary.BigEndian.Uint32(frame) == version &&
		binary.BigEndian.Uint32(frame[passwordLength:]) == password
}

// take copies a frame that is buffered.
func (in *input) take(c *conn, size int) (*wire.Buffer, error) {
	if !c.server.budget.take(size) {
		return nil, errDraining
	}
	frame := wire.NewBuffer(size)
	copy(frame.Bytes, in.buffer[in.start:in.end])
	in.start += size
	return frame, nil
}

// fill reads until n bytes are buffered. A peer that ends between frames yields io.EOF.
func (in *input) fill(c *conn, n int) error {
	if in.buffer == nil {
		in.buffer = make([]byte, inputBytes)
	}
	if in.start == in.end {
		in.start, in.end = 0, 0
	}
	if in.start+n > len(in.buffer) {
		in.end = copy(in.buffer, in.buffer[in.start:in.end])
		in.start = 0
	}
	for in.end-in.start < n {
		read, err := c.socket.Read(in.buffer[in.end:])
		in.end += read
		if read == 0 && err != nil {
			if in.end > in.start {
				return noCleanEnd(err)
			}
			return err
		}
	}
	return nil
}

// read takes what is buffered of a frame and reads the rest straight into it. Of a large frame the first piece
// must have come before the rest is allocated: a claim alone costs nothing. While the rest waits
// for room in the budget the piece is not counted, so that two large frames can't wait for each other.
func (in *input) read(c *conn, size int) (*wire.Buffer, error) {
	first := min(size, firstAllocation)
	frame, err := in.piece(c, nil, first)
	if err != nil || first == size {
		return frame, err
	}
	c.server.budget.give(first)
	return in.piece(c, frame, size)
}

// piece takes room for n bytes, and fills them from what there is already, from the buffer and from the socket.
func (in *input) piece(c *conn, have *wire.Buffer, n int) (*wire.Buffer, error) {
	if !c.server.budget.take(n) {
		have.Free()
		return nil, errDraining
	}
	frame, filled := wire.NewBuffer(n), 0
	if have != nil {
		filled = copy(frame.Bytes, have.Bytes)
		have.Free()
	}
	buffered := copy(frame.Bytes[filled:], in.buffer[in.start:in.end])
	in.start += buffered
	if err := in.readFull(c, frame.Bytes[filled+buffered:]); err != nil {
		c.server.budget.give(n)
		frame.Free()
		return nil, err
	}
	return frame, nil
}

// readFull is io.ReadFull that marks progress for the sweeper.
func (in *input) readFull(c *conn, into []byte) error {
	for len(into) > 0 {
		n, err := c.socket.Read(into)
		if n > 0 {
			c.lastActive.Store(c.server.now())
		}
		into = into[n:]
		if err != nil && len(into) > 0 {
			return err
		}
	}
	return nil
}

func noCleanEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checkSize refuses a frame before a byte of it is allocated. Where the connection's first bytes are
// those of another protocol, the error says which: it is the commonest mistake of set-up.
func (c *conn) checkSize(size int, head []byte, frames uint64) error {
	limit := c.server.limits.Load().MaxRequestBytes
	if size > 0 && (limit <= 0 || size <= limit) {
		return nil
	}
	if frames == 0 {
		if name := protocolOf(head); name != "" {
			return fmt.Errorf("%w but %s", errNotKafka, name)
		}
	}
	if size <= 0 {
		return fmt.Errorf("%w: %d bytes", errFrameSize, size)
	}
	return fmt.Errorf("%w: %d bytes, limit %d", errFrameTooLarge, size, limit)
}

// protocolOf names the protocol that a connection's first four bytes belong to, if it is known.
func protocolOf(head []byte) string {
	switch string(head) {
	case "GET ", "POST", "PUT ", "HEAD", "OPTI", "PRI ", "DELE", "CONN":
		return "HTTP"
	case "ruok", "stat", "srvr", "mntr", "envi", "conf", "cons", "isro":
		return "a ZooKeeper command (the keeper's port is 2181)"
	case "SSH-":
		return "SSH"
	}
	if head[0] == 0x16 && head[1] == 3 {
		return "TLS, and this listener speaks PLAINTEXT: give the client security.protocol=PLAINTEXT, or the port of an SSL listener"
	}
	return ""
}
