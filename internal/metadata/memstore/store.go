package memstore

import (
	"context"
	"sync"
	"time"

	"barnabas/internal/metadata"
)

// Call names a method of the Store, for a Fault to tell them apart.
type Call string

// The calls that a Fault sees.
const (
	CallGet    Call = "get"
	CallRange  Call = "range"
	CallTxn    Call = "txn"
	CallWatch  Call = "watch"
	CallLease  Call = "lease"
	CallRevoke Call = "revoke"
)

// Faults are what can go wrong between one process and the ensemble. Each may be nil.
type Faults struct {
	// Before is asked before each call; its error is the call's, which then has no effect.
	Before func(Call) error
	// After is asked when a transaction has been done; its error hides the answer from the caller.
	After func(Call) error
	// WatchDelay is how long a change is under way to this process.
	WatchDelay func(metadata.Change) time.Duration
}

// Store is one process's connection to a Memory.
type Store struct {
	memory *Memory
	faults Faults
	// ctx ends when the Store is closed.
	ctx   context.Context
	close context.CancelFunc

	// mu guards what follows; it is not held while the Memory's is taken.
	mu     sync.Mutex
	leases []*lease
	cut    bool
	frozen bool
	// link is closed, and replaced, when the connection is cut or mended.
	link chan struct{}
}

var _ metadata.Store = (*Store)(nil)

// Open connects a process to the ensemble.
func (m *Memory) Open(faults Faults) *Store {
	s := &Store{memory: m, faults: faults, link: make(chan struct{})}
	s.ctx, s.close = context.WithCancel(context.Background())
	return s
}

// Cut breaks the connection: calls and watches fail with ErrUnavailable, leases run out.
func (s *Store) Cut() { s.setCut(true) }

// Mend restores it; leases that have not run out live on.
func (s *Store) Mend() { s.setCut(false) }

// Freeze has the process stand still, as SIGSTOP does, and go on: calls and changes wait instead of failing, and leases
// run out meanwhile.
func (s *Store) Freeze(frozen bool) { s.change(func() { s.frozen = frozen }) }

func (s *Store) setCut(cut bool) { s.change(func() { s.cut = cut }) }

func (s *Store) change(do func()) {
	s.mu.Lock()
	do()
	silent := s.cut || s.frozen
	close(s.link)
	s.link = make(chan struct{})
	leases := s.leases
	s.mu.Unlock()
	for _, l := range leases {
		if silent {
			s.memory.abandon(l)
		} else {
			s.memory.keep(l)
		}
	}
}

// admit says whether a call gets through to the ensemble.
func (s *Store) admit(ctx context.Context, call Call) error {
	if s.ctx.Err() != nil {
		return metadata.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.thawed(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	if cut {
		return metadata.ErrUnavailable
	}
	if s.faults.Before != nil {
		return s.faults.Before(call)
	}
	return nil
}

// thawed waits while the process is frozen.
func (s *Store) thawed(ctx context.Context) error {
	for {
		s.mu.Lock()
		frozen, link := s.frozen, s.link
		s.mu.Unlock()
		if !frozen {
			return nil
		}
		select {
		case <-link:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return metadata.ErrClosed
		}
	}
}

// Get implements metadata.Store.
func (s *Store) Get(ctx context.Context, key string) (metadata.KV, bool, error) {
	if err := s.admit(ctx, CallGet); err != nil {
		return metadata.KV{}, false, err
	}
	kv, found := s.memory.get(key)
	return kv, found, nil
}

// Range implements metadata.Store.
func (s *Store) Range(ctx context.Context, req metadata.RangeRequest) (metadata.Page, error) {
	if err := s.admit(ctx, CallRange); err != nil {
		return metadata.Page{}, err
	}
	return s.memory.page(req)
}

// Txn implements metadata.Store.
func (s *Store) Txn(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
	if err := s.admit(ctx, CallTxn); err != nil {
		return metadata.TxnResult{}, err
	}
	result, err := s.memory.txn(txn)
	if err == nil && s.faults.After != nil {
		if err := s.faults.After(CallTxn); err != nil {
			return metadata.TxnResult{}, err
		}
	}
	return result, err
}

// Lease implements metadata.Store.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (metadata.Lease, error) {
	if err := s.admit(ctx, CallLease); err != nil {
		return nil, err
	}
	l := s.memory.grant(ttl)
	s.mu.Lock()
	s.leases = append(s.leases, l)
	s.mu.Unlock()
	return &handle{s, l}, nil
}

// Close implements metadata.Store: leases run out, as after a process's death.
func (s *Store) Close() error {
	s.close()
	s.setCut(true)
	return nil
}
