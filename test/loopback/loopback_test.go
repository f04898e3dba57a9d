package loopback

import (
	"net"
	"runtime"
	"testing"
)

// Addresses differ, can be listened on, and are below the ports that connections begin from.
func TestAddresses(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		address, err := Address()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		if seen[address] || port < firstPort || port >= firstPort+ports {
			t.Errorf("%s, seen before: %v", address, seen[address])
		}
		seen[address] = true
	}
	port, err := Port()
	if err != nil || port < firstPort || port >= firstPort+ports {
		t.Errorf("port %d, %v", port, err)
	}
}

// What was given out is nobody else's, whether somebody listens there by now or not.
func TestPortsAreGivenOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere there are no names of sockets that end with their process")
	}
	port, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	if reserve(uint32(port)) {
		t.Errorf("port %d is given twice", port)
	}
}
