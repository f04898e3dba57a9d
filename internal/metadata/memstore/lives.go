package memstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/btree"

	"barnabas/internal/metadata"
)

// NewMortal is an ensemble that can lose what it holds and live again, as one of keepers can.
func NewMortal() *Memory {
	m := New()
	m.birth = metadata.Birth{Ensemble: "life-1", Since: m.now.revision}
	return m
}

// between lives so many revisions are left out: none of a life before is given to anything else.
const between = 1000

// Rebirth is what becomes of keepers of whom none, or no quorum, has kept all: the ensemble goes on from what it held
// at a revision of the recent past, or from nothing where that is 0. It panics if that revision is forgotten, and on an
// ensemble that is not mortal.
func (m *Memory) Rebirth(kept metadata.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.birth.Ensemble == "" {
		panic("memstore: rebirth of an immortal ensemble")
	}
	m.lives++
	next := metadata.Birth{
		Ensemble: fmt.Sprintf("life-%d", m.lives+1), Since: m.now.revision + between, Kept: kept,
	}
	keys := btree.NewG(32, func(a, b metadata.KV) bool { return a.Key < b.Key })
	if kept > 0 {
		past, err := m.asOf(kept)
		if err != nil {
			panic(fmt.Sprintf("memstore: rebirth at revision %d: %v", kept, err))
		}
		keys = past.Clone()
		next.Ancestors = append(slices.Clone(m.birth.Ancestors), m.birth.Ensemble)
	}
	m.birth = next
	m.history, m.compacted = nil, next.Since
	m.now = past{revision: next.Since, keys: keys}
	m.outlive(kept > 0)
	m.wake()
}

// outlive has leases go on that were kept, each with the keys that hang on it now, those that had ended too: for their time
// to live. mu is held.
func (m *Memory) outlive(kept bool) {
	for _, l := range m.leases {
		l.keys = make(map[string]bool)
		if !kept {
			delete(m.leases, l.id)
			close(l.lost)
		}
	}
	m.now.keys.Ascend(func(kv metadata.KV) bool {
		if kv.Lease == 0 {
			return true
		}
		l := m.leases[kv.Lease]
		if l == nil {
			l = &lease{id: kv.Lease, ttl: endedLease, keys: make(map[string]bool), lost: make(chan struct{})}
			l.expiry = time.AfterFunc(l.ttl, func() { m.expire(l) })
			m.leases[l.id] = l
		}
		l.keys[kv.Key] = true
		return true
	})
}

// endedLease is for how long a lease lives once more that had ended after what was kept.
const endedLease = 6 * time.Second

// Birth tells which life of the ensemble this is.
func (s *Store) Birth(ctx context.Context) (metadata.Birth, error) {
	if err := s.admit(ctx, CallGet); err != nil {
		return metadata.Birth{}, err
	}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.birth, nil
}
