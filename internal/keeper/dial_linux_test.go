package keeper

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A keeper whose machine has vanished says no goodbye: the kernel has to ask, long before gRPC does, which waits for ten
// seconds at least.
func TestVanishedKeepersAreNoticed(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := dialKeeper(t.Context(), server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[int]int{unix.TCP_KEEPIDLE: 1, unix.TCP_KEEPINTVL: 1, unix.TCP_KEEPCNT: 2, unix.TCP_USER_TIMEOUT: 2000} {
		got, failed := 0, error(nil)
		if err := raw.Control(func(fd uintptr) { got, failed = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }); err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		if got != want {
			t.Errorf("option %d is %d, want %d", name, got, want)
		}
	}
}
