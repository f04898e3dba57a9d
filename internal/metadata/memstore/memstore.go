// Package memstore is the metadata Store in memory: for tests, and for the simulator, whose virtual
// clock it follows. A Memory is the ensemble; each process under test opens a Store on it, which can be cut off,
// delayed and made to fail on its own.
package memstore

import (
	"sort"
	"strings"
	"sync"

	"github.com/google/btree"

	"barnabas/internal/metadata"
)

// Memory is the ensemble: the keys, their history and the leases.
type Memory struct {
	mu        sync.Mutex
	now       past
	history   []past
	compacted metadata.Revision
	leases    map[metadata.LeaseID]*lease
	nextLease metadata.LeaseID
	birth     metadata.Birth // of the present life, empty for an ensemble that has one only
	lives     int            // that are over
	// changed is closed, and replaced, at every new revision.
	changed chan struct{}
}

// past is one revision: what happened in it, and every key after it.
type past struct {
	revision metadata.Revision
	events   []metadata.Event
	keys     *btree.BTreeG[metadata.KV]
}

// New is an empty ensemble, at revision 1 as etcd's are.
func New() *Memory {
	keys := btree.NewG(32, func(a, b metadata.KV) bool { return a.Key < b.Key })
	return &Memory{
		now:     past{revision: 1, keys: keys},
		leases:  make(map[metadata.LeaseID]*lease),
		changed: make(chan struct{}),
	}
}

// Revision is the newest one.
func (m *Memory) Revision() metadata.Revision {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.revision
}

// Compact forgets the history before a revision, as an ensemble does by itself.
func (m *Memory) Compact(at metadata.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compacted = max(m.compacted, min(at, m.now.revision))
	for len(m.history) > 0 && m.history[0].revision <= m.compacted {
		m.history = m.history[1:]
	}
	m.wake()
}

// wake lets watches look again; mu is held.
func (m *Memory) wake() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Memory) get(key string) (metadata.KV, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now.keys.Get(metadata.KV{Key: key})
}

// defaultPage is the bound of a Range that names none.
const defaultPage = 1000

func (m *Memory) page(req metadata.RangeRequest) (metadata.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys, err := m.asOf(req.At)
	if err != nil {
		return metadata.Page{}, err
	}
	limit := req.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	page := metadata.Page{Revision: m.now.revision}
	keys.AscendGreaterOrEqual(metadata.KV{Key: max(req.Prefix, req.After)}, func(kv metadata.KV) bool {
		switch {
		case !strings.HasPrefix(kv.Key, req.Prefix):
			return false
		case req.After != "" && kv.Key <= req.After:
			return true
		case len(page.KVs) == limit:
			page.More = true
			return false
		}
		page.KVs = append(page.KVs, kv)
		return true
	})
	return page, nil
}

// asOf is the state at a revision, 0 being now; mu is held.
func (m *Memory) asOf(at metadata.Revision) (*btree.BTreeG[metadata.KV], error) {
	if at == 0 || at >= m.now.revision {
		return m.now.keys, nil
	}
	// Every revision is there from the oldest on: the last one not after at is at.
	i := sort.Search(len(m.history), func(i int) bool { return m.history[i].revision > at })
	if i == 0 {
		return nil, metadata.ErrCompacted
	}
	return m.history[i-1].keys, nil
}
