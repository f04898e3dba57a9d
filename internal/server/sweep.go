package server

import (
	"errors"
	"time"
)

var (
	errIdle       = errors.New("idle longer than connections.max.idle.ms")
	errNotReading = errors.New("client does not read its replies")
	errStalled    = errors.New("client does not finish its request")
)

// The sweeper looks at all connections this often: a fraction of the idle time, within bounds.
const (
	sweepOften  = 10 * time.Millisecond
	sweepSeldom = 5 * time.Second
)

// framePatience is how long a frame that has begun may stand still: it holds memory that others wait for.
const framePatience = 60 * time.Second

// sweep closes connections that are idle or do not read.
func (s *Server) sweep() {
	for s.pause(s.sweepPause()) {
		s.sweepOnce()
	}
}

func (s *Server) sweepPause() time.Duration {
	idle := s.limits.Load().MaxIdle
	if idle <= 0 {
		return sweepSeldom
	}
	return min(max(idle/8, sweepOften), sweepSeldom)
}

func (s *Server) sweepOnce() {
	now, idle := s.now(), s.limits.Load().MaxIdle
	s.mu.Lock()
	open := s.list()
	s.mu.Unlock()
	for _, c := range open {
		if until := c.writeUntil.Load(); until != 0 && now > until {
			c.close(errNotReading)
			continue
		}
		quiet := now - c.lastActive.Load()
		if c.inFrame.Load() && quiet > int64(framePatience) {
			c.close(errStalled)
			continue
		}
		if idle > 0 && quiet > int64(idle) && c.owesNothing() {
			c.close(errIdle)
		}
	}
}

// owesNothing says whether no request is being answered: one that waits long is not idle.
func (c *conn) owesNothing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owed == 0 && !c.writing
}
