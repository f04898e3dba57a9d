package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/etcdstore"
)

// DirName is the keeper's directory within the first log directory, where none is given.
const DirName = "__keeper"

// DefaultQuota is the most that the metadata may take on the disk, in bytes.
const DefaultQuota = 2 << 30

var (
	// ErrDirInUse says that another process runs a keeper in the directory.
	ErrDirInUse = errors.New("the keeper's directory is in use by another process")
	// ErrAddrInUse says that another process listens at the address.
	ErrAddrInUse = errors.New("the keeper's address is in use by another process")
	// ErrStopped says that the keeper ended before it was ready.
	ErrStopped = errors.New("the keeper has stopped")
)

// Options are what a Keeper is made of.
type Options struct {
	// Dir is the keeper's own directory; it is made if it does not exist.
	Dir string
	// Listener is the host:port for clients on the network, empty for none.
	Listener string
	// Quota bounds the metadata on the disk in bytes, 0 for DefaultQuota. Beyond it writes fail with metadata.ErrFull.
	Quota  int64
	Logger *slog.Logger
}

// Keeper is an etcd member of this process.
type Keeper struct {
	options  Options
	lock     *os.File
	server   *etcdserver.EtcdServer
	client   *clientv3.Client
	listener *listener
	stop     sync.Once
	rested   sync.Once
	stopping chan struct{} // closed by Stop
	tended   chan struct{} // closed when tend has ended, nil if it never began
}

// Start starts a keeper; it is ready when Ready says so, some 20 ms later. ErrDirInUse and ErrAddrInUse are said as
// such, a directory that can't be read as what the system says.
func Start(options Options) (*Keeper, error) {
	if options.Quota == 0 {
		options.Quota = DefaultQuota
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	lock, err := lockDir(options.Dir)
	if err != nil {
		return nil, err
	}
	k := &Keeper{options: options, lock: lock, stopping: make(chan struct{})}
	if err := k.start(); err != nil {
		k.Stop()
		return nil, err
	}
	return k, nil
}

func (k *Keeper) start() error {
	var err error
	if k.options.Listener != "" {
		// The port first: that it is taken is best known before anything is written.
		if k.listener, err = listen(k.options.Listener); err != nil {
			return err
		}
	}
	cfg, err := serverConfig(k.options, zapLogger(k.options.Logger))
	if err != nil {
		return err
	}
	if k.server, err = newServer(cfg); err != nil {
		return err
	}
	k.server.Start()
	k.client = v3client.New(k.server)
	k.tended = make(chan struct{})
	go k.tend()
	if k.listener != nil {
		k.listener.serve(k.options.Logger)
		k.listener.attach(k.server)
	}
	return nil
}

// newServer turns the panics by which etcd says that a directory is damaged into errors.
func newServer(cfg serverSettings) (server *etcdserver.EtcdServer, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("keeper: the metadata in %s can't be read: %v", cfg.DataDir, reason)
		}
	}()
	server, err = etcdserver.NewServer(cfg)
	if err != nil {
		return nil, fmt.Errorf("keeper: %s: %w", cfg.DataDir, err)
	}
	return server, nil
}

// Ready waits until the keeper serves: it has elected itself and applied its log.
func (k *Keeper) Ready(ctx context.Context) error {
	select {
	case <-k.server.ReadyNotify():
		k.rested.Do(func() {
			if err := rest(k.server); err != nil {
				k.options.Logger.Debug("keeper: it idles with a short heartbeat", "error", err)
			}
		})
		return nil
	case <-k.server.StopNotify():
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("keeper: not ready: %w", ctx.Err())
	}
}

// Client is an etcd client that calls the member by function calls.
func (k *Keeper) Client() *clientv3.Client { return k.client }

// Store is the metadata of the cluster at a chroot, a path such as /kafka or nothing.
func (k *Keeper) Store(chroot string) metadata.Store {
	return etcdstore.New(k.client, leasesOf(k.server), Root(chroot))
}

// Root is the prefix of all keys of the cluster at a chroot.
func Root(chroot string) string { return chroot + "/barnabas/" }

// Addr is the address it listens at, empty if it does not.
func (k *Keeper) Addr() string {
	if k.listener == nil {
		return ""
	}
	return k.listener.net.Addr().String()
}

// Done is closed when the member has ended, be it by Stop or by itself.
func (k *Keeper) Done() <-chan struct{} { return k.server.StopNotify() }

// Stop ends the keeper. What was acknowledged is on the disk whether or not it is called.
func (k *Keeper) Stop() {
	k.stop.Do(func() {
		close(k.stopping)
		if k.tended != nil {
			<-k.tended
		}
		if k.listener != nil {
			k.listener.stop()
		}
		if k.client != nil {
			k.client.Close()
		}
		if k.server != nil {
			k.server.Stop()
		}
		k.lock.Close()
	})
}

// stopWithin bounds the wait for clients on the network that are in the middle of a call.
const stopWithin = 200 * time.Millisecond

// lockDir takes the lock that keeps a second process out; it goes with the process.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	if err := flock(file); err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: %s", ErrDirInUse, dir)
	}
	return file, nil
}
