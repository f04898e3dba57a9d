package keepers

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// service is a Kubernetes Service as members see it: a name whose connections go to the newest pod.
type service struct {
	host   string
	target atomic.Value
}

// serve listens at all ports of a keeper on an address of its own.
func (e *ensemble) serve(s *service, ports []int) {
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(s.host, fmt.Sprint(port)))
		if err != nil {
			e.t.Fatal(err)
		}
		e.t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer conn.Close()
					to, err := net.Dial("tcp", net.JoinHostPort(s.target.Load().(string), fmt.Sprint(port)))
					if err != nil {
						return
					}
					defer to.Close()
					go func() {
						io.Copy(to, conn)
						to.(*net.TCPConn).CloseWrite()
					}()
					io.Copy(conn, to)
				}()
			}
		}()
	}
}

// freeOnAll is a port that nobody has on any of the Services' and their pods' addresses: other suites listen on all addresses
// of the machine, at ports that they have just found free too.
func freeOnAll(t *testing.T) int {
	t.Helper()
	for {
		port := freePort(t)
		free := true
		for i := 0; free && i < 9; i++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.%d.%d:%d", 1+i/3, 1+i%3, port))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return port
		}
	}
}

// behindServices makes three keepers, each behind a Service, and returns the Services too.
func behindServices(t *testing.T) (*ensemble, []*service) {
	e := newEnsemble(t, 3)
	ports := [3]int{freeOnAll(t), freeOnAll(t), freeOnAll(t)}
	var services []*service
	for i, k := range e.keepers {
		k.host, k.ports = fmt.Sprintf("127.0.1.%d", k.number), ports
		s := &service{host: fmt.Sprintf("127.0.3.%d", k.number)}
		s.target.Store(k.host)
		e.serve(s, ports[:])
		services = append(services, s)
		e.names = append(e.names, services[i].host)
	}
	e.launchAll()
	return e, services
}

// newcomer is an empty keeper of a number that is taken; its Service leads to it from now on.
func (e *ensemble) newcomer(k *process, s *service) *process {
	n := &process{
		name: k.name + "'", number: k.number, host: fmt.Sprintf("127.0.2.%d", k.number), ports: k.ports,
		http: fmt.Sprintf("127.0.0.1:%d", freePort(e.t)), dir: e.t.TempDir(),
	}
	e.keepers = append(e.keepers, n)
	s.target.Store(n.host)
	return n
}

// Three keepers behind Services get a successor each, and are all told to stop at once: they go one after
// another, each when its successor is in its place, while a writer goes on.
func TestThreeSuccessorsAtOnce(t *testing.T) {
	t.Parallel()
	e, services := behindServices(t)
	e.allReady()
	w := e.write()
	w.goesOn()
	old := e.keepers
	for i, k := range old {
		e.launch(e.newcomer(k, services[i]))
	}
	// A newcomer that is ready is known to its incumbent, which may be told to stop from then on.
	e.allReady()
	for _, n := range e.keepers[3:] {
		e.await(n.name+" to say for whom it waits", func() bool { return n.output.Says("to be told to stop: it serves in this one's place") })
	}
	for _, k := range old {
		e.ready(k) // while its successor waits; an election on a busy machine may hold that up for a moment
	}
	began := time.Now()
	var all sync.WaitGroup
	for _, k := range old {
		all.Go(func() { e.stop(k) })
	}
	all.Wait()
	t.Logf("three were succeeded in %s", time.Since(began).Round(time.Millisecond))
	w.goesOn()
	for _, n := range e.keepers[3:] {
		e.await(n.name+" to serve", func() bool { return n.output.Says("keeper: serves") && n.readiness() == "ok" })
	}
	w.check()
}

// Pods without a readiness probe: the incumbents are told to stop before the newcomers have opened a port, and see only that
// their names lead elsewhere.
func TestToldToStopBeforeNewcomersCall(t *testing.T) {
	t.Parallel()
	e, services := behindServices(t)
	e.allReady()
	w := e.write()
	w.goesOn()
	old := e.keepers
	for i, k := range old {
		e.newcomer(k, services[i])
	}
	var all sync.WaitGroup
	for _, k := range old {
		all.Go(func() { e.stop(k) })
	}
	for i, k := range old {
		e.await(k.name+" to be told", func() bool { return k.output.Says("told to stop") })
		e.launch(e.keepers[3+i])
	}
	all.Wait()
	w.goesOn()
	for _, n := range e.keepers[3:] {
		e.await(n.name+" to serve", func() bool { return n.output.Says("keeper: serves") && n.readiness() == "ok" })
	}
	w.check()
}

// A keeper that is told to stop without a newcomer in sight ends at once, and comes back with what it has.
func TestPlainStop(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	w := e.write()
	w.goesOn()
	for _, k := range e.keepers {
		began := time.Now()
		e.stop(k)
		t.Logf("%s stopped in %s", k.name, time.Since(began).Round(time.Millisecond))
		w.goesOn()
		e.launch(k)
		e.ready(k)
	}
	w.check()
}
