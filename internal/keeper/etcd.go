package keeper

import (
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/features"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"barnabas/internal/metadata"
)

type serverSettings = config.ServerConfig

const (
	// tickMs is the heartbeat. A member alone elects itself one or two of them after its start.
	tickMs = 10
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

// serverConfig is the configuration of an ensemble of one. It has an address only because etcd wants members
// to have one: nobody listens there, and nobody calls.
func serverConfig(options Options, logger *zap.Logger) (serverSettings, error) {
	nowhere := types.MustNewURLs([]string{"http://127.0.0.1:0"})
	client := nowhere
	if options.Listener != "" {
		client = types.URLs{url.URL{Scheme: "http", Host: options.Listener}}
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return serverSettings{}, fmt.Errorf("keeper: %w", err)
	}
	wal.SegmentSizeBytes = walSegment
	return serverSettings{
		Name: memberName, DataDir: options.Dir, NewCluster: true,
		PeerURLs: nowhere, ClientURLs: client,
		InitialPeerURLsMap:          types.URLsMap{memberName: nowhere},
		InitialClusterToken:         memberName,
		TickMs:                      tickMs,
		ElectionTicks:               electionTicks,
		InitialElectionTickAdvance:  true,
		BootstrapTimeout:            time.Second,
		SnapshotCount:               snapshotEvery,
		SnapshotCatchUpEntries:      snapshotEvery / 2,
		MaxSnapFiles:                2,
		MaxWALFiles:                 2,
		AutoCompactionMode:          "revision",
		AutoCompactionRetention:     keepRevisions,
		QuotaBackendBytes:           options.Quota,
		BackendBatchInterval:        backendEvery,
		BackendBatchLimit:           10000,
		MaxTxnOps:                   metadata.MaxOps,
		MaxRequestBytes:             4 << 20,
		MaxConcurrentStreams:        10000,
		WarningApplyDuration:        time.Second,
		WarningUnaryRequestDuration: time.Second,
		StrictReconfigCheck:         true,
		AuthToken:                   "simple",
		TokenTTL:                    300,
		BcryptCost:                  10,
		CompactHashCheckTime:        time.Minute,
		DowngradeCheckTime:          5 * time.Second,
		MaxLearners:                 1,
		V2Deprecation:               config.V2DeprDefault,
		Logger:                      logger,
		ServerFeatureGate:           features.NewDefaultServerFeatureGate(memberName, logger),
		Metrics:                     "basic",
	}, nil
}

func flock(file *os.File) error {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}
