package keeper

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// endUnacknowledged has the kernel end a connection on which nothing sent was acknowledged for so long (TCP_USER_TIMEOUT). gRPC does
// that itself for connections that it knows to be of TCP.
func endUnacknowledged(conn net.Conn, after time.Duration) error {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(after/time.Millisecond))
	}); err != nil {
		return err
	}
	return failed
}
