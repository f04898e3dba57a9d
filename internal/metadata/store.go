package metadata

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrCompacted says that a watch asked for changes the store no longer remembers: read everything anew.
	ErrCompacted = errors.New("metadata: the revision asked for has been compacted")
	// ErrUnavailable says that the store did not answer; whether a transaction took place is unknown.
	ErrUnavailable = errors.New("metadata: the store is unavailable")
	// ErrDenied is the ErrUnavailable of a store that answers, and does not let this user do what was asked.
	ErrDenied = fmt.Errorf("%w to this user", ErrUnavailable)
	// ErrFull says that the store is over its quota and refuses writes.
	ErrFull = errors.New("metadata: the store is full")
	// ErrTooLarge says that a transaction holds more than MaxOps operations or too many bytes.
	ErrTooLarge = errors.New("metadata: the transaction is too large")
	// ErrLeaseLost says that a lease that a write was to hang on is over.
	ErrLeaseLost = errors.New("metadata: the lease is over")
	// ErrClosed says that the store or the feed was closed.
	ErrClosed = errors.New("metadata: closed")
)

// MaxOps bounds the comparisons and the operations of one transaction: etcd's default max-txn-ops,
// which an outside cluster will have.
const MaxOps = 128

// Revision is a point in the store's history. Each transaction that changes something makes the next one.
type Revision int64

// LeaseID names a lease; 0 is none.
type LeaseID int64

// KV is one key as the store holds it.
type KV struct {
	Key   string
	Value []byte
	// Created is the revision at which the key came into being, Modified that of its last write.
	Created, Modified Revision
	Lease             LeaseID
}

// Page is a part of a Range, in key order.
type Page struct {
	KVs []KV
	// More is set when keys remain; ask again with After set to the last key.
	More bool
	// Revision is that of the whole store as the page saw it.
	Revision Revision
}

// RangeRequest asks for the keys with a prefix, a page at a time.
type RangeRequest struct {
	Prefix string
	// After, if set, is the last key already seen.
	After string
	// Limit bounds the keys of the page; 0 is the store's own bound.
	Limit int
	// At, if set, reads the state as of that revision, so that pages fit together. ErrCompacted when
	// it is too old.
	At Revision
}

// Event is one change of one key.
type Event struct {
	// KV is the key after the change; of a deletion only Key and Modified are set.
	KV
	Deleted bool
}

// Change is what a watch delivers: all events of one or more consecutive revisions, never a part
// of a revision.
type Change struct {
	// Revision is the last one included. A Change without events only says how far the store is.
	Revision Revision
	Events   []Event
	// Err ends the watch: ErrCompacted, ErrUnavailable, ErrClosed or the context's error.
	Err error
}

// Store is a strongly consistent key-value store with history: etcd, or memory in tests. Keys are
// relative to the root that the Store was opened at. Its methods may be called at once from anywhere.
type Store interface {
	// Get reads one key; found is false when it does not exist.
	Get(ctx context.Context, key string) (kv KV, found bool, err error)
	Range(ctx context.Context, req RangeRequest) (Page, error)
	// Txn applies Then in one revision if every comparison of If holds.
	Txn(ctx context.Context, txn Txn) (TxnResult, error)
	// Watch delivers every change of a key under prefix from the revision on, in order. The channel
	// closes after a Change with Err, which comes also when ctx ends.
	Watch(ctx context.Context, prefix string, from Revision) <-chan Change
	// Lease grants a lease and keeps it alive until it is revoked or the store is closed.
	Lease(ctx context.Context, ttl time.Duration) (Lease, error)
	// Close ends every watch and stops keeping leases alive, without revoking them.
	Close() error
}

// Lease keeps keys in existence for as long as their owner is alive.
type Lease interface {
	ID() LeaseID
	// Lost is closed when the lease is over: revoked, expired or no longer kept alive.
	Lost() <-chan struct{}
	// Revoke ends the lease, and its keys with it.
	Revoke(ctx context.Context) error
}
