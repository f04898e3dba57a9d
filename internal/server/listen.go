package server

import (
	"net"
	"time"
)

// listen binds an address, with a queue of at most backlog connections if that is given. The standard library
// asks for the largest queue that the system allows; listening again on the same socket changes it.
func listen(address string, backlog int) (net.Listener, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil || backlog <= 0 {
		return socket, err
	}
	raw, err := socket.(*net.TCPListener).SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) { failed = setBacklog(fd, backlog) })
		if err == nil {
			err = failed
		}
	}
	if err != nil {
		socket.Close()
		return nil, err
	}
	return socket, nil
}

// rate spaces out accepted connections (max.connection.creation.rate), letting a second's worth come at once.
type rate struct {
	tokens float64
	last   time.Time
}

// wait is how long the next connection has to wait at perSecond, which it then may come at.
func (r *rate) wait(perSecond int, now time.Time) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	burst := float64(perSecond)
	if r.last.IsZero() {
		r.tokens = burst
	} else {
		r.tokens = min(burst, r.tokens+now.Sub(r.last).Seconds()*burst)
	}
	r.last = now
	r.tokens--
	if r.tokens >= 0 {
		return 0
	}
	return time.Duration(-r.tokens / burst * float64(time.Second))
}

func (s *Server) waitForRate() bool {
	s.mu.Lock()
	pause := s.created.wait(s.limits.Load().MaxCreationRate, time.Now())
	s.mu.Unlock()
	return pause == 0 || s.pause(pause)
}
