// Package etcdstore is the metadata Store on etcd: a keeper's own member in the same process, a keeper
// ensemble, or a cluster of somebody else's. The client does the work; this package gives it the Store's
// shape, the root below which the keys live, and the Store's errors.
package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"barnabas/internal/metadata"
)

// defaultPage bounds a Range that names no limit.
const defaultPage = 1000

// Store is a metadata.Store below a root in etcd's key space. It starts no goroutine of its own but one for
// each watch and each lease, which end with it.
type Store struct {
	client *clientv3.Client
	leases pb.LeaseClient
	root   string
	// ctx ends when the Store is closed.
	ctx   context.Context
	close context.CancelFunc
	// owned says that the client is closed with the Store.
	owned bool
}

var _ metadata.Store = (*Store)(nil)

// New is a Store on a client that stays its owner's; leases are what the client renews leases by. The root is put before
// every key as it is.
func New(client *clientv3.Client, leases pb.LeaseClient, root string) *Store {
	s := &Store{client: client, leases: leases, root: root}
	s.ctx, s.close = context.WithCancel(context.Background())
	return s
}

// NewOwner is New for a client with connections of its own, which is closed with the Store.
func NewOwner(client *clientv3.Client, root string) *Store {
	s := New(client, clientv3.RetryLeaseClient(client), root)
	s.owned = true
	return s
}

// BornKey is the key, outside of every root, by which keepers say which life of theirs this is. Its revision is the first
// of that life.
const BornKey = "keeper/ensemble"

// Born is the value of BornKey.
type Born struct {
	Version   int      `json:"version"`
	Ensemble  string   `json:"ensemble"`
	Ancestors []string `json:"ancestors,omitempty"`
	// Kept is the revision up to which the life before was kept.
	Kept int64 `json:"kept,omitempty"`
}

// Birth tells which life of the store this is; an etcd cluster that is not made of keepers has one only.
func (s *Store) Birth(ctx context.Context) (metadata.Birth, error) {
	ctx, cancel, err := s.with(ctx, "get "+BornKey)
	if err != nil {
		return metadata.Birth{}, err
	}
	defer cancel()
	resp, err := s.client.Get(ctx, BornKey)
	if is(err, rpctypes.ErrGRPCPermissionDenied) {
		return metadata.Birth{}, nil
	}
	if err != nil {
		return metadata.Birth{}, s.wrap(ctx, "get "+BornKey, err)
	}
	if len(resp.Kvs) == 0 {
		return metadata.Birth{}, nil
	}
	var born Born
	if err := json.Unmarshal(resp.Kvs[0].Value, &born); err != nil {
		return metadata.Birth{}, fmt.Errorf("%w: %s: %w", metadata.ErrCorrupt, BornKey, err)
	}
	return metadata.Birth{
		Ensemble: born.Ensemble, Ancestors: born.Ancestors, Kept: metadata.Revision(born.Kept),
		Since: metadata.Revision(resp.Kvs[0].ModRevision),
	}, nil
}

// Close implements metadata.Store.
func (s *Store) Close() error {
	s.close()
	if s.owned {
		return s.client.Close()
	}
	return nil
}

// Get implements metadata.Store.
func (s *Store) Get(ctx context.Context, key string) (metadata.KV, bool, error) {
	ctx, cancel, err := s.with(ctx, "get "+key)
	if err != nil {
		return metadata.KV{}, false, err
	}
	defer cancel()
	resp, err := s.client.Get(ctx, s.root+key)
	if err != nil {
		return metadata.KV{}, false, s.wrap(ctx, "get "+key, err)
	}
	if len(resp.Kvs) == 0 {
		return metadata.KV{}, false, nil
	}
	return s.kv(resp.Kvs[0]), true, nil
}

// Range implements metadata.Store.
func (s *Store) Range(ctx context.Context, req metadata.RangeRequest) (metadata.Page, error) {
	ctx, cancel, err := s.with(ctx, "range "+req.Prefix)
	if err != nil {
		return metadata.Page{}, err
	}
	defer cancel()
	limit := int64(req.Limit)
	if limit <= 0 {
		limit = defaultPage
	}
	from := s.root + req.Prefix
	options := []clientv3.OpOption{
		clientv3.WithRange(clientv3.GetPrefixRangeEnd(from)),
		clientv3.WithLimit(limit), clientv3.WithRev(int64(req.At)),
	}
	if from == "" {
		from, options[0] = "\x00", clientv3.WithFromKey()
	}
	if req.After != "" {
		from = s.root + req.After + "\x00"
	}
	resp, err := s.client.Get(ctx, from, options...)
	if err != nil {
		return metadata.Page{}, s.wrap(ctx, "range "+req.Prefix, err)
	}
	page := metadata.Page{
		More: resp.More, Revision: metadata.Revision(resp.Header.Revision),
		KVs: make([]metadata.KV, len(resp.Kvs)),
	}
	for i, kv := range resp.Kvs {
		page.KVs[i] = s.kv(kv)
	}
	return page, nil
}

