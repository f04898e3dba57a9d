package broker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/api"
	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/coordinator/shardlog"
	"barnabas/internal/footprint"
	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
	"barnabas/internal/probes"
	"barnabas/internal/replication"
	"barnabas/internal/server"
	"barnabas/internal/storage"
	"barnabas/internal/txn"
	"barnabas/internal/vfs"
	"barnabas/internal/wire"
)

// Options are what a broker is made of.
type Options struct {
	Config  *config.Broker
	Notices []config.Notice
	Logger  *slog.Logger
	// Version is the release, for metrics and the registration.
	Version string
	// Began is when the process began to start, for the line that says how long it took.
	Began time.Time
	// OpenMetadata, if given, opens the cluster's metadata in place of what Config.Keepers says; tests do.
	OpenMetadata func(ctx context.Context) (metadata.Store, error)
	// FS holds the log directories: the real files unless given.
	FS vfs.FS
	// Listen binds listeners in place of TCP.
	Listen func(address string) (net.Listener, error)
	// Dial connects to other brokers: by TCP unless given.
	Dial wire.Dial
	// Boot is the boot of the machine that FS belongs to: this machine's unless given.
	Boot ident.BootID
	// WallClock tells what time it is, where logs compare that with records' timestamps: time.Now unless given. Nothing that is
	// waited for depends on it.
	WallClock func() time.Time
	// Environment has the variables of the pod, and Account is the directory of its service account: the process's own unless
	// given.
	Environment func(string) string
	Account     string
	// Guest says that the process is not the broker's own: the garbage collector is left alone.
	Guest bool
}

// Broker is one broker, from Start to Stop.
type Broker struct {
	options Options
	config  *config.Broker
	logger  *slog.Logger
	id      ident.BrokerID
	cluster ident.ClusterID

	settings   *settings
	store      *storage.Store
	meta       *metadataAccess
	feed       *metadata.Feed
	journal    *journal
	partitions *replication.Manager
	proposer   *proposer
	session    *session
	gone       atomic.Pointer[absence] // nil while the registration stands
	fetchers   *fetchers
	pulses     *pulses
	answers    *answers
	roads      *roads
	secrets    *secrets
	unfollow   func() // ends what fetchers and pulses hear
	controller *controller.Controller
	producers  *txn.Producers
	groups     *group.Groups
	api        *api.API
	server     *server.Server
	http       *probes.Server
	registry   *metrics.Registry
	cores      *footprint.Cores // nil for a guest of another process

	around   *surroundings          // the Kubernetes cluster
	proven   proofs                 // of the advertised addresses
	declared *declared              // nil where no directory has topics
	unknown  atomic.Pointer[string] // why the address for clients outside is not known

	directories chan struct{} // one place: a log directory has gone or come back
	failed      chan error    // one place
	cancel      context.CancelFunc
	background  sync.WaitGroup
	ready       readiness
	standingBy  atomic.Bool // beside an incumbent of the same id
	succeeded   bool        // it has taken an incumbent's place; the starting goroutine's
	stopRelay   func()      // nil unless clients are relayed to the incumbent; the starting goroutine's
	caughtUp    atomic.Bool // every replica here has been in sync since the start
	leaving     atomic.Bool // told to stop, and said so to the cluster
	told        atomic.Pointer[told]
	kept        bool // the log directories outlive the process; the starting goroutine's
	stopping    sync.Once
	stopError   error
}

// Start brings a broker up; when it returns, clients are served. An error says what is wrong, where,
// and what to do about it; nothing is left running then.
func Start(ctx context.Context, o Options) (*Broker, error) {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Dial == nil {
		o.Dial = wire.DialTCP
	}
	if o.Boot.IsZero() {
		o.Boot = bootID()
	}
	if o.Began.IsZero() {
		o.Began = time.Now()
	}
	run, cancel := context.WithCancel(context.Background())
	b := &Broker{
		options: o, config: o.Config, logger: o.Logger, cancel: cancel,
		registry:    metrics.New(o.Version),
		directories: make(chan struct{}, 1),
		failed:      make(chan error, 1),
	}
	b.declared, b.around = b.newDeclared(), b.newSurroundings()
	if !o.Guest {
		limitMemory(b.logger)
		b.cores = footprint.NewCores()
	}
	config.LogNotices(ctx, b.logger, o.Notices)
	if err := b.start(ctx, run); err != nil {
		b.abandon()
		return nil, explain(err, o.Config)
	}
	return b, nil
}

