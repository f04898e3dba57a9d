package controller

import (
	"context"
	"errors"
	"fmt"

	"barnabas/internal/metadata"
)

// errConflict says that a leader changed a partition between the plan and its commit: plan again.
var errConflict = errors.New("a partition changed meanwhile")

// errFenced says that another controller was elected.
var errFenced = fmt.Errorf("%w: another one was elected", ErrNotController)

// maxBytes bounds the values of one transaction, well below etcd's 1.5 MiB for a request.
const maxBytes = 1 << 20

// batch is a transaction in the making.
type batch struct {
	ops    []metadata.Op
	guards []metadata.Compare
	bytes  int
}

// batches packs units into as few transactions as the store's bounds allow. A unit that fits into one is
// never torn; of a longer one the parts follow each other, the last operation last.
func batches(units []unit) []batch {
	var packed []batch
	var b batch
	flush := func() {
		if len(b.ops) > 0 {
			packed = append(packed, b)
			b = batch{}
		}
	}
	for _, u := range units {
		if !b.holds(u) {
			flush()
		}
		if u.guard != nil {
			b.guards = append(b.guards, *u.guard)
		}
		for _, op := range u.ops {
			// One comparison is the fence.
			if len(b.ops) == metadata.MaxOps || b.bytes+len(op.Value) > maxBytes && len(b.ops) > 0 {
				flush()
			}
			b.ops = append(b.ops, op)
			b.bytes += len(op.Key) + len(op.Value)
		}
	}
	flush()
	return packed
}

// holds tells whether a whole unit still fits.
func (b *batch) holds(u unit) bool {
	size := b.bytes
	for _, op := range u.ops {
		size += len(op.Key) + len(op.Value)
	}
	return len(b.ops)+len(u.ops) <= metadata.MaxOps && len(b.guards)+2 <= metadata.MaxOps && size <= maxBytes
}

// commit writes changes in fenced transactions, and waits until every subscriber of the feed has seen
// them. errConflict: the transactions before the conflict are done, the rest is not. errFenced: this broker is not the
// controller any more. Any other error: whether the last transaction is done is unknown.
func (c *Controller) commit(ctx context.Context, made changes) error {
	var last metadata.Revision
	for _, b := range batches(made.units) {
		result, err := c.options.Store.Txn(ctx, metadata.Txn{
			If:   append([]metadata.Compare{c.fence()}, b.guards...),
			Then: b.ops,
		})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if !result.OK {
			return c.refusal(ctx, result.Revision)
		}
		last = result.Revision
	}
	return c.options.Feed.Await(ctx, last)
}

// refusal tells why a transaction's comparisons failed, once the feed has what they saw.
func (c *Controller) refusal(ctx context.Context, revision metadata.Revision) error {
	kv, found, err := c.options.Store.Get(ctx, metadata.ControllerKey())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if !found || int64(kv.Created) != c.epoch.Load() {
		return errFenced
	}
	if err := c.options.Feed.Await(ctx, revision); err != nil {
		return err
	}
	return errConflict
}

// fence holds while this broker is the controller.
func (c *Controller) fence() metadata.Compare {
	return metadata.CreatedAt(metadata.ControllerKey(), metadata.Revision(c.epoch.Load()))
}
