package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"barnabas/internal/metadata"
	"barnabas/internal/unison"
)

const (
	// renewals is how often a lease is renewed in its time.
	renewals = 3
	// renewWithin bounds the wait for an answer, and renewAgain is the pause after there was none.
	renewWithin = time.Second
	renewAgain  = 200 * time.Millisecond
)

// lease is a lease that a goroutine keeps alive. etcd's client could do so too: it looks every half second whether it is
// time, and every second whether it is too late.
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
	began := time.Now()
	granted, err := s.client.Grant(ctx, seconds)
	if err != nil {
		return nil, s.wrap(ctx, "grant a lease", err)
	}
	alive, stop := context.WithCancel(s.ctx)
	l := &lease{store: s, id: granted.ID, lost: make(chan struct{}), stop: stop}
	r := renewer{id: int64(granted.ID), remote: s.leases, ttl: time.Duration(granted.TTL) * time.Second}
	r.until = began.Add(r.ttl)
	go func() {
		defer close(l.lost)
		defer stop()
		r.run(alive)
	}()
	return l, nil
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

// renewer keeps a lease alive. It belongs to one goroutine.
type renewer struct {
	id     int64
	remote pb.LeaseClient
	ttl    time.Duration
	until  time.Time // when it is over, for what this process knows
	// stream is what is asked on, nil while there is none, and end ends it.
	stream pb.Lease_LeaseKeepAliveClient
	end    context.CancelFunc
}

var errRunOut = errors.New("etcdstore: the lease has run out")

// run returns when the lease is over, was not renewed within its time, or ctx has ended.
func (r *renewer) run(ctx context.Context) {
	defer r.hangUp()
	timer := time.NewTimer(r.next())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		if !began.Before(r.until) {
			return
		}
		switch err := r.renew(ctx); {
		case err == nil:
			r.until = began.Add(r.ttl)
			timer.Reset(r.next())
		case errors.Is(err, errRunOut):
			return
		default:
			r.hangUp()
			timer.Reset(min(renewAgain, time.Until(r.until)))
		}
	}
}

// next is when it is time to renew it, with the other chores of an idle process.
func (r *renewer) next() time.Duration { return unison.Wait(time.Now(), r.ttl/renewals) }

// renew asks once.
func (r *renewer) renew(ctx context.Context) error {
	if r.stream == nil {
		ctx, cancel := context.WithCancel(ctx)
		r.end = cancel
		late := time.AfterFunc(renewWithin, cancel)
		stream, err := r.remote.LeaseKeepAlive(ctx)
		late.Stop()
		if err != nil {
			return fmt.Errorf("etcdstore: begin to renew the lease: %w", err)
		}
		r.stream = stream
	}
	late := time.AfterFunc(renewWithin, r.end)
	defer late.Stop()
	if err := r.stream.Send(&pb.LeaseKeepAliveRequest{ID: r.id}); err != nil {
		return fmt.Errorf("etcdstore: renew the lease: %w", err)
	}
	answer, err := r.stream.Recv()
	if err != nil {
		return fmt.Errorf("etcdstore: renew the lease: %w", err)
	}
	if answer.TTL <= 0 {
		return errRunOut
	}
	return nil
}

// hangUp ends the stream.
func (r *renewer) hangUp() {
	if r.end != nil {
		r.end()
	}
	r.stream, r.end = nil, nil
}
