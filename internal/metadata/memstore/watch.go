package memstore

import (
	"context"
	"sort"
	"strings"
	"time"

	"barnabas/internal/metadata"
)

// Watch implements metadata.Store. Its goroutine ends with ctx, with the Store, or with an error.
func (s *Store) Watch(ctx context.Context, prefix string, from metadata.Revision) <-chan metadata.Change {
	changes := make(chan metadata.Change)
	go func() {
		defer close(changes)
		err := s.watch(ctx, prefix, from, changes)
		select {
		case changes <- metadata.Change{Err: err}:
		case <-ctx.Done():
		case <-s.ctx.Done():
		}
	}()
	return changes
}

func (s *Store) watch(ctx context.Context, prefix string, from metadata.Revision, to chan<- metadata.Change) error {
	for {
		if err := s.admit(ctx, CallWatch); err != nil {
			return err
		}
		s.mu.Lock()
		link := s.link
		s.mu.Unlock()
		change, changed, err := s.memory.since(prefix, from)
		if err != nil {
			return err
		}
		if change.Revision < from {
			select {
			case <-changed:
			case <-link:
			case <-ctx.Done():
			case <-s.ctx.Done():
			}
			continue
		}
		if err := s.deliver(ctx, change, link, to); err != nil {
			return err
		}
		from = change.Revision + 1
	}
}

// deliver hands over a change after its delay, unless the link breaks meanwhile.
func (s *Store) deliver(ctx context.Context, change metadata.Change, link <-chan struct{}, to chan<- metadata.Change) error {
	if s.faults.WatchDelay != nil {
		if delay := s.faults.WatchDelay(change); delay > 0 {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-link:
				return metadata.ErrUnavailable
			case <-ctx.Done():
				return ctx.Err()
			case <-s.ctx.Done():
				return metadata.ErrClosed
			}
		}
	}
	if err := s.thawed(ctx); err != nil {
		return err
	}
	select {
	case to <- change:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return metadata.ErrClosed
	}
}

// since is the first revision not before from, alone, and a channel that tells of newer ones.
func (m *Memory) since(prefix string, from metadata.Revision) (metadata.Change, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if from <= m.compacted {
		return metadata.Change{}, nil, metadata.ErrCompacted
	}
	if from > m.now.revision {
		return metadata.Change{Revision: m.now.revision}, m.changed, nil
	}
	at := &m.now
	i := sort.Search(len(m.history), func(i int) bool { return m.history[i].revision >= from })
	if i < len(m.history) {
		at = &m.history[i]
	}
	change := metadata.Change{Revision: at.revision}
	for _, e := range at.events {
		if strings.HasPrefix(e.Key, prefix) {
			change.Events = append(change.Events, e)
		}
	}
	return change, m.changed, nil
}
