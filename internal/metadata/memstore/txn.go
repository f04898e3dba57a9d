package memstore

import (
	"bytes"
	"slices"
	"strings"

	"github.com/google/btree"

	"barnabas/internal/metadata"
)

func (m *Memory) txn(txn metadata.Txn) (metadata.TxnResult, error) {
	if len(txn.If) > metadata.MaxOps || len(txn.Then) > metadata.MaxOps {
		return metadata.TxnResult{}, metadata.ErrTooLarge
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range txn.If {
		if !m.holds(c) {
			return metadata.TxnResult{Revision: m.now.revision}, nil
		}
	}
	for _, op := range txn.Then {
		if op.Kind == metadata.OpPut && op.Lease != 0 && m.leases[op.Lease] == nil {
			return metadata.TxnResult{}, metadata.ErrLeaseLost
		}
	}
	m.apply(txn.Then)
	return metadata.TxnResult{OK: true, Revision: m.now.revision}, nil
}

func (m *Memory) holds(c metadata.Compare) bool {
	kv, found := m.now.keys.Get(metadata.KV{Key: c.Key})
	switch c.Kind {
	case metadata.CompareCreated:
		return kv.Created == c.Revision
	case metadata.CompareModified:
		return kv.Modified == c.Revision
	default:
		return found && bytes.Equal(kv.Value, c.Value)
	}
}

// apply makes the next revision, if the operations change anything; mu is held.
func (m *Memory) apply(ops []metadata.Op) {
	next := past{revision: m.now.revision + 1, keys: m.now.keys.Clone()}
	for _, op := range ops {
		switch op.Kind {
		case metadata.OpPut:
			next.put(op)
		case metadata.OpDelete:
			next.remove(op.Key)
		case metadata.OpDeletePrefix:
			for _, key := range withPrefix(next.keys, op.Key) {
				next.remove(key)
			}
		}
	}
	if len(next.events) == 0 {
		return
	}
	m.history = append(m.history, m.now)
	m.now = next
	m.trackLeases(next.events)
	m.wake()
}

func (p *past) put(op metadata.Op) {
	kv := metadata.KV{
		Key: op.Key, Value: slices.Clone(op.Value), Lease: op.Lease,
		Created: p.revision, Modified: p.revision,
	}
	if old, found := p.keys.Get(kv); found {
		kv.Created = old.Created
	}
	p.keys.ReplaceOrInsert(kv)
	p.events = append(p.events, metadata.Event{KV: kv})
}

func (p *past) remove(key string) {
	if _, found := p.keys.Delete(metadata.KV{Key: key}); !found {
		return
	}
	p.events = append(p.events, metadata.Event{
		KV: metadata.KV{Key: key, Modified: p.revision}, Deleted: true,
	})
}

func withPrefix(keys *btree.BTreeG[metadata.KV], prefix string) (found []string) {
	keys.AscendGreaterOrEqual(metadata.KV{Key: prefix}, func(kv metadata.KV) bool {
		if !strings.HasPrefix(kv.Key, prefix) {
			return false
		}
		found = append(found, kv.Key)
		return true
	})
	return found
}
