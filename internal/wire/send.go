package wire

import (
	"io"
	"syscall"
)

// sendfileFrom is the length from which a range goes by sendfile. A shorter one is cheaper copied
// beside the bytes around it: one system call and one packet instead of three.
const sendfileFrom = 64 << 10

// SendTo writes the reply to a connection (or, in tests, to anything): bytes with write, long ranges with sendfile where the
// connection is plain TCP, the others read into memory. It does not Free.
func (r *Reply) SendTo(conn io.Writer) error {
	if r.buffer == nil {
		return nil
	}
	if len(r.buffer.cuts) == 0 {
		_, err := conn.Write(r.buffer.Bytes)
		return err
	}
	s := sender{conn: conn, out: NewBuffer(0)}
	defer func() { s.out.Free() }() // the buffer may have been replaced by then
	sent := 0
	for _, c := range r.buffer.cuts {
		s.gather(r.buffer.Bytes[sent:c.at])
		sent = c.at
		if err := s.sendRange(c.Range); err != nil {
			return err
		}
	}
	s.gather(r.buffer.Bytes[sent:])
	return s.flush()
}

// plain is a connection of the system's, with nothing between.
type plain interface {
	io.Writer
	syscall.Conn
}

// sender gathers what lies between long ranges.
type sender struct {
	conn io.Writer
	out  *Buffer
}

func (s *sender) gather(b []byte) { s.out.Bytes = append(s.out.Bytes, b...) }

func (s *sender) flush() error {
	if len(s.out.Bytes) == 0 {
		return nil
	}
	_, err := s.conn.Write(s.out.Bytes)
	s.out.Bytes = s.out.Bytes[:0]
	return err
}

func (s *sender) sendRange(part Range) error {
	if part.Length >= sendfileFrom && part.File.OS() != nil {
		if socket, ok := s.conn.(plain); ok {
			if err := s.flush(); err != nil {
				return err
			}
			return sendfile(socket, part)
		}
	}
	return s.copyRange(part)
}

// copyRange reads the range in pieces of at most sendfileFrom, which bounds what is gathered.
func (s *sender) copyRange(part Range) error {
	for part.Length > 0 {
		n := min(part.Length, sendfileFrom-len(s.out.Bytes)%sendfileFrom) // a whole number of TLS's records, once flushed
		start := len(s.out.Bytes)
		s.grow(n)
		if read, err := part.File.ReadAt(s.out.Bytes[start:], part.Position); read < n {
			return noEOF(err)
		}
		part.Position += int64(n)
		part.Length -= n
		if len(s.out.Bytes) < sendfileFrom {
			continue
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
	return nil
}

// grow lengthens the gathered bytes by n, from the pool rather than by append's doubling.
func (s *sender) grow(n int) {
	need := len(s.out.Bytes) + n
	if need <= cap(s.out.Bytes) {
		s.out.Bytes = s.out.Bytes[:need]
		return
	}
	larger := NewBuffer(need)
	copy(larger.Bytes, s.out.Bytes)
	s.out.Free()
	s.out = larger
}

// noEOF tells a file that ends inside a range from one that was closed by a peer.
func noEOF(err error) error {
	if err == io.EOF || err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
