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
	// known, if given, is the revision up to which this broker knows the metadata.
	known   func() metadata.Revision
	evicted chan struct{} // one place: others may have ended the registration
	// readmit, if given, returns when a broker whose registration others have ended may make it anew.
	readmit func(context.Context)
	// gone, if given, is told that the broker is not registered any more, and with nil that it is again.
	gone func(*absence)

	// writing is held, as a place in a channel, while the registration is composed and written: of two writers the one that
	// composed first could be written last, and what changed in between would never be heard of.
	writing chan struct{}

	mu         sync.Mutex
	lease      metadata.Lease   // guarded by mu
	registered *metadata.Broker // guarded by mu
	successor  *metadata.Broker // guarded by mu: what was entered while this process stood by
	closed     bool             // guarded by mu
}

// sessionRetry is the pause before a lost registration is tried again.
const sessionRetry = 200 * time.Millisecond

// maxSessionPause is the longest pause before a registration is made anew that others have ended again and again;
// after calmAfter without that it is forgotten.
const (
	maxSessionPause = 10 * time.Second
	calmAfter       = time.Minute
)

// revoke ends a lease that is of no more use, with what may still hang on it.
func revoke(ctx context.Context, lease metadata.Lease) {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
	defer cancel()
	_ = lease.Revoke(ctx) // or it ends by itself
}

// errPast says that the store is behind what this broker knows. Keepers that have lost everything begin at a revision that follows
// from their clocks, beyond all before unless those were set back. Nobody would ever hear of what is written there.
var errPast = errors.New("the keepers live again after a loss, at a time before what is known here: their clocks were set back; " +
	"set them right, empty the keepers' directories and start them again")

// notPast looks whether the store is as far as this broker knows it to have been.
func (s *session) notPast(ctx context.Context) error {
	if s.known == nil {
		return nil
	}
	known := s.known()
	page, err := s.store.Range(ctx, metadata.RangeRequest{Prefix: metadata.FormatKey(), Limit: 1})
	if err == nil && page.Revision < known {
		err = fmt.Errorf("%w (they are at revision %d, and %d is known)", errPast, page.Revision, known)
	}
	return err
}

// open registers the broker. ErrBrokerIDTaken while another broker of that id is alive.
func (s *session) open(ctx context.Context) error {
	if err := s.notPast(ctx); err != nil {
		return err
	}
	lease, err := s.store.Lease(ctx, s.ttl)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	err = s.write(ctx, func() error {
		registered, err := metadata.Register(ctx, s.store, s.current(), lease.ID())
		if err == nil {
			s.mu.Lock()
			s.lease, s.registered = lease, registered
			s.mu.Unlock()
		}
		return err
	})
	if err != nil {
		lease.Revoke(ctx)
	}
	return err
}

