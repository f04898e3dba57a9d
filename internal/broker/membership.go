package broker

import "barnabas/internal/metadata"

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

// heard is told by the feed of a change of this broker's registration. Where others have ended it, because they
// took this broker for dead, it is made anew.
func (s *session) heard(change metadata.BrokerChange) {
	if change.New != nil || change.Old == nil || change.Old.Epoch != s.epoch() {
		return
	}
	select {
	case s.evicted <- struct{}{}:
	default:
	}
}