// start goes through the rooms from below. What does not wait for another starts beside it.
func (b *Broker) start(ctx, run context.Context) error {
	if err := b.listen(); err != nil {
		return err
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	if err := b.joinCluster(ctx); err != nil {
		return err
	}
	if err := b.startFeed(ctx); err != nil {
		return err
	}
	if t := b.told.Load(); t.life != b.feed.Birth().Ensemble { // the keepers have lost everything once more in between
		if err := b.joinCluster(ctx); err != nil {
			return err
		}
	}
	if err := b.identify(ctx); err != nil {
		return err
	}
	b.settings = newSettings(b.id, b.config.View())
	b.settings.reload(b.feed.Current())
	b.lookAround(ctx)
	b.kept = b.findKept()
	empty := b.cameBackEmpty(b.feed.Current())
	b.session = b.newSession()
	b.roads = b.newRoads()
	if err := b.standBy(ctx); err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	b.startPartitions(run)
	if err := b.register(ctx); err != nil {
		return err
	}
	b.background.Go(func() { b.session.keep(run) })
	b.startAPI()
	b.addCollectors()
	if !b.succeeded {
		b.awaitController(ctx)
	}
	b.settle(ctx)
	// What the partitions do must be as new as the registration, and as what settled them: a leadership of the life before
	// may be over, or its in-sync set changed by what that life had under way.
	if err := b.feed.Await(ctx, max(b.session.revision(), b.feed.Current().Revision())); err != nil {
		return err
	}
	b.partitions.Release()
	b.server.Serve()
	b.ready.set(nil)
	b.logger.Info("broker started", "broker", int32(b.id), "cluster", b.cluster.String(),
		"listeners", b.addresses(), "partitions", b.partitions.Len(),
		"took", time.Since(b.options.Began).Round(time.Millisecond).String())
	b.sayUp(empty)
	b.startChores(run)
	return nil
}

// startChores begins what nobody who starts or connects waits for.
func (b *Broker) startChores(run context.Context) {
	b.background.Go(func() { b.createTopics(run) })
	b.background.Go(func() { b.keepDeclared(run) })
	b.background.Go(func() { b.newAsking().run(run) })
	b.background.Go(func() { b.keepSecrets(run) })
	b.background.Go(func() { b.mend(run) })
	b.background.Go(func() { b.partitions.MoveLogs(run, b.exchange) })
	b.background.Go(func() { b.watchKeeper(run) })
	b.background.Go(func() { b.keepKnown(run) })
	if b.outsideListener() != nil {
		b.background.Go(func() { b.keepOutside(run) })
	}
	if !b.options.Guest {
		b.background.Go(func() { b.proveAddresses(run) })
		b.background.Go(func() { takeRests(run, b.cores, b.logger) })
	}
}

// open opens the log directories and the metadata at the same time. An error of the directories is told at once: a
// keeper may be waiting for a lock in them. What it opens when nobody wants it any more is closed again.
func (b *Broker) open(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		access *metadataAccess
		err    error
	}
	opened := make(chan outcome, 1)
	go func() {
		access, err := b.metadataAccess(ctx)
		opened <- outcome{access, err}
	}()
	if err := b.openStorage(); err != nil {
		go func() {
			if late := <-opened; late.err == nil {
				late.access.close()
			}
		}()
		return err
	}
	metadata := <-opened
	if metadata.err != nil {
		return fmt.Errorf("cluster metadata: %w", metadata.err)
	}
	b.meta = metadata.access
	return nil
}

// openStorage locks, loads and recovers the log directories.
func (b *Broker) openStorage() error {
	view := b.config.View()
	dirs, err := absolute(b.config.LogDirs)
	if err != nil {
		return fmt.Errorf("log directories: %w", err)
	}
	settings := storeSettings(view)
	if !b.options.Guest {
		settings.MaxOpenFiles = boundLogFiles(fileLimit(), settings.MaxOpenFiles, config.MaxConnections.In(view), b.logger)
	}
	store, err := storage.OpenStore(storage.Options{
		FS: b.options.FS, Dirs: dirs, Foreign: []string{keeper.DirName},
		BrokerID: ident.BrokerID(b.config.NodeID), BootID: b.options.Boot,
		Settings: settings, Cleaner: cleanerSettings(view), Config: logConfig(view), Logger: b.logger,
		DirectoryChanged: b.directoryChanged, Clock: b.options.WallClock,
	})
	if err != nil {
		return fmt.Errorf("log directories: %w", err)
	}
	b.store = store
	return nil
}

// absolute makes the paths those that tools show and that stay right wherever they are run.
func absolute(dirs []string) ([]string, error) {
	out := make([]string, len(dirs))
	for i, dir := range dirs {
		path, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		out[i] = path
	}
	return out, nil
}

// directoryChanged hears of log directories that fail or come back. It must not call the store back.
func (b *Broker) directoryChanged(d *storage.Directory, cause error) {
	if cause != nil {
		b.logger.Error("log directory is offline: its partitions answer KAFKA_STORAGE_ERROR until it works again",
			"directory", d.Path(), "error", cause)
	} else {
		b.logger.Info("log directory is online again", "directory", d.Path())
	}
	b.lookAtDirectories()
}

// lookAtDirectories has what has changed of them come about.
func (b *Broker) lookAtDirectories() {
	select {
	case b.directories <- struct{}{}:
	default:
	}
}

// tellDirectoriesWithin bounds one attempt to tell the cluster which stores are here; after it the directories are looked at
// again, for others may have gone or come meanwhile.
const tellDirectoriesWithin = 2 * time.Second

