package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// httpServer answers what operators and machines ask beside the protocol: health, metrics and profiles.
type httpServer struct {
	server  *http.Server
	address net.Addr
	done    chan struct{}
}

// startHTTP listens at once, so that a port in use is an error of the start, and serves until stop.
func startHTTP(address string, handler http.Handler, logger *slog.Logger) (*httpServer, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http.listener: %w", err)
	}
	h := &httpServer{
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
		address: socket.Addr(),
		done:    make(chan struct{}),
	}
	go func() {
		defer close(h.done)
		if err := h.server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("http listener failed", "address", socket.Addr().String(), "error", err)
		}
	}()
	return h, nil
}

// stop ends the server; a request under way, such as a profile, is cut.
func (h *httpServer) stop() {
	h.server.Close()
	<-h.done
}

// health answers the probes. Each returns nil, or why not.
type health struct {
	alive, ready func() error
	// warnings are said beside "ok": what is wrong and no reason to send clients elsewhere.
	warnings func() []string
	// safe is nil while the broker could stop without anything at risk.
	safe    func() error
	metrics http.Handler
	// cluster answers below /cluster/.
	cluster http.Handler
}

// handler is the whole site. A console, once there is one, takes the root.
func (h health) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", probe(h.alive, nil))
	mux.HandleFunc("GET /readyz", probe(h.ready, h.warnings))
	mux.HandleFunc("GET /safe-to-stop", probe(h.safe, nil))
	mux.Handle("GET /metrics", h.metrics)
	mux.Handle("GET /cluster/", h.cluster)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// probe answers 200 "ok", with a line for each warning, or 503 and the reason.
func probe(check func() error, warnings func() []string) http.HandlerFunc {
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
