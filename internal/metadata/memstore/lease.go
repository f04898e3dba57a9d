package memstore

import (
	"context"
	"maps"
	"slices"
	"time"

	"barnabas/internal/metadata"
)

// lease is a lease of the ensemble, with the keys that hang on it. Memory.mu guards it.
type lease struct {
	id   metadata.LeaseID
	ttl  time.Duration
	keys map[string]bool
	lost chan struct{}
	// expiry runs while nobody keeps the lease alive.
	expiry *time.Timer
}

func (m *Memory) grant(ttl time.Duration) *lease {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nextLease++
	l := &lease{id: m.nextLease, ttl: ttl, keys: make(map[string]bool), lost: make(chan struct{})}
	m.leases[l.id] = l
	return l
}

// trackLeases notes which keys hang on which lease; mu is held.
func (m *Memory) trackLeases(events []metadata.Event) {
	for _, e := range events {
		for _, l := range m.leases {
			delete(l.keys, e.Key)
		}
		if l := m.leases[e.Lease]; l != nil && !e.Deleted {
			l.keys[e.Key] = true
		}
	}
}

// expire ends a lease and deletes its keys.
func (m *Memory) expire(l *lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[l.id] != l {
		return
	}
	delete(m.leases, l.id)
	close(l.lost)
	var ops []metadata.Op
	for _, key := range slices.Sorted(maps.Keys(l.keys)) {
		ops = append(ops, metadata.Delete(key))
	}
	m.apply(ops)
}

// abandon lets the lease expire after its time to live; keep takes that back.
func (m *Memory) abandon(l *lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[l.id] == l && l.expiry == nil {
		l.expiry = time.AfterFunc(l.ttl, func() { m.expire(l) })
	}
}

func (m *Memory) keep(l *lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.expiry != nil {
		l.expiry.Stop()
		l.expiry = nil
	}
}

// handle is a lease as its owner holds it.
type handle struct {
	store *Store
	lease *lease
}

func (h *handle) ID() metadata.LeaseID  { return h.lease.id }
func (h *handle) Lost() <-chan struct{} { return h.lease.lost }

func (h *handle) Revoke(ctx context.Context) error {
	if err := h.store.admit(ctx, CallRevoke); err != nil {
		return err
	}
	h.store.memory.expire(h.lease)
	return nil
}
