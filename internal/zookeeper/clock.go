package zookeeper

import (
	"context"
	"time"

	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// runClock ends sessions whose clients are silent, and those of keepers that are gone, and removes containers and TTL
// nodes that have had their time.
func (s *Server) runClock(ctx context.Context) {
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	// orphans are the sessions of keepers that are gone, by when this was seen.
	orphans := make(map[int64]time.Time)
	reaped := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		s.endSilent()
		s.endOrphans(orphans, time.Now())
		if time.Since(reaped) >= s.options.Reap {
			reaped = time.Now()
			s.reap()
		}
	}
}

// endSilent ends the sessions of this keeper that have not been heard of for their timeout.
func (s *Server) endSilent() {
	now := time.Since(s.started)
	var silent []int64
	s.replica.mu.Lock()
	for id, l := range s.sessions {
		if !l.ending && now-time.Duration(l.heard.Load()) > l.timeout {
			l.ending = true
			silent = append(silent, id)
		}
	}
	s.replica.mu.Unlock()
	for _, id := range silent {
		s.log.Info("zookeeper: a session has expired", "session", hexID(id))
		s.endSession(id, s.id)
	}
}

func (s *Server) endSession(id int64, keeper string) {
	_ = s.submit(&write{
		try: func(d *tree.Draft) tree.Result { return d.CloseSession(id, keeper) },
		done: func(_ tree.Result, err error) {
			if err != nil {
				s.retryEnding(id)
			}
		},
	})
}

// retryEnding has the clock try again. It may be called with the replica's lock held or without.
func (s *Server) retryEnding(id int64) {
	go func() {
		s.replica.mu.Lock()
		defer s.replica.mu.Unlock()
		if l := s.sessions[id]; l != nil {
			l.ending = false
		}
	}()
}

// endOrphans ends the sessions whose keeper is gone and that nobody has taken within their timeout. All keepers try;
// the first one does it.
func (s *Server) endOrphans(orphans map[int64]time.Time, now time.Time) {
	type orphan struct {
		id     int64
		keeper string
	}
	var over []orphan
	r := s.replica
	r.mu.RLock()
	seen := 0
	if r.tree != nil {
		r.tree.Sessions(func(id int64, session *tree.Session) {
			if r.keepers[session.Keeper] || session.Keeper == s.id {
				return
			}
			seen++
			since, known := orphans[id]
			if !known {
				orphans[id] = now
			} else if now.Sub(since) > time.Duration(session.TimeoutMs)*time.Millisecond {
				over = append(over, orphan{id, session.Keeper})
			}
		})
		if len(orphans) > seen {
			for id := range orphans {
				if session := r.tree.Session(id); session == nil || r.keepers[session.Keeper] || session.Keeper == s.id {
					delete(orphans, id)
				}
			}
		}
	}
	r.mu.RUnlock()
	for _, o := range over {
		s.log.Info("zookeeper: a session has expired after its keeper", "session", hexID(o.id), "keeper", o.keeper)
		delete(orphans, o.id)
		s.endSession(o.id, o.keeper)
	}
}

// reap removes containers and TTL nodes whose time has come.
func (s *Server) reap() {
	r := s.replica
	r.mu.RLock()
	var paths []string
	if r.tree != nil {
		paths = r.tree.Reapable(time.Now().UnixMilli())
	}
	r.mu.RUnlock()
	for _, path := range paths {
		_ = s.submit(&write{
			try: func(d *tree.Draft) tree.Result { return d.Reap(path) },
			done: func(result tree.Result, err error) {
				if err == nil && result.Code == jute.OK {
					s.log.Info("zookeeper: a container or TTL node was removed", "path", path)
				}
			},
		})
	}
}
