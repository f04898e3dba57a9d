package keeper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/etcdstore"
)

// Remote says where keepers, or an etcd cluster, are.
type Remote struct {
	// Servers are their host:port; one that answers is enough.
	Servers []string
	// Chroot is the path below which the cluster's keys are, such as /kafka; empty for none.
	Chroot string
	// TLS, if given, is spoken with them.
	TLS *tls.Config
	// Username and Password are for an etcd cluster with authentication.
	Username, Password string
	Logger             *slog.Logger
}

// ErrLogin says that an etcd cluster does not take the user or the password.
var ErrLogin = errors.New("the user or the password is wrong")

// Dial returns the Store of keepers elsewhere. Without a user it does not wait for them: the first call does, and
// says metadata.ErrUnavailable if none answers. With a user it logs in, and may say ErrLogin.
func Dial(remote Remote) (metadata.Store, error) {
	if len(remote.Servers) == 0 {
		return nil, errors.New("keeper: no address to connect to")
	}
	links := newLinks(remote)
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            remote.Servers,
		TLS:                  remote.TLS,
		Username:             remote.Username,
		Password:             remote.Password,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    keepAlive,
		DialKeepAliveTimeout: vanished,
		Logger:               zap.New(&bridge{logger: remote.Logger}),
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(links.dial),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxRedial},
				MinConnectTimeout: dialTimeout,
			}),
		},
	})
	switch {
	case err == nil:
		return remoteStore{etcdstore.NewOwner(client, Root(remote.Chroot)), links}, nil
	case errors.Is(err, rpctypes.ErrAuthFailed):
		links.close()
		return nil, fmt.Errorf("%w: %v", ErrLogin, remote.Servers)
	default:
		links.close()
		return nil, fmt.Errorf("%w: connect to %v: %w", metadata.ErrUnavailable, remote.Servers, err)
	}
}

const (
	dialTimeout = 3 * time.Second
	// maxRedial is the longest pause before a keeper that was not there is tried again: after all of them were lost, brokers
	// have to be back before anybody takes the empty ensemble for a new one.
	maxRedial = 400 * time.Millisecond
	// keepAlive is how often gRPC asks whether the other end lives: it does not do so more often.
	keepAlive = 10 * time.Second
	// vanished is how long the other end's kernel may leave unanswered what was sent (TCP_USER_TIMEOUT), and what
	// ours asks on a connection that is idle. A broker hears of nothing until then, and its lease runs out.
	vanished = 2 * time.Second
)

// dialKeeper connects to a keeper. The kernel asks on the idle connection whether that is still there, for a machine that
// has vanished ends no connection.
func dialKeeper(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: vanished / 2, Interval: vanished / 2, Count: 2}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := endUnacknowledged(conn, vanished); err != nil {
		conn.Close()
		return nil, fmt.Errorf("keeper: set TCP_USER_TIMEOUT: %w", err)
	}
	return conn, nil
}
