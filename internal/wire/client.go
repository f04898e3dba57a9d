package wire

import "sync/atomic"

// Client is who is at the other end of a connection, as the handlers see it.
type Client struct {
	// Address is the remote address without its port, as Kafka prints a member's host ("/10.0.0.1").
	Address string
	// Listener is the name of the listener that accepted, which decides the addresses Metadata tells.
	Listener string
	// Connection numbers the connection within this broker's life.
	Connection uint64

	clientID string // of the last request; owned by whoever parses
	software atomic.Pointer[Software]
}

// Software is what a client said of itself in ApiVersions (KIP-511).
type Software struct{ Name, Version string }

// SetSoftware keeps what the client said of itself.
func (c *Client) SetSoftware(s Software) { c.software.Store(&s) }

// Software is what the client said of itself, or nothing.
func (c *Client) Software() Software {
	if s := c.software.Load(); s != nil {
		return *s
	}
	return Software{}
}
