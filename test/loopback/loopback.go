// Package loopback gives the tests that start processes addresses which stay free until those processes take them.
//
// A port that the system picks for a moment's listener is one of those that it also gives to the near ends of
// connections: on a busy machine somebody's connection has it before the process that is told to listen there.
package loopback

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Ports lie below those that systems give to connections.
const (
	firstPort = 10000
	ports     = 20000
)

var next atomic.Uint32

// Address is a host and port that nobody listens on and nothing connects from: on a loopback address of this process's own
// where the system has more than one, as Linux does.
func Address() (string, error) {
	pid := os.Getpid()
	return find(fmt.Sprintf("127.%d.%d.%d", 64+pid>>16&63, pid>>8&255, 1+pid&127), "127.0.0.1")
}

// Free is an Address for a test, which fails without one.
func Free(t testing.TB) string {
	t.Helper()
	address, err := Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// Port is a port that is free on every address of this machine, for a process that listens on all of them.
func Port() (int, error) {
	address, err := find("")
	if err != nil {
		return 0, err
	}
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return 0, err
	}
	return tcp.Port, nil
}

// reserved are the ports that this process has given out, each held until it ends.
var reserved struct {
	sync.Mutex
	names []net.Listener // guarded by the Mutex
}

// reserve keeps a port from the tests of other processes, which may try it before whoever got it here listens; false when one of
// those has it. Linux has names of sockets that are no files and end with their process; elsewhere nothing is kept.
func reserve(port uint32) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	name, err := net.Listen("unix", fmt.Sprintf("@barnabas-test-port-%d", port))
	if err != nil {
		return !errors.Is(err, syscall.EADDRINUSE)
	}
	reserved.Lock()
	defer reserved.Unlock()
	reserved.names = append(reserved.names, name)
	return true
}

// find tries hosts in their order, and on each some ports, from one that differs between processes.
func find(hosts ...string) (string, error) {
	var last error
	for _, host := range hosts {
		for range 1000 {
			port := firstPort + (uint32(os.Getpid())*101+next.Add(1))%ports
			l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
			if err != nil {
				last = err
				continue
			}
			l.Close()
			if !reserve(port) {
				last = fmt.Errorf("port %d is given to a process of another test", port)
				continue
			}
			return fmt.Sprintf("%s:%d", host, port), nil
		}
	}
	return "", fmt.Errorf("no free loopback address: %w", last)
}
