package lan

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Enter calls f on a thread that is in another network namespace. Sockets and processes made there belong to it.
func Enter(space string, f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + space)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the namespace %s: %w", space, err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return fmt.Errorf("leave the namespace %s: %w", space, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// Start starts a command in a namespace.
func Start(space string, c *exec.Cmd) error { return Enter(space, c.Start) }

// Dial connects from within a namespace.
func Dial(ctx context.Context, space, address string, timeout time.Duration) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: timeout}
	err = Enter(space, func() (err error) {
		conn, err = dialer.DialContext(ctx, "tcp4", address)
		return err
	})
	return conn, err
}

// Listen opens a port for UDP and TCP in the bridge's namespace.
func (l *LAN) Listen(address string) (udp net.PacketConn, tcp net.Listener, err error) {
	err = Enter(l.Space(), func() (err error) {
		if udp, err = net.ListenPacket("udp4", address); err != nil {
			return err
		}
		tcp, err = net.Listen("tcp4", address)
		return err
	})
	return udp, tcp, err
}
