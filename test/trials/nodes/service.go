package nodes

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// service stands before a node's processes as a Kubernetes Service does: an address of its own, whose new connections go to one of
// the pods that are ready, in turn, while old ones stay where they are. Its goroutines end with close.
type service struct {
	host      string
	listeners []net.Listener
	running   sync.WaitGroup

	mu      sync.Mutex
	next    int                 // guarded by mu
	targets map[string]*targets // guarded by mu, by port
}

// targets are the hosts that a port leads to.
type targets struct{ hosts []string }

const (
	brokerPort  = "9092"
	healthPort  = "8080"
	keeperPort  = "2181"
	memberPort  = "2888"
	rollPort    = "3888"
	upkeepPort  = "8081"
	frontOffset = 100 // of a Service's address to its node's number
	lifeOffset  = 10  // between the addresses of a node's processes, one generation after the other
)

var (
	brokerPorts = []string{brokerPort}
	keeperPorts = []string{keeperPort, memberPort, rollPort}
)

func startService(host string) (*service, error) {
	s := &service{host: host, targets: map[string]*targets{}}
	for _, port := range append(append([]string{}, brokerPorts...), keeperPorts...) {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			s.close()
			return nil, fmt.Errorf("service: %w", err)
		}
		s.listeners = append(s.listeners, l)
		s.targets[port] = &targets{}
		s.running.Go(func() { s.serve(l, port) })
	}
	return s, nil
}

// lead says where new connections to the ports go.
func (s *service) lead(ports []string, hosts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, port := range ports {
		s.targets[port].hosts = hosts
	}
}

// target is where the next connection goes; empty for nowhere.
func (s *service) target(port string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts := s.targets[port].hosts
	if len(hosts) == 0 {
		return ""
	}
	s.next++
	return hosts[s.next%len(hosts)]
}

func (s *service) serve(l net.Listener, port string) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		host := s.target(port)
		go join(client, net.JoinHostPort(host, port))
	}
}

// join passes on what comes until either end closes.
func join(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}

func (s *service) close() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.running.Wait()
}