// mend brings partitions back when a directory has come back, and tells the cluster which stores are here.
func (b *Broker) mend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.directories:
			b.partitions.Retry()
			b.partitions.ClearDeleted(b.feed.Current())
			within, cancel := context.WithTimeout(ctx, tellDirectoriesWithin)
			told := b.session.update(within) // and the feed looks again whom to copy from
			cancel()
			if !told {
				b.lookAtDirectories()
				continue
			}
			b.settle(ctx) // before anything in a torn directory is led
		}
	}
}

// startFeed begins to follow the cluster's metadata.
func (b *Broker) startFeed(ctx context.Context) error {
	feed, err := metadata.StartLastingFeed(ctx, b.meta.store, b.logger, b.reborn)
	if err != nil {
		return fmt.Errorf("cluster metadata: %w", err)
	}
	b.feed = feed
	b.journal = newJournal(b.options.FS, b.config.LogDirs[0], feed.Birth, b.logger)
	return nil
}

// startPartitions takes the roles that the image gives this broker, and follows it from there.
func (b *Broker) startPartitions(run context.Context) {
	b.proposer = newProposer(b.meta.store, b.feed.Current, b.id, b.session.epoch, &b.registry.Replication.FailedISRUpdates, b.logger)
	b.background.Go(func() { b.proposer.run(run) })
	b.groups = group.New(group.Options{
		Config: groupConfig(b.config.View()), Logger: b.logger,
		Partitions: b.offsetsPartitions, EndOffset: b.endOffset,
	})
	b.partitions = replication.NewManager(replication.Options{
		Broker: b.id, Store: b.store, Settings: b.settings.replicated, Propose: b.proposer.propose,
		Turned: b.turned, MaxLag: config.ReplicaLagTimeMax.In(b.config.View()), Held: true, Logger: b.logger,
	})
	b.partitions.Succeed(b.standingBy.Load())
	b.fetchers, b.pulses = b.startFetchers(run), b.startPulses(run)
	b.answers = b.newAnswers()
	b.background.Go(func() { b.answers.run(run) })
	b.feed.Precede(b.journal.heard)
	b.unfollow = b.feed.Subscribe(b.follow)
	b.background.Go(func() { b.checkInSync(run) })
	b.partitions.ClearDeleted(b.feed.Current())
	if strays := b.partitions.Strays(b.feed.Current()); len(strays) > 0 {
		b.logger.Warn("logs on disk that the cluster knows nothing of are left alone; delete them if they are not missed",
			"logs", strays)
	}
	b.background.Go(func() {
		select {
		case <-run.Done():
		case <-b.feed.Done():
			if run.Err() == nil {
				b.fail(fmt.Errorf("cluster metadata: %w", b.feed.Err()))
			}
		}
	})
}

// follow is told of every change of the cluster, on the feed's goroutine.
func (b *Broker) follow(old, image *metadata.Image, delta *metadata.Delta) {
	b.cores.Heard()
	b.settings.apply(image, delta.Configs)
	b.sayLosses(image, delta.Losses)
	countChanges(&b.registry.Replication, b.id, old, image, delta)
	b.limitCopying(image, delta.Configs)
	b.partitions.Apply(old, image, delta)
	b.fetchers.apply(delta)
	b.answers.apply(image, delta)
	b.pulses.apply(delta)
	b.session.heard(image)
	var deleted []group.DeletedTopic
	for _, change := range delta.Topics {
		if change.New != nil {
			continue
		}
		deleted = append(deleted, group.DeletedTopic{Name: change.Old.Name, ID: change.Old.ID})
		if image.Topic(change.Old.Name) == nil {
			b.registry.Topics.Forget(change.Old.Name)
		}
	}
	if len(deleted) > 0 {
		b.groups.TopicsDeleted(deleted)
	}
}

// turned makes this broker the coordinator of the groups on a partition, or ends that.
func (b *Broker) turned(t replication.Turn) {
	name := t.Partition.Name()
	if name.Topic != group.Topic {
		return
	}
	if t.Leads {
		b.groups.Elect(name.Partition, t.Epoch, shardlog.Log{Partition: t.Partition, Epoch: t.Epoch})
	} else {
		b.groups.Resign(name.Partition, t.Epoch)
	}
}

// offsetsPartitions is how many partitions the offsets topic has, or will have.
func (b *Broker) offsetsPartitions() int32 {
	if topic := b.feed.Current().Topic(group.Topic); topic != nil {
		return topic.NumPartitions()
	}
	return int32(config.OffsetsTopicPartitions.In(b.settings.view()))
}

// endOffset is a partition's high watermark, -1 where it isn't here.
func (b *Broker) endOffset(topic string, partition int32) int64 {
	p, err := b.partitions.Get(topic, partition)
	if err != nil {
		return -1
	}
	return int64(p.State().HighWatermark)
}

// fail says that the broker can't go on; the first reason counts.
func (b *Broker) fail(err error) {
	select {
	case b.failed <- err:
	default:
	}
}

// Failed receives why a running broker can't go on, if that happens. It is to be stopped then.
func (b *Broker) Failed() <-chan error { return b.failed }

// ID is the broker's number.
func (b *Broker) ID() ident.BrokerID { return b.id }
