package zookeeper

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// write is a request for a change.
type write struct {
	// try does it in a draft. It is called again when another keeper was faster.
	try func(*tree.Draft) tree.Result
	// done is called once with what became of it, with the replica's lock held, or with an error, of which it is not
	// known whether it took place.
	done func(tree.Result, error)
}

// transaction is the writes that go to the store together.
type transaction struct {
	keeper  string
	batch   int64
	writes  []*write
	results []tree.Result
	// base is the zxid on top of which it was tried: what is beyond it has to be moved to the revision that it gets.
	base int64
	// silent says that nothing is changed by it, not even the zxid.
	silent bool
	// over is closed when all have been answered.
	over chan struct{}
}

// answer answers the requests from the first on that were done before a zxid, and returns the next one.
func (t *transaction) answer(first int, before int64) int {
	for ; first < len(t.writes) && t.results[first].Zxid < before; first++ {
		t.writes[first].done(t.results[first], nil)
	}
	if first == len(t.writes) && t.over != nil {
		close(t.over)
		t.over = nil
	}
	return first
}

// moveTo gives the results the zxids of the revision at which the transaction took place.
func (t *transaction) moveTo(revision int64) {
	for i := range t.results {
		t.results[i].Move(t.base, revision-t.base)
	}
}

func (t *transaction) fail(err error) {
	for _, w := range t.writes {
		w.done(tree.Result{}, err)
	}
	if t.over != nil {
		close(t.over)
		t.over = nil
	}
}

const (
	// queued bounds the writes that wait for the writer.
	queued = 4096
	// batchNodes, batchWrites and batchBytes end a batch: with its head it is to fit into one transaction of the store, and
	// its zxids into one revision.
	batchNodes  = 50
	batchWrites = maxChanges - 1
	batchBytes  = 256 << 10
	// storeTimeout bounds one call of the store.
	storeTimeout = 5 * time.Second
)

// writer is the goroutine that commits changes.
type writer struct {
	replica *replica
	store   metadata.Store
	keeper  string
	log     *slog.Logger
	queue   chan *write
	batch   int64
	now     func() time.Time
}

func (w *writer) run(ctx context.Context) {
	var next []*write
	for {
		if len(next) == 0 {
			select {
			case first := <-w.queue:
				next = append(next, first)
			case <-ctx.Done():
				w.drain(next)
				return
			}
		}
	more:
		for len(next) < queued {
			select {
			case another := <-w.queue:
				next = append(next, another)
			default:
				break more
			}
		}
		taken, err := w.commit(ctx, next)
		if err != nil {
			for _, failed := range next[:taken] {
				failed.done(tree.Result{}, err)
			}
		}
		next = append(next[:0], next[taken:]...)
		if ctx.Err() != nil {
			w.drain(next)
			return
		}
	}
}

// drain answers what waits when the server stops. What comes later nobody takes: connections are closed by then.
func (w *writer) drain(next []*write) {
	for _, failed := range next {
		failed.done(tree.Result{}, errNotServing)
	}
	for {
		select {
		case failed := <-w.queue:
			failed.done(tree.Result{}, errNotServing)
		default:
			return
		}
	}
}

// commit brings the first of the writes, as many as fit, into the store, and says how many those are. Its error is
// theirs; without one they have been answered.
func (w *writer) commit(ctx context.Context, next []*write) (int, error) {
	for {
		base, spill, t, delta, err := w.draft(next)
		if err != nil {
			return len(next), err
		}
		if len(spill) > 0 {
			if err := w.flush(ctx, base, spill); err != nil {
				return len(next), err
			}
			continue
		}
		done, err := w.try(ctx, base, t, delta)
		if done || err != nil {
			return len(t.writes), err
		}
	}
}

// draft tries the writes on the copy.
func (w *writer) draft(next []*write) (metadata.Revision, []metadata.Op, *transaction, tree.Delta, error) {
	r := w.replica
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.tree == nil {
		return 0, nil, nil, tree.Delta{}, errNotServing
	}
	if len(r.spill) > 0 {
		return r.headAt, r.spill, nil, tree.Delta{}, nil
	}
	w.batch++
	t := &transaction{keeper: w.keeper, batch: w.batch, base: r.tree.Zxid(), over: make(chan struct{})}
	d := r.tree.Draft(w.now().UnixMilli())
	for _, one := range next {
		if len(t.writes) > 0 && (d.Touched() >= batchNodes || d.Size() >= batchBytes || len(t.writes) >= batchWrites) {
			break
		}
		t.writes = append(t.writes, one)
		t.results = append(t.results, one.try(d))
	}
	delta := d.Delta()
	t.silent = delta.Zxid == t.base && len(delta.Nodes)+len(delta.Sessions) == 0
	return r.headAt, nil, t, delta, nil
}

