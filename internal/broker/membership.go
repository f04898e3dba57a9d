package broker

import (
	"context"

	"barnabas/internal/metadata"
)

// epoch is the broker epoch of the registration, or of the entry as a successor while there is none.
func (s *session) epoch() metadata.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.registered != nil:
		return s.registered.Epoch
	case s.successor != nil:
		return s.successor.Epoch
	}
	return 0
}

// heard is told by the feed of each image. Where that lacks this broker's registration others have ended it, because they took
// this broker for dead, and it is made anew. The end itself may never be seen: what was read anew shows neither a
// registration that came and went meanwhile nor that it went.
func (s *session) heard(image *metadata.Image) {
	s.mu.Lock()
	mine := s.registered
	s.mu.Unlock()
	if mine == nil || image.Revision() < mine.Epoch {
		return
	}
	if there := image.Broker(mine.ID); there != nil && there.Epoch == mine.Epoch {
		return
	}
	select {
	case s.evicted <- struct{}{}:
	default:
	}
}

// isEvicted looks whether others have ended the registration: the word of it may be of one that has been made anew since.
// Where the store does not answer it has to be looked at again.
func (s *session) isEvicted(ctx context.Context) bool {
	s.mu.Lock()
	mine := s.registered
	s.mu.Unlock()
	for mine != nil {
		kv, found, err := s.store.Get(ctx, metadata.BrokerKey(mine.ID))
		if err == nil {
			return !found || kv.Created != mine.Epoch
		}
		select {
		case <-s.held().Lost():
			return true
		default:
		}
		if pause(ctx, sessionRetry); ctx.Err() != nil {
			return false
		}
	}
	return true
}
