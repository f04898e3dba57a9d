package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/metadata"
)

// session is the broker's presence in the cluster: a lease and the registration that hangs on it. When the lease is
// lost, both are made anew.
type session struct {
	store   metadata.Store
	ttl     time.Duration
	logger  *slog.Logger
	current func() metadata.Broker // the registration as it should be now
	evicted chan struct{}          // one place: others have ended the registration

	mu         sync.Mutex
	lease      metadata.Lease   // guarded by mu
	registered *metadata.Broker // guarded by mu
	closed     bool             // guarded by mu
}

// sessionRetry is the pause before a lost registration is tried again.
const sessionRetry = 200 * time.Millisecond

// open registers the broker. ErrBrokerIDTaken while another broker of that id is alive.
func (s *session) open(ctx context.Context) error {
	lease, err := s.store.Lease(ctx, s.ttl)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	registered, err := metadata.Register(ctx, s.store, s.current(), lease.ID())
	if err != nil {
		lease.Revoke(ctx)
		return err
	}
	s.mu.Lock()
	s.lease, s.registered = lease, registered
	s.mu.Unlock()
	return nil
}

// keep makes the session anew whenever it is lost, until ctx ends.
func (s *session) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.held().Lost():
			s.logger.Warn("the registration was lost: the metadata store has not heard of this broker for too long",
				"timeout", s.ttl.String())
		case <-s.evicted:
			s.logger.Warn("the registration was ended by another broker, which took this one for dead")
		}
		for s.open(ctx) != nil && ctx.Err() == nil {
			pause(ctx, sessionRetry)
		}
		if ctx.Err() == nil {
			s.logger.Info("registered again")
		}
	}
}

// update tells the cluster of a change of this broker, such as the stores that are online.
func (s *session) update(ctx context.Context) {
	s.mu.Lock()
	next, lease := s.current(), s.lease
	next.Epoch = s.registered.Epoch
	s.mu.Unlock()
	registered, err := metadata.Update(ctx, s.store, next, lease.ID())
	if err != nil {
		if !errors.Is(err, metadata.ErrLeaseLost) && ctx.Err() == nil { // a lost one is made anew, with all that is new
			s.logger.Warn("the registration could not be changed", "error", err)
		}
		return
	}
	s.mu.Lock()
	s.registered = registered
	s.mu.Unlock()
}

// revision is that of the registration's last change.
func (s *session) revision() metadata.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registered == nil {
		return 0
	}
	return s.registered.Modified
}

// held is the lease as it is now.
func (s *session) held() metadata.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease
}

// close withdraws the registration.
func (s *session) close(ctx context.Context) {
	s.mu.Lock()
	lease, closed := s.lease, s.closed
	s.closed = true
	s.mu.Unlock()
	if lease == nil || closed {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	if err := lease.Revoke(ctx); err != nil {
		s.logger.Warn("the registration could not be withdrawn; it ends by itself", "within", s.ttl.String(), "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
