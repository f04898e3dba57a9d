package keeper

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"barnabas/internal/config"
	"barnabas/internal/metadata"
	"barnabas/internal/probes"
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

// StartHealth answers probes and scrapes for a member at an address, or nowhere if that is empty (probes.Listen): /livez, /readyz,
// /metrics, /debug/pprof. The server is nil then, and can be stopped all the same.
func StartHealth(address string, byDefault bool, m *Member, version string) (*probes.Server, error) {
	if address == "" {
		return nil, nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", probes.Probe(m.Err, nil))
	mux.HandleFunc("GET /readyz", probes.Probe(m.Ready, nil))
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers{prometheus.DefaultGatherer, m.metrics(version)}, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	server, err := probes.Listen(address, byDefault, mux, m.logger)
	if err != nil {
		return nil, fmt.Errorf("http.listener (ZOO_HTTP_LISTENER): %w", err)
	}
	return server, nil
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
	gauge("barnabas_keeper_quota_alarm", "1 where the metadata take more than 75 % of their quota (from 80 % on no topics and partitions are added), 2 where they have reached it and nothing is written.", func() float64 {
		server := m.running()
		switch {
		case server == nil:
			return 0
		case full(server)[uint64(server.MemberID())]:
			return 2
		}
		return yes(metadata.Usage{Bytes: server.Backend().SizeInUse(), Quota: m.options.Quota}.NearlyFull())
	})
	gauge("barnabas_keeper_quota_bytes", "What the metadata's file may take.", func() float64 { return float64(m.options.Quota) })
	gauge("barnabas_keeper_database_in_use_bytes", "What the metadata and their history take of their file.", func() float64 {
		if server := m.running(); server != nil {
			return float64(server.Backend().SizeInUse())
		}
		return 0
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
