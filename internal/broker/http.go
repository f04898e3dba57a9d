package broker

import (
	"net/http"
	"net/http/pprof"

	"barnabas/internal/probes"
)

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
	mux.HandleFunc("GET /livez", probes.Probe(h.alive, nil))
	mux.HandleFunc("GET /readyz", probes.Probe(h.ready, h.warnings))
	mux.HandleFunc("GET /safe-to-stop", probes.Probe(h.safe, nil))
	mux.Handle("GET /metrics", h.metrics)
	mux.Handle("GET /cluster/", h.cluster)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
