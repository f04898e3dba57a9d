package loopback

import "testing"

// What was given out is nobody else's, whether somebody listens there by now or not. Elsewhere there are no
// names of sockets that end with their process.
func TestPortsAreGivenOnce(t *testing.T) {
	port, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	if reserve(uint32(port)) {
		t.Errorf("port %d is given twice", port)
	}
}
