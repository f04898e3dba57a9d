//go:build !linux

package server

import (
	"errors"
	"net"
)

// lane is Linux's: elsewhere each connection keeps its goroutine.
type lane struct{}

func newLane(*Server) (*lane, error) { return nil, errors.ErrUnsupported }

func (*lane) run() {}

func (*lane) close() {}

func (*lane) park(*conn) bool { return false }

// resting is the socket of a connection that is parked: there is none.
type resting struct {
	net.Conn
	now    bool
	unsent []byte
}
