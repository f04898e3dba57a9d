package main

import (
	"crypto/tls"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// limitCommand is the argument with which this program is the limit server: the least that a broker in Go has to do. It reads
// a frame into a buffer, writes it to a file and acknowledges it with eight bytes; or it sends a range of the file by sendfile,
// and where TLS is spoken by a copy.
const limitCommand = "serve-limit"

// Frames for the limit server: those of Produce, and one of its own that asks for bytes.
const (
	keyProduce   = 0
	keyFileRange = 0x7001 // followed by position and length, eight bytes each
)

type limitServer struct {
	file *os.File
	end  atomic.Int64
}

func serveLimit(args []string) error {
	flags := flag.NewFlagSet(limitCommand, flag.ExitOnError)
	address := flags.String("listen", "", "address to listen on")
	keys := flags.String("keys", "", "a key store as PEM, to speak TLS with")
	dir := flags.String("dir", "", "where the file is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(*dir, "limit"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	if *keys != "" {
		config, err := serverTLS(*keys)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, config)
	}
	s := &limitServer{file: file}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go s.serve(conn)
	}
}

// limitBuffer holds the largest frame.
const limitBuffer = 2 << 20

func (s *limitServer) serve(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, limitBuffer)
	for {
		have, want, upTo := 0, sizeBytes, 4<<10 // a small frame comes with one read, of a large one not more than its own
		for have < want {
			n, err := conn.Read(buffer[have:upTo])
			if err != nil {
				return
			}
			if have += n; have >= sizeBytes {
				want = sizeBytes + int(binary.BigEndian.Uint32(buffer))
				upTo = max(upTo, want)
			}
			if want > limitBuffer || have > want {
				fmt.Fprintln(os.Stderr, "a frame too large, or a small one that was not waited for")
				return
			}
		}
		if err := s.answer(conn, buffer[:want]); err != nil {
			return
		}
	}
}

func (s *limitServer) answer(conn net.Conn, frame []byte) error {
	if binary.BigEndian.Uint16(frame[sizeBytes:]) == keyFileRange {
		return s.send(conn, frame)
	}
	at := s.end.Add(int64(len(frame))) - int64(len(frame))
	if _, err := s.file.WriteAt(frame, at); err != nil {
		return err
	}
	var ack [8]byte
	binary.BigEndian.PutUint32(ack[:], sizeBytes)
	copy(ack[4:], frame[8:12]) // the correlation id
	_, err := conn.Write(ack[:])
	return err
}

func (s *limitServer) send(conn net.Conn, frame []byte) error {
	offset := int64(binary.BigEndian.Uint64(frame[12:]))
	left := int(binary.BigEndian.Uint64(frame[20:]))
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], uint32(sizeBytes+left))
	copy(head[4:], frame[8:12])
	if _, err := conn.Write(head[:]); err != nil {
		return err
	}
	tcp, plain := conn.(*net.TCPConn)
	if !plain { // a copy through Go's TLS is the least there is
		_, err := io.Copy(conn, io.NewSectionReader(s.file, offset, int64(left)))
		return err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for left > 0 {
			n, err := unix.Sendfile(int(fd), int(s.file.Fd()), &offset, left)
			switch {
			case n > 0:
				left -= n
			case err == unix.EAGAIN:
				return false
			case err == nil:
				failed = io.ErrUnexpectedEOF
				return true
			case err != unix.EINTR:
				failed = err
				return true
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	return failed
}

// rangeFrame asks the limit server for bytes of its file.
func rangeFrame(position int64, length int) []byte {
	frame := binary.BigEndian.AppendUint32(nil, 24)
	frame = binary.BigEndian.AppendUint16(frame, keyFileRange)
	frame = append(frame, 0, 0, 0, 0, 0, 1)
	frame = binary.BigEndian.AppendUint64(frame, uint64(position))
	return binary.BigEndian.AppendUint64(frame, uint64(length))
}
