package keeper

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/features"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sys/unix"

	"barnabas/internal/metadata"
)

type serverSettings = config.ServerConfig

const (
	// aloneTick is the heartbeat of a member alone, which elects itself one or two of them after its start.
	aloneTick = 10 * time.Millisecond
	// electionTicks is the least that raft takes: a member alone waits for nobody.
	electionTicks = 2
	// memberName tells the only member of an ensemble of one.
	memberName = "keeper"
	// walSegment is how much of the write-ahead log is allocated at once.
	walSegment = 8 << 20
	// snapshotEvery is after how many entries the log is cut; the memory holds up to that many.
	snapshotEvery = 5000
	// backendEvery is how often the key space is written to its file; until then the log has it.
	backendEvery = time.Second
	// keepRevisions is how much history a watch that fell behind can catch up with.
	keepRevisions = 10000
)

// etcd has it for the whole process; set again for each member it would be read by those that run already.
func init() { wal.SegmentSizeBytes = walSegment }

// memberSettings are what differs between members.
type memberSettings struct {
	dir  string
	name string
	// peer and client are the addresses that other members and clients are told, host:port; empty for a member alone, which
	// has addresses only because etcd wants members to have some.
	peer, client  string
	tick          time.Duration
	electionTicks int
	quota         int64
}

const nowhere = "127.0.0.1:0"

// memberConfig is etcd's configuration of a member. Its cluster is what its directory says; only where that is empty, it
// becomes an ensemble of one.
func memberConfig(m memberSettings, logger *zap.Logger) serverSettings {
	peer, client := url.URL{Scheme: "http", Host: nowhere}, url.URL{Scheme: "http", Host: nowhere}
	if m.peer != "" {
		peer.Host = m.peer
	}
	if m.client != "" {
		client.Host = m.client
	}
	return serverSettings{
		Name: m.name, DataDir: m.dir, NewCluster: true,
		PeerURLs: types.URLs{peer}, ClientURLs: types.URLs{client},
		InitialPeerURLsMap:          types.URLsMap{m.name: types.URLs{peer}},
		InitialClusterToken:         memberName,
		TickMs:                      uint(m.tick.Milliseconds()),
		ElectionTicks:               m.electionTicks,
		InitialElectionTickAdvance:  true,
		PreVote:                     true,
		BootstrapTimeout:            time.Second,
		SnapshotCount:               snapshotEvery,
		SnapshotCatchUpEntries:      snapshotEvery / 2,
		MaxSnapFiles:                2,
		MaxWALFiles:                 2,
		AutoCompactionMode:          "revision",
		AutoCompactionRetention:     keepRevisions,
		QuotaBackendBytes:           m.quota,
		BackendBatchInterval:        backendEvery,
		BackendBatchLimit:           10000,
		MaxTxnOps:                   metadata.MaxOps,
		MaxRequestBytes:             4 << 20,
		MaxConcurrentStreams:        10000,
		WarningApplyDuration:        time.Second,
		WarningUnaryRequestDuration: time.Second,
		// The roll-call knows more of who lives than etcd's check does, which wants five seconds of connection to all.
		StrictReconfigCheck:  false,
		AuthToken:            "simple",
		TokenTTL:             300,
		BcryptCost:           10,
		CompactHashCheckTime: time.Minute,
		DowngradeCheckTime:   5 * time.Second,
		MaxLearners:          1,
		V2Deprecation:        config.V2DeprDefault,
		Logger:               logger,
		ServerFeatureGate:    features.NewDefaultServerFeatureGate(m.name, logger),
		Metrics:              "basic",
	}
}

// serverConfig is the configuration of an ensemble of one: nobody listens at its address, and nobody calls.
func serverConfig(options Options, logger *zap.Logger) (serverSettings, error) {
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return serverSettings{}, fmt.Errorf("keeper: %w", err)
	}
	return memberConfig(memberSettings{
		dir: options.Dir, name: memberName, client: options.Listener,
		tick: aloneTick, electionTicks: electionTicks, quota: options.Quota,
	}, logger), nil
}

// zapLogger is what etcd logs to. What it thinks fatal becomes a panic, which says what was going on.
func zapLogger(logger *slog.Logger) *zap.Logger {
	return zap.New(&bridge{logger: logger}, zap.WithFatalHook(zapcore.WriteThenPanic))
}

func flock(file *os.File) error {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// leasesOf is what a client in this process renews leases by.
func leasesOf(server *etcdServer) pb.LeaseClient {
	return adapter.LeaseServerToLeaseClient(v3rpc.NewQuotaLeaseServer(server))
}
