package server

import (
	"io"
	"net"
	"sync"
	"time"
)

// Relay takes connections, before Serve, and connects each with another server, byte for byte: for a broker whose clients
// come to it while another one still serves them. The function it returns ends that, cuts what is connected, and
// leaves the listeners to Serve.
func (s *Server) Relay(dial func(listener string) (net.Conn, error)) (stop func()) {
	r := &relay{dial: dial, open: map[net.Conn]bool{}}
	for _, l := range s.listeners {
		if socket, ok := l.socket.(interruptible); ok {
			r.running.Go(func() { r.accept(l.name, socket) })
		}
	}
	var once sync.Once
	return func() { once.Do(func() { r.stop(s.listeners) }) }
}

// interruptible is a listener whose Accept can be ended without closing it.
type interruptible interface {
	net.Listener
	SetDeadline(time.Time) error
}

// relay owns the goroutines of the connections that it relays.
type relay struct {
	dial    func(listener string) (net.Conn, error)
	running sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool // guarded by mu
	ending bool              // guarded by mu
}

func (r *relay) accept(listener string, socket interruptible) {
	for {
		client, err := socket.Accept()
		if err != nil {
			if r.over() {
				return
			}
			time.Sleep(acceptPause) // out of file descriptors
			continue
		}
		r.running.Go(func() { r.serve(listener, client) })
	}
}

// serve joins one client with the other server until either ends.
func (r *relay) serve(listener string, client net.Conn) {
	if !r.add(client) {
		return
	}
	defer r.remove(client)
	upstream, err := r.dial(listener)
	if err != nil || !r.add(upstream) {
		return
	}
	defer r.remove(upstream)
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(client, upstream)
		client.Close()
	}()
	_, _ = io.Copy(upstream, client)
	upstream.Close()
	<-back
}

// add keeps a connection to be cut at the end; false, and it is closed, where that has come.
func (r *relay) add(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ending {
		c.Close()
		return false
	}
	r.open[c] = true
	return true
}

func (r *relay) remove(c net.Conn) {
	c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

func (r *relay) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ending
}

func (r *relay) stop(listeners []listening) {
	r.mu.Lock()
	r.ending = true
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	for _, l := range listeners {
		if socket, ok := l.socket.(interruptible); ok {
			_ = socket.SetDeadline(time.Unix(1, 0))
		}
	}
	r.running.Wait()
	for _, l := range listeners {
		if socket, ok := l.socket.(interruptible); ok {
			_ = socket.SetDeadline(time.Time{})
		}
	}
}
