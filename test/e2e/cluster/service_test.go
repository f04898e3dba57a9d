package cluster

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"barnabas/internal/keeper"
	"barnabas/test/loopback"
)

// service stands before a broker's processes as a Kubernetes Service does: new connections go to the newest of them, old ones
// stay where they are.
type service struct {
	address string
	socket  net.Listener
	mu      sync.Mutex
	target  string // guarded by mu
}

func startService(t *testing.T) *service {
	socket, err := net.Listen("tcp", loopback.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	s := &service{address: socket.Addr().String(), socket: socket}
	go s.run()
	return s
}

func (s *service) route(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target
}

func (s *service) run() {
	for {
		client, err := s.socket.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		target := s.target
		s.mu.Unlock()
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(client, server)
				client.Close()
			}()
			_, _ = io.Copy(server, client)
		}()
	}
}

// startWithKeeper starts brokers whose keeper is elsewhere, in the test's own process, each behind a service.
func startWithKeeper(t *testing.T, brokers int) *cluster {
	c := &cluster{t: t, keeper: loopback.Free(t), outside: true}
	k, err := keeper.Start(keeper.Options{Dir: t.TempDir(), Listener: c.keeper, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	if err := k.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	for id := range brokers {
		c.nodes = append(c.nodes, c.add(id, startService(t)))
	}
	for _, n := range c.nodes {
		c.ready(n)
	}
	return c
}

// add starts a process of a broker with an empty directory, and leads new connections to it.
func (c *cluster) add(id int, front *service) *node {
	n := &node{id: id, address: loopback.Free(c.t), http: loopback.Free(c.t), dir: c.t.TempDir(), front: front}
	c.launch(n)
	front.route(n.address)
	return n
}
