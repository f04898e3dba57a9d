// Package probes is how a process answers over HTTP what machines ask of it beside its protocol: whether it lives and is
// ready, its metrics, its profiles. What is asked, and what is answered, is its owner's.
//
// A Server's goroutine ends with Stop.
package probes

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// headerWithin bounds how long a request's header may take, idleFor how long a connection stays without one.
	headerWithin = 10 * time.Second
	idleFor      = 2 * time.Minute
)

// Server serves one site at one address.
type Server struct {
	server  *http.Server
	address net.Addr
	done    chan struct{}
}

// Listen listens at once, so that a port in use is an error of the start, and serves until Stop. An address by default, which
// nobody has chosen, is no reason not to start: where it is taken, as by another broker of the machine, a free port of loopback is used.
func Listen(address string, byDefault bool, site http.Handler, logger *slog.Logger) (*Server, error) {
	socket, err := net.Listen("tcp", address)
	if byDefault && errors.Is(err, syscall.EADDRINUSE) {
		if socket, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			logger.Warn("health and metrics are served elsewhere: another process has the usual address, and http.listener does not name one",
				"address", socket.Addr().String(), "usual", address)
		}
	}
	if err != nil {
		return nil, err
	}
	s := &Server{
		server: &http.Server{
			Handler: site, ReadHeaderTimeout: headerWithin, IdleTimeout: idleFor,
			ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
		address: socket.Addr(),
		done:    make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("http listener failed", "address", socket.Addr().String(), "error", err)
		}
	}()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() net.Addr { return s.address }

// Stop ends the server; a request under way, such as a profile, is cut. A nil Server has nothing to end.
func (s *Server) Stop() {
	if s == nil {
		return
	}
	s.server.Close()
	<-s.done
}

// Probe answers 200 "ok", with a line for each warning, or 503 and the reason. There may be no warnings to ask for.
func Probe(check func() error, warnings func() []string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
		if warnings == nil {
			return
		}
		for _, warning := range warnings() {
			fmt.Fprintln(w, "warning:", warning)
		}
	}
}
