package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// pollMs is how often a loop without replies looks whether it should stop.
const pollMs = 100

// poller drives many connections from one goroutine: a read and a write for each request and one wait for many, so
// that the generator's core does less than the broker's.
type poller struct {
	epoll   int
	sockets map[int32]*prepared
	acked   *atomic.Int64
	buffer  [readBuffer]byte
}

// prepared is a connection that sends one frame again and again.
type prepared struct {
	fd       int
	frame    []byte
	topicLen int
}

func newPoller(acked *atomic.Int64) (*poller, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &poller{epoll: epoll, sockets: map[int32]*prepared{}, acked: acked}, nil
}

// add connects to a broker on 127.0.0.1 and sends the frame for the first time.
func (p *poller) add(address string, frame []byte, topicLen int) error {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s := &prepared{fd, frame, topicLen}
	p.sockets[int32(fd)] = s
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return err
	}
	return s.send()
}

// run answers each reply with the next request until stop.
func (p *poller) run(stop <-chan struct{}) error {
	events := make([]unix.EpollEvent, len(p.sockets))
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		n, err := unix.EpollWait(p.epoll, events, pollMs)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, event := range events[:max(n, 0)] {
			if err := p.turn(p.sockets[event.Fd]); err != nil {
				return err
			}
		}
	}
}

// turn reads a reply, which is small and comes whole, and sends the next request.
func (p *poller) turn(s *prepared) error {
	n, err := unix.Read(s.fd, p.buffer[:])
	if err != nil {
		return err
	}
	if n < sizeBytes || n != sizeBytes+int(binary.BigEndian.Uint32(p.buffer[:])) {
		return fmt.Errorf("a piece of %d bytes of a reply", n)
	}
	if n > 2*sizeBytes { // the limit acknowledges with eight bytes
		if err := produceError(p.buffer[sizeBytes:n], s.topicLen); err != nil {
			return err
		}
	}
	p.acked.Add(1)
	return s.send()
}

func (s *prepared) send() error {
	n, err := unix.Write(s.fd, s.frame)
	if err == nil && n < len(s.frame) {
		err = fmt.Errorf("sent %d bytes of %d", n, len(s.frame))
	}
	return err
}

func (p *poller) close() {
	for _, s := range p.sockets {
		_ = unix.Close(s.fd)
	}
	_ = unix.Close(p.epoll)
}
