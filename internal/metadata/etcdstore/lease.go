package etcdstore

import (
	"context"
	"math"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"barnabas/internal/metadata"
)

// lease is a lease that a goroutine keeps alive.
type lease struct {
	store *Store
	id    clientv3.LeaseID
	lost  chan struct{}
	stop  context.CancelFunc
}

// Lease implements metadata.Store. etcd counts in seconds: the time to live is rounded up.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (metadata.Lease, error) {
	ctx, cancel, err := s.with(ctx, "grant a lease")
	if err != nil {
		return nil, err
	}
	defer cancel()
	seconds := max(1, int64(math.Ceil(ttl.Seconds())))
	granted, err := s.client.Grant(ctx, seconds)
	if err != nil {
		return nil, s.wrap(ctx, "grant a lease", err)
	}
	alive, stop := context.WithCancel(s.ctx)
	kept, err := s.client.KeepAlive(alive, granted.ID)
	if err != nil {
		stop()
		return nil, s.wrap(ctx, "keep a lease alive", err)
	}
	l := &lease{store: s, id: granted.ID, lost: make(chan struct{}), stop: stop}
	go l.run(kept)
	return l, nil
}

// run drains the answers; the client ends them when the lease is over, or was not renewed within its time.
func (l *lease) run(kept <-chan *clientv3.LeaseKeepAliveResponse) {
	defer close(l.lost)
	for range kept {
	}
}

// ID implements metadata.Lease.
func (l *lease) ID() metadata.LeaseID { return metadata.LeaseID(l.id) }

// Lost implements metadata.Lease.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Revoke implements metadata.Lease.
func (l *lease) Revoke(ctx context.Context) error {
	ctx, cancel, err := l.store.with(ctx, "revoke a lease")
	if err != nil {
		return err
	}
	defer cancel()
	l.stop()
	_, err = l.store.client.Revoke(ctx, l.id)
	if err != nil && !isLeaseGone(err) {
		return l.store.wrap(ctx, "revoke a lease", err)
	}
	return nil
}
