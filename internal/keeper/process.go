package keeper

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"barnabas/internal/config"
)

// MemberOptionsOf are the options that a configuration comes to.
func MemberOptionsOf(c *config.Keeper, logger *slog.Logger) MemberOptions {
	return MemberOptions{
		Number: c.ID, Servers: ServersOf(c.Members), Dir: c.DataDir, Tick: c.Tick, Quota: c.Quota,
		Advertised: c.Advertised, Logger: logger,
		ZooKeeper: ZooKeeper{Words: c.FourLetterWords, TickTime: c.TickTime, PerAddress: c.MaxClientConnections},
	}
}

// ServersOf are the configured members.
func ServersOf(members []config.Member) []Server {
	var servers []Server
	for _, m := range members {
		servers = append(servers, Server{
			Number: m.ID, Host: m.Host, PeerPort: m.PeerPort, RollCallPort: m.RollCallPort,
			ClientHost: m.ClientHost, ClientPort: m.ClientPort,
		})
	}
	return servers
}

// collectPercent is the garbage collector's target in a process that is a keeper and nothing else: its heap is a few
// megabytes, and half of the default costs it little.
const collectPercent = 50

// LimitMemory keeps a process small that is a keeper and nothing else, unless GOGC says otherwise.
func LimitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
}

// Health answers probes and scrapes over HTTP for a member.
type Health struct {
	server *http.Server
	net    net.Listener
	done   chan struct{}
}

// StartHealth listens at an address, or nowhere if that is empty: /livez, /readyz, /metrics, /debug/pprof.
func StartHealth(address string, m *Member, version string) (*Health, error) {
	h := &Health{done: make(chan struct{})}
	if address == "" {
		close(h.done)
		return h, nil
	}
	var err error
	if h.net, err = net.Listen("tcp", address); err != nil {
		return nil, fmt.Errorf("http.listener (ZOO_HTTP_LISTENER): %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", probe(m.Err))
	mux.HandleFunc("GET /readyz", probe(m.Ready))
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{prometheus.DefaultGatherer, m.metrics(version)}, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(m.logger.Handler(), slog.LevelDebug)}
	go func() {
		defer close(h.done)
		if err := h.server.Serve(h.net); !errors.Is(err, http.ErrServerClosed) {
			m.logger.Error("keeper: http listener failed", "error", err)
		}
	}()
	return h, nil
}

// Stop ends it.
func (h *Health) Stop() {
	if h.server != nil {
		h.server.Close()
	}
	<-h.done
}

// probe answers 200 "ok", or 503 and the reason.
func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// metrics are the member's own; etcd's come from its default registry.
func (m *Member) metrics(version string) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	yes := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "barnabas_keeper_build_info", Help: "The release.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 }))
	gauge("barnabas_keeper_ready", "Whether the keeper serves clients.", func() float64 { return yes(m.Ready() == nil) })
	gauge("barnabas_keeper_leader", "Whether the keeper leads the ensemble.", func() float64 { return yes(m.held().Leads()) })
	gauge("barnabas_keeper_quota_alarm", "Whether the metadata has reached its quota here, so that nothing is written.", func() float64 {
		server := m.running()
		return yes(server != nil && full(server)[uint64(server.MemberID())])
	})
	gauge("barnabas_keeper_database_bytes", "The size of the metadata's file.", func() float64 {
		if server := m.running(); server != nil {
			return float64(server.Backend().Size())
		}
		return 0
	})
	gauge("barnabas_keeper_members", "Members of the ensemble that count.", func() float64 {
		n := 0
		if l := m.held(); l != nil {
			for _, member := range l.Members {
				if !member.Learner {
					n++
				}
			}
		}
		return float64(n)
	})
	return registry
}
