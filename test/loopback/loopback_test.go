package loopback

import (
	"net"
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