// try commits a transaction on top of a revision of the head. It is not done if the head has moved on.
func (w *writer) try(ctx context.Context, base metadata.Revision, t *transaction, delta tree.Delta) (bool, error) {
	if t.silent {
		return w.confirm(ctx, base, t)
	}
	ops := operations(delta, t.base)
	h := head{zxid: delta.Zxid, keeper: t.keeper, batch: t.batch, events: delta.Events}
	if most := metadata.MaxOps - 1; len(ops) > most {
		ops, h.spill = ops[:most], ops[most:]
	}
	over := t.over
	r := w.replica
	r.mu.Lock()
	if r.headAt != base || r.tree == nil {
		r.mu.Unlock()
		return false, nil
	}
	r.waiting = t
	r.mu.Unlock()
	txn := metadata.Txn{
		If: []metadata.Compare{metadata.ModifiedAt(headKey, base)}, Then: append(ops, metadata.Put(headKey, h.encode(t.base))),
	}
	for {
		// The same transaction may be sent again: on one base only one of them takes place, and that is this one.
		call, cancel := context.WithTimeout(ctx, storeTimeout)
		result, err := w.store.Txn(call, txn)
		cancel()
		switch {
		case err == nil && result.OK:
			return true, w.settled(ctx, over)
		case err == nil:
			return w.overtaken(ctx, base, t, over)
		case errors.Is(err, metadata.ErrFull), errors.Is(err, metadata.ErrTooLarge):
			r.mu.Lock()
			if r.waiting == t {
				r.waiting = nil
			}
			r.mu.Unlock()
			w.log.Error("zookeeper: the metadata store refuses a write", "error", err)
			return false, err
		}
		select {
		case <-over: // it took place, or the copy was given up
			return true, nil
		case <-ctx.Done():
			return w.abandon(t, over)
		case <-time.After(retryEvery):
		}
	}
}

// settled waits until a transaction that took place has come back by watch and been answered.
func (w *writer) settled(ctx context.Context, over <-chan struct{}) error {
	select {
	case <-over:
	case <-ctx.Done():
	}
	return nil
}

// overtaken waits for what was faster. That may have been an earlier attempt of the same transaction.
func (w *writer) overtaken(ctx context.Context, base metadata.Revision, t *transaction, over <-chan struct{}) (bool, error) {
	r := w.replica
	for {
		r.mu.Lock()
		progress, moved := r.progress, r.headAt != base
		if moved && r.waiting == t {
			r.waiting = nil
		}
		r.mu.Unlock()
		select {
		case <-over:
			return true, nil
		default:
		}
		if moved {
			return false, nil
		}
		select {
		case <-progress:
		case <-over:
		case <-ctx.Done():
			return w.abandon(t, over)
		}
	}
}

// abandon takes a transaction back when the server stops, unless it has been answered.
func (w *writer) abandon(t *transaction, over <-chan struct{}) (bool, error) {
	r := w.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == t {
		r.waiting = nil
		return false, errNotServing
	}
	return true, nil
}

// confirm answers requests that change nothing: what they were told must be true of the newest tree.
func (w *writer) confirm(ctx context.Context, base metadata.Revision, t *transaction) (bool, error) {
	call, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	kv, found, err := w.store.Get(call, headKey)
	if err != nil || !found {
		return false, errors.Join(errNotServing, err)
	}
	r := w.replica
	if kv.Modified != base {
		err := r.await(call, func() bool { return r.headAt >= kv.Modified })
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tree == nil {
		return false, errNotServing
	}
	if r.headAt != base {
		return false, nil
	}
	t.answer(0, r.tree.Zxid()+1)
	return true, nil
}

// flush carries out a part of what did not fit into a transaction.
func (w *writer) flush(ctx context.Context, base metadata.Revision, spill []metadata.Op) error {
	r := w.replica
	r.mu.RLock()
	if r.tree == nil {
		r.mu.RUnlock()
		return errNotServing
	}
	h := head{zxid: r.tree.Zxid(), keeper: w.keeper}
	r.mu.RUnlock()
	n := min(len(spill), metadata.MaxOps-1)
	h.spill = spill[n:]
	call, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := w.store.Txn(call, metadata.Txn{
		If:   []metadata.Compare{metadata.ModifiedAt(headKey, base)},
		Then: append(spill[:n:n], metadata.Put(headKey, h.encode(math.MaxInt64))),
	})
	if err != nil {
		return errors.Join(errNotServing, err)
	}
	return r.await(call, func() bool { return r.headAt != base })
}

// multiCode is the code in the header of a reply: a multi's own parts tell what failed.
func multiCode(r tree.Result) jute.Code {
	if r.Parts != nil {
		return jute.OK
	}
	return r.Code
}
