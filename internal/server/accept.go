package server

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// acceptPause is how long an accept loop rests when the process is out of file descriptors.
const acceptPause = 100 * time.Millisecond

func (s *Server) accept(l listening) {
	for {
		if !s.waitForSlot() || !s.waitForRate() {
			return
		}
		socket, err := l.socket.Accept()
		if err != nil {
			if s.isStopping() || errors.Is(err, net.ErrClosed) {
				return
			}
			s.logger.Warn("accept failed", "listener", l.name, "error", err)
			if !s.pause(acceptPause) {
				return
			}
			continue
		}
		s.admit(l, socket)
	}
}

// waitForSlot keeps new connections in the kernel's queue while max.connections are open, as Kafka
// does. It returns false when the server stops.
func (s *Server) waitForSlot() bool {
	for {
		limit := s.limits.Load().MaxConnections
		s.mu.Lock()
		full, stopping := limit > 0 && len(s.conns) >= limit, s.stopping
		s.mu.Unlock()
		if stopping {
			return false
		}
		if !full {
			return true
		}
		select {
		case <-s.freed:
		case <-s.stop:
			return false
		}
	}
}

func (s *Server) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stop:
		return false
	}
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// admit starts a connection unless its address has too many.
func (s *Server) admit(l listening, socket net.Conn) {
	listener, remote := l.name, remoteOf(socket)
	limits := s.limits.Load()
	s.mu.Lock()
	limit, own := limits.PerIPOverrides[remote]
	if !own {
		limit = limits.MaxConnectionsPerIP
	}
	over := (own || limit > 0) && s.perIP[remote] >= limit
	if over || s.stopping {
		s.mu.Unlock()
		socket.Close()
		if over {
			s.watch.Refused(listener)
			s.logger.Info("connection refused: too many from its address",
				"listener", listener, "remote", remote, "limit", limit)
		}
		return
	}
	s.numbered++
	c := newConn(s, asDirect(socket), remote, listener, s.numbered)
	if l.tls != nil {
		c.secure(l.tls)
	}
	s.conns[c] = struct{}{}
	s.perIP[remote]++
	s.running.Add(1)
	s.mu.Unlock()
	s.watch.Opened(listener)
	setBuffers(socket, limits)
	go c.serve()
}

func remoteOf(socket net.Conn) netip.Addr {
	if tcp, ok := socket.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func setBuffers(socket net.Conn, limits *Limits) {
	tcp, ok := socket.(*net.TCPConn)
	if !ok {
		return
	}
	if limits.SendBufferBytes > 0 {
		tcp.SetWriteBuffer(limits.SendBufferBytes)
	}
	if limits.ReceiveBufferBytes > 0 {
		tcp.SetReadBuffer(limits.ReceiveBufferBytes)
	}
}

// forget takes a closed connection out of the books and says why it closed, if that is news.
func (s *Server) forget(c *conn, reason error) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.perIP[c.remote]--; s.perIP[c.remote] <= 0 {
		delete(s.perIP, c.remote)
	}
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
	defer s.running.Done()
	s.watch.Closed(c.client.Listener)
	if errors.Is(reason, errHandshake) {
		s.watch.Failed(c.client.Listener)
	}
	if isUsual(reason) || isMistake(reason) && !s.mistakes.isNews(c.client.Listener, c.remote, time.Duration(s.now())) {
		s.logger.Debug("connection closed", "listener", c.client.Listener,
			"remote", c.socket.RemoteAddr(), "reason", reason)
		return
	}
	s.logger.Warn("connection closed", "listener", c.client.Listener,
		"remote", c.socket.RemoteAddr(), "reason", reason)
}

// isUsual says whether connections end this way every day: the peer went, sat idle, or we stop.
func isUsual(reason error) bool {
	if errors.Is(reason, errHandshake) {
		return false
	}
	for _, usual := range []error{
		nil, io.EOF, net.ErrClosed, errDraining, errIdle, os.ErrDeadlineExceeded,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ETIMEDOUT,
	} {
		if errors.Is(reason, usual) {
			return true
		}
	}
	return false
}
