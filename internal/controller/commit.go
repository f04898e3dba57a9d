package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"barnabas/internal/metadata"
)

// errConflict says that a leader changed a partition between the plan and its commit: plan again.
var errConflict = errors.New("a partition changed meanwhile")

// errFenced says that another controller was elected.
var errFenced = fmt.Errorf("%w: another one was elected", ErrNotController)

// maxBytes bounds the values of one transaction, well below etcd's 1.5 MiB for a request.
const maxBytes = 1 << 20

// maxAtOnce bounds the transactions that are on their way together: the store's log takes them with one sync.
const maxAtOnce = 16

// batch is a transaction in the making.
type batch struct {
	ops    []metadata.Op
	guards []metadata.Compare
	bytes  int
	// ordered: those before it have to be done first, as what it does makes theirs seen or depends on it.
	ordered bool
}

// batches packs units into as few transactions as the store's bounds allow. A unit that fits into one is
// never torn; of a longer one the part with the last operation is ordered. So are units without a guard; those with one are
// about a partition each, and none waits for another.
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
		whole := len(packed)
		for _, op := range u.ops {
			// One comparison is the fence.
			if len(b.ops) == metadata.MaxOps || b.bytes+len(op.Value) > maxBytes && len(b.ops) > 0 {
				flush()
			}
			b.ops = append(b.ops, op)
			b.bytes += len(op.Key) + len(op.Value)
		}
		b.ordered = b.ordered || u.guard == nil || len(packed) > whole
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
// them. errConflict: some transactions are done, those with the conflict and after it are not. errFenced: this broker is not
// the controller any more. Any other error: whether the last transactions are done is unknown.
func (c *Controller) commit(ctx context.Context, made changes) error {
	var last metadata.Revision
	for left := batches(made.units); len(left) > 0; {
		n := together(left)
		revision, err := c.commitTogether(ctx, left[:n])
		if err != nil {
			return err
		}
		last, left = revision, left[n:]
	}
	return c.options.Feed.Await(ctx, last)
}

// together is how many of the batches may be on their way at once.
func together(left []batch) int {
	if left[0].ordered {
		return 1
	}
	n := slices.IndexFunc(left, func(b batch) bool { return b.ordered })
	if n < 0 {
		n = len(left)
	}
	return min(n, maxAtOnce)
}

// commitTogether returns once all of the batches are done or refused, with the latest revision.
func (c *Controller) commitTogether(ctx context.Context, group []batch) (last metadata.Revision, err error) {
	results, errs := make([]metadata.TxnResult, len(group)), make([]error, len(group))
	write := func(i int) {
		results[i], errs[i] = c.options.Store.Txn(ctx, metadata.Txn{
			If:   append([]metadata.Compare{c.fence()}, group[i].guards...),
			Then: group[i].ops,
		})
	}
	var others sync.WaitGroup
	for i := 1; i < len(group); i++ {
		others.Go(func() { write(i) })
	}
	write(0)
	others.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, unavailable(err)
	}
	refused := false
	for _, result := range results {
		last, refused = max(last, result.Revision), refused || !result.OK
	}
	if refused {
		return 0, c.refusal(ctx, last)
	}
	return last, nil
}

// refusal tells why a transaction's comparisons failed, once the feed has what they saw.
func (c *Controller) refusal(ctx context.Context, revision metadata.Revision) error {
	kv, found, err := c.options.Store.Get(ctx, metadata.ControllerKey())
	if err != nil {
		return unavailable(err)
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
