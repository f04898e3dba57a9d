// Package names is the cluster's DNS server: what CoreDNS answers for Services and pods, and that nothing else exists.
package names

import (
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Domain is below which all names of a cluster are.
const Domain = "cluster.local."

// ttl in seconds is CoreDNS's own for a cluster's names.
const ttl = 5

// Zone is all that is known: the addresses of each name, which ends in Domain, and the targets of SRV names.
type Zone struct {
	Hosts    map[string][]netip.Addr
	Services map[string][]Target
}

// Target is what an SRV record leads to.
type Target struct {
	Host string
	Port uint16
}

// Server answers, on UDP and TCP.
type Server struct {
	servers []*dns.Server
	running sync.WaitGroup

	mu    sync.Mutex
	zone  Zone // guarded by mu
	asked int  // guarded by mu
	mute  bool // guarded by mu
}

// Start answers on two sockets, which Close closes.
func Start(udp net.PacketConn, tcp net.Listener) *Server {
	s := &Server{}
	for _, server := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		ready := make(chan struct{})
		server.Handler, server.NotifyStartedFunc = s, func() { close(ready) }
		s.servers = append(s.servers, server)
		s.running.Go(func() { _ = server.ActivateAndServe() }) // ends with Close
		<-ready
	}
	return s
}

// Close ends it.
func (s *Server) Close() {
	for _, server := range s.servers {
		_ = server.Shutdown()
	}
	s.running.Wait()
}

// Serve puts a zone in the place of the one before.
func (s *Server) Serve(z Zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = z
}

// Mute has it answer nobody, as while CoreDNS is not there yet, until it is called with false.
func (s *Server) Mute(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mute = on
}

// Asked counts the questions so far, those that nobody answered too.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	zone, mute := s.zone, s.mute
	s.asked++
	s.mu.Unlock()
	if !mute {
		_ = w.WriteMsg(answer(zone, question)) // who has gone meanwhile asks again
	}
}

func answer(zone Zone, question *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	reply.SetReply(question)
	reply.Authoritative = true
	for _, q := range question.Question {
		name := strings.ToLower(q.Name)
		hosts, isHost := zone.Hosts[name]
		targets, isService := zone.Services[name]
		switch {
		case !isHost && !isService:
			reply.Rcode = dns.RcodeNameError
		case q.Qtype == dns.TypeA:
			for _, a := range hosts {
				reply.Answer = append(reply.Answer, &dns.A{Hdr: header(q.Name, dns.TypeA), A: a.AsSlice()})
			}
		case q.Qtype == dns.TypeSRV:
			for _, t := range targets {
				reply.Answer = append(reply.Answer, &dns.SRV{Hdr: header(q.Name, dns.TypeSRV), Weight: 100, Port: t.Port, Target: t.Host})
			}
		}
	}
	return reply
}

func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: ttl}
}
