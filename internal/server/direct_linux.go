//go:build linux && !race

package server

import (
	"io"
	"net"
	"os"
	"syscall"
)

// direct reads and writes little on a TCP connection by raw calls. The race detector, which would not see the bytes change, gets the
// ordinary ones.
type direct struct {
	net.Conn
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one direction's call; one goroutine at a time is in it.
type transfer struct {
	trap  uintptr // the system call
	bytes []byte
	moved int
	errno syscall.Errno
	try   func(fd uintptr) bool
}

// asDirect returns the connection as it is where it is not one of the system's.
func asDirect(socket net.Conn) net.Conn {
	tcp, ok := socket.(*net.TCPConn)
	if !ok {
		return socket
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return socket
	}
	d := &direct{Conn: socket, raw: raw, in: transfer{trap: syscall.SYS_READ}, out: transfer{trap: syscall.SYS_WRITE}}
	d.in.try, d.out.try = d.in.once, d.out.whole
	return d
}

// SyscallConn is for sendfile.
func (d *direct) SyscallConn() (syscall.RawConn, error) { return d.raw, nil }

func (d *direct) Read(b []byte) (int, error) {
	if len(b) == 0 || len(b) > rawBytes {
		return d.Conn.Read(b)
	}
	d.in.bytes = b
	err := d.raw.Read(d.in.try)
	n, err := d.in.end("read", err)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func (d *direct) Write(b []byte) (int, error) {
	if len(b) == 0 || len(b) > rawBytes {
		return d.Conn.Write(b)
	}
	d.out.bytes = b
	err := d.raw.Write(d.out.try)
	return d.out.end("write", err)
}

// end tells what came of the call, and forgets it; failed is what the wait for the socket said.
func (t *transfer) end(call string, failed error) (int, error) {
	n, errno := t.moved, t.errno
	t.bytes, t.moved, t.errno = nil, 0, 0
	if failed == nil && errno != 0 {
		failed = os.NewSyscallError(call, errno)
	}
	return n, failed
}

// once moves what can be moved now; false where that is nothing, and the socket is to be waited for.
func (t *transfer) once(fd uintptr) bool {
	n, errno := raw(t.trap, fd, t.bytes)
	switch errno {
	case 0:
		t.moved += n
	case syscall.EAGAIN:
		return false
	default:
		t.errno = errno
	}
	return true
}

// whole moves all bytes.
func (t *transfer) whole(fd uintptr) bool {
	for len(t.bytes) > 0 {
		before := t.moved
		if !t.once(fd) {
			return false
		}
		if t.errno != 0 {
			return true
		}
		t.bytes = t.bytes[t.moved-before:]
	}
	return true
}
