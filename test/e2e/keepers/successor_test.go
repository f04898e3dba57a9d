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

// Three keepers behind Services get a successor each, and are all told to stop at once: they go one after
// another, each when its successor is in its place, while a writer goes on.
func TestThreeSuccessorsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 3)
	ports := [3]int{freePort(t), freePort(t), freePort(t)}
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
	e.allReady()
	w := e.write()
	w.goesOn()
	old := e.keepers
	for i, k := range old {
		n := &process{
			name: k.name + "'", number: k.number, host: fmt.Sprintf("127.0.2.%d", k.number), ports: ports,
			http: fmt.Sprintf("127.0.0.1:%d", freePort(t)), dir: t.TempDir(),
		}
		e.keepers = append(e.keepers, n)
		services[i].target.Store(n.host)
		e.launch(n)
	}
	// A newcomer that is ready is known to its incumbent, which may be told to stop from then on.
	e.allReady()
	for _, k := range old {
		if k.readiness() != "ok" {
			t.Errorf("%s is %q while its successor waits", k.name, k.readiness())
		}
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