// Txn implements metadata.Store.
func (s *Store) Txn(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
	if len(txn.If) > metadata.MaxOps || len(txn.Then) > metadata.MaxOps {
		return metadata.TxnResult{}, metadata.ErrTooLarge
	}
	ctx, cancel, err := s.with(ctx, "transaction")
	if err != nil {
		return metadata.TxnResult{}, err
	}
	defer cancel()
	resp, err := s.client.Txn(ctx).If(s.compares(txn.If)...).Then(s.ops(txn.Then)...).Commit()
	if err != nil {
		return metadata.TxnResult{}, s.wrap(ctx, "transaction", err)
	}
	return metadata.TxnResult{OK: resp.Succeeded, Revision: metadata.Revision(resp.Header.Revision)}, nil
}

func (s *Store) compares(compares []metadata.Compare) []clientv3.Cmp {
	cmps := make([]clientv3.Cmp, len(compares))
	for i, c := range compares {
		key := s.root + c.Key
		switch c.Kind {
		case metadata.CompareCreated:
			cmps[i] = clientv3.Compare(clientv3.CreateRevision(key), "=", int64(c.Revision))
		case metadata.CompareModified:
			cmps[i] = clientv3.Compare(clientv3.ModRevision(key), "=", int64(c.Revision))
		default:
			cmps[i] = clientv3.Compare(clientv3.Value(key), "=", string(c.Value))
		}
	}
	return cmps
}

func (s *Store) ops(ops []metadata.Op) []clientv3.Op {
	then := make([]clientv3.Op, len(ops))
	for i, op := range ops {
		key := s.root + op.Key
		switch op.Kind {
		case metadata.OpPut:
			then[i] = clientv3.OpPut(key, string(op.Value), clientv3.WithLease(clientv3.LeaseID(op.Lease)))
		case metadata.OpDelete:
			then[i] = clientv3.OpDelete(key)
		default:
			then[i] = clientv3.OpDelete(key, clientv3.WithPrefix())
		}
	}
	return then
}

// with ends a call's context also when the Store is closed, and puts an end to a call without a deadline. A Store that is
// closed already begins none: a member in this process could answer before the context says so.
func (s *Store) with(ctx context.Context, what string) (context.Context, context.CancelFunc, error) {
	if s.ctx.Err() != nil {
		return nil, nil, fmt.Errorf("%w: %s", metadata.ErrClosed, what)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}, nil
}

// callTimeout bounds one call, so that an ensemble without a quorum is noticed.
const callTimeout = 5 * time.Second

// wrap says in the Store's words what went wrong. The caller's own cancellation stays what it is.
func (s *Store) wrap(ctx context.Context, what string, err error) error {
	reason := metadata.ErrUnavailable
	switch {
	case s.ctx.Err() != nil:
		reason = metadata.ErrClosed
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case is(err, rpctypes.ErrGRPCCompacted):
		reason = metadata.ErrCompacted
	case is(err, rpctypes.ErrGRPCPermissionDenied):
		reason = metadata.ErrDenied
	case is(err, rpctypes.ErrGRPCNoSpace):
		reason = metadata.ErrFull
	case is(err, rpctypes.ErrGRPCTooManyOps), is(err, rpctypes.ErrGRPCRequestTooLarge):
		reason = metadata.ErrTooLarge
	case is(err, rpctypes.ErrGRPCLeaseNotFound):
		reason = metadata.ErrLeaseLost
	}
	return fmt.Errorf("%w: %s: %w", reason, what, err)
}

// is compares with an error of etcd's, which comes as a client's error or, from a member in this process, as a server's.
func is(err, grpc error) bool {
	return errors.Is(err, grpc) || errors.Is(err, rpctypes.Error(grpc)) || rpctypes.ErrorDesc(err) == rpctypes.ErrorDesc(grpc)
}

func isLeaseGone(err error) bool { return is(err, rpctypes.ErrGRPCLeaseNotFound) }