// write has one writer of the registration at a time.
func (s *session) write(ctx context.Context, compose func() error) error {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
		return compose()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announce enters this process as the successor of the broker that is registered.
func (s *session) announce(ctx context.Context) error {
	lease, err := s.store.Lease(ctx, s.ttl)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	entered, err := metadata.Announce(ctx, s.store, s.current(), lease.ID())
	if err != nil {
		revoke(ctx, lease)
		return err
	}
	s.mu.Lock()
	s.lease, s.successor = lease, entered
	s.mu.Unlock()
	return nil
}

// succeed makes the successor the broker. Where its entry was lost meanwhile it registers like any other.
func (s *session) succeed(ctx context.Context) error {
	lease := s.held()
	select {
	case <-lease.Lost():
		return s.open(ctx)
	default:
	}
	return s.write(ctx, func() error {
		next := s.current()
		s.mu.Lock()
		next.Epoch = s.successor.Epoch
		s.mu.Unlock()
		return s.wrote(metadata.Succeed(ctx, s.store, next, lease.ID()))
	})
}

// wrote notes what the cluster has been told.
func (s *session) wrote(registered *metadata.Broker, err error) error {
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registered = registered
	return nil
}

// keep makes the session anew whenever it is lost, until ctx ends. A broker that the others keep ending because they
// can't reach it takes its time.
func (s *session) keep(ctx context.Context) {
	var ended time.Time
	var wait time.Duration
	for {
		old := s.held()
		select {
		case <-ctx.Done():
			return
		case <-old.Lost():
			if s.isClosed() {
				return
			}
			s.logger.Warn("the registration was lost: the keepers have not heard of this broker for too long. It serves on what it leads, until "+
				"it hears of other leaders; topics, settings, in-sync sets and leaders can't change before the keepers answer", "timeout", s.ttl.String())
		case <-s.evicted:
			if s.isClosed() || !s.isEvicted(ctx) {
				continue
			}
			s.logger.Warn("the registration was ended by other brokers, which could not reach this one")
			if wait = min(max(2*wait, sessionRetry), maxSessionPause); time.Since(ended) > calmAfter {
				wait = 0
			}
			ended = time.Now()
			pause(ctx, wait)
			if s.readmit != nil {
				s.readmit(ctx)
			}
		}
		if s.isClosed() {
			return
		}
		if s.reopen(ctx) {
			revoke(ctx, old)
		}
	}
}

// absence is that a broker was registered and is not any more.
type absence struct {
	since time.Time
	err   error // why it can't register, nil before it has tried
}

// String says it for people.
func (a *absence) String() string {
	length := time.Since(a.since).Round(time.Second)
	if a.err != nil && !errors.Is(a.err, metadata.ErrUnavailable) {
		return fmt.Sprintf("this broker has not been registered for %s: %v", length, a.err)
	}
	return fmt.Sprintf("the keepers have not answered for %s: records are written and read, but topics, settings, in-sync sets and leaders "+
		"do not change until most keepers answer", length)
}

// sayAbsence is how often the log says that the broker is still not registered.
const sayAbsence = time.Minute

// reopen registers until that succeeds; false where ctx ended first.
func (s *session) reopen(ctx context.Context) bool {
	now := absence{since: time.Now()}
	tell := func(a *absence) {
		if s.gone != nil {
			s.gone(a)
		}
	}
	tell(&now)
	defer tell(nil)
	said, past := now.since, false
	for ; ctx.Err() == nil; pause(ctx, sessionRetry) {
		err := s.open(ctx)
		if err == nil {
			s.logger.Info("registered again", "after", time.Since(now.since).Round(time.Millisecond).String())
			return true
		}
		still := &absence{now.since, err}
		tell(still)
		switch {
		case errors.Is(err, errPast) && !past:
			past = true
			s.logger.Error("this broker goes on with what it knows, and does not register", "error", err)
		case time.Since(said) >= sayAbsence && ctx.Err() == nil:
			said = time.Now()
			s.logger.Warn(still.String(), "error", err)
		}
	}
	return false
}

// update tells the cluster of a change of this broker, such as the stores that are online. It tries for as long as the
// metadata store does not answer, at an election of the keepers for one; false where ctx ended first.
func (s *session) update(ctx context.Context) bool {
	for told := false; ; {
		err := s.tryUpdate(ctx)
		if err == nil || errors.Is(err, metadata.ErrLeaseLost) {
			return true // a lost one is made anew, with all that is new
		}
		if ctx.Err() != nil {
			return false
		}
		if !told {
			told = true
			s.logger.Warn("the registration could not be changed, trying again", "error", err)
		}
		pause(ctx, sessionRetry)
	}
}

func (s *session) tryUpdate(ctx context.Context) error {
	return s.write(ctx, func() error {
		next := s.current()
		s.mu.Lock()
		lease := s.lease
		next.Epoch = s.registered.Epoch
		s.mu.Unlock()
		return s.wrote(metadata.Update(ctx, s.store, next, lease.ID()))
	})
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

// said is the registration as the metadata store has it from this process, and the revision of its last change.
func (s *session) said() (metadata.Broker, metadata.Revision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registered == nil {
		return metadata.Broker{}, 0
	}
	return *s.registered, s.registered.Modified
}

// held is the lease as it is now.
func (s *session) held() metadata.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease
}

func (s *session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
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
