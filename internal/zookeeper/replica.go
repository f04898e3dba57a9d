package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/zookeeper/jute"
	"barnabas/internal/zookeeper/tree"
)

// errNotServing says that the copy is not there, or can't be kept up to date.
var errNotServing = errors.New("zookeeper: this keeper is not serving")

// replica is this keeper's copy of the tree, with who watches what in it.
type replica struct {
	store metadata.Store
	log   *slog.Logger
	// lost is called when the copy is given up: every connection has to go.
	lost func()
	// applied is called, with mu held, for the sessions that a step has changed.
	applied func([]tree.SessionChange)

	mu sync.RWMutex
	// What follows is guarded by mu. tree is nil while there is no copy.
	tree    *tree.Tree
	watches *tree.Watches[*conn]
	// headAt is the revision of the head that the copy has come to, and spill what still has to be carried out.
	headAt metadata.Revision
	spill  []metadata.Op
	// keepers are the names of those that live.
	keepers map[string]bool
	// waiting is this keeper's transaction that is under way.
	waiting *transaction
	// progress is closed, and replaced, whenever the copy has changed or is given up.
	progress chan struct{}
}

const (
	// pageSize is how many keys are read at a time when the copy is made.
	pageSize = 1000
	// patience is how long a copy that can't be kept up to date is still read from.
	patience = 5 * time.Second
	// retryEvery is the wait between attempts to reach the store.
	retryEvery = 200 * time.Millisecond
)

func newReplica(store metadata.Store, log *slog.Logger) *replica {
	return &replica{
		store: store, log: log, watches: tree.NewWatches[*conn](), progress: make(chan struct{}),
	}
}

// run makes the copy and keeps it until ctx ends.
func (r *replica) run(ctx context.Context) {
	for ctx.Err() == nil {
		from, err := r.load(ctx)
		if err != nil {
			if ctx.Err() == nil {
				r.log.Warn("zookeeper: the tree can't be read", "error", err)
			}
			pause(ctx, retryEvery)
			continue
		}
		if err := r.follow(ctx, from); err != nil && ctx.Err() == nil {
			r.log.Warn("zookeeper: the tree can't be kept up to date; clients are sent away", "error", err)
		}
		r.giveUp()
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (r *replica) giveUp() {
	r.mu.Lock()
	r.tree, r.watches = nil, tree.NewWatches[*conn]()
	waiting := r.waiting
	r.waiting = nil
	r.moved()
	r.mu.Unlock()
	if waiting != nil {
		waiting.fail(errNotServing)
	}
	r.lost()
}

// moved wakes those that wait for the copy; mu is held.
func (r *replica) moved() {
	close(r.progress)
	r.progress = make(chan struct{})
}

// load reads everything as of one revision, which it returns. An ensemble without a head gets one: a birth.
func (r *replica) load(ctx context.Context) (metadata.Revision, error) {
	kv, found, err := r.store.Get(ctx, headKey)
	if err != nil {
		return 0, err
	}
	if !found {
		// Zxids begin above those of any life before, by the minute: who has seen those must not be ahead of us.
		newborn := head{zxid: epochAt(time.Now())}
		_, err := r.store.Txn(ctx, metadata.Txn{
			If: []metadata.Compare{metadata.Absent(headKey)}, Then: []metadata.Op{metadata.Put(headKey, newborn.encode())},
		})
		if err != nil {
			return 0, err
		}
		return r.load(ctx)
	}
	var (
		delta   tree.Delta
		keepers = make(map[string]bool)
		request = metadata.RangeRequest{Limit: pageSize}
	)
	for {
		page, err := r.store.Range(ctx, request)
		if err != nil {
			return 0, err
		}
		if request.At == 0 {
			request.At = page.Revision
		}
		for _, at := range page.KVs {
			switch {
			case at.Key == headKey:
				kv = at
			case strings.HasPrefix(at.Key, keeperPrefix):
				keepers[at.Key[len(keeperPrefix):]] = true
			default:
				if err := collect(&delta, metadata.Put(at.Key, at.Value)); err != nil {
					return 0, err
				}
			}
		}
		if !page.More {
			break
		}
		request.After = page.KVs[len(page.KVs)-1].Key
	}
	return request.At, r.begin(kv, delta, keepers)
}

// epochAt is the zxid that a tree born at a time begins with: minutes where ZooKeeper has the epoch.
func epochAt(t time.Time) int64 { return t.Unix() / 60 << 32 }

func (r *replica) begin(kv metadata.KV, delta tree.Delta, keepers map[string]bool) error {
	h, err := decodeHead(kv.Value)
	if err != nil {
		return fmt.Errorf("zookeeper: the head: %w", err)
	}
	spilt := tree.Delta{Zxid: h.zxid}
	for _, op := range h.spill {
		if err := collect(&spilt, op); err != nil {
			return err
		}
	}
	delta.Zxid = h.zxid
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tree = tree.New(h.zxid)
	r.tree.Apply(delta)
	r.tree.Apply(spilt)
	r.headAt, r.spill, r.keepers = kv.Modified, h.spill, keepers
	// Sessions that were this keeper's before still are: if their clients don't come back, it ends them.
	r.applied(delta.Sessions)
	r.applied(spilt.Sessions)
	r.moved()
	return nil
}

// follow keeps the copy up to date from the revision after one. It outlasts breaks of the watch for a while.
func (r *replica) follow(ctx context.Context, at metadata.Revision) error {
	silent := time.Now()
	for {
		watch, stop := context.WithCancel(ctx)
		var ended error
		for change := range r.store.Watch(watch, "", at+1) {
			if ended = change.Err; ended != nil {
				break
			}
			if ended = r.take(change); ended != nil {
				stop()
				return ended
			}
			at, silent = change.Revision, time.Now()
		}
		stop()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(ended, metadata.ErrCompacted), errors.Is(ended, metadata.ErrClosed), time.Since(silent) > patience:
			return ended
		}
		pause(ctx, retryEvery)
	}
}

// take applies what a watch delivers, a revision at a time.
func (r *replica) take(change metadata.Change) error {
	events := change.Events
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Modified == events[0].Modified {
			n++
		}
		if err := r.apply(events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// apply is one revision: the step that it is, then, in their order, what watches see and what this keeper's clients
// are answered.
func (r *replica) apply(events []metadata.Event) error {
	var (
		delta  tree.Delta
		h      *head
		err    error
		headAt metadata.Revision
	)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		op := metadata.Put(e.Key, e.Value)
		if e.Deleted {
			op = metadata.Delete(e.Key)
		}
		switch {
		case e.Key == headKey && e.Deleted:
			return errors.New("zookeeper: the head was deleted")
		case e.Key == headKey:
			if h, err = decodeHead(e.Value); err != nil {
				return fmt.Errorf("zookeeper: the head: %w", err)
			}
			headAt = e.Modified
		case strings.HasPrefix(e.Key, keeperPrefix):
			r.keepers[e.Key[len(keeperPrefix):]] = !e.Deleted
			if e.Deleted {
				delete(r.keepers, e.Key[len(keeperPrefix):])
			}
		default:
			if err := collect(&delta, op); err != nil {
				return err
			}
		}
	}
	if h == nil {
		return nil
	}
	for _, op := range h.spill {
		if err := collect(&delta, op); err != nil {
			return err
		}
	}
	delta.Zxid, delta.Events = h.zxid, h.events
	gone := make(map[string][]jute.ACL)
	for _, n := range delta.Nodes {
		if acl, ok := r.tree.ACLOf(n.Path); ok && n.Gone {
			gone[n.Path] = acl
		}
	}
	r.tree.Apply(delta)
	r.headAt, r.spill = headAt, h.spill
	r.tell(h, gone)
	r.applied(delta.Sessions)
	r.moved()
	return nil
}

// tell fires watches and answers this keeper's requests in the order of what happened; mu is held.
func (r *replica) tell(h *head, gone map[string][]jute.ACL) {
	var mine *transaction
	if t := r.waiting; t != nil && t.keeper == h.keeper && t.batch == h.batch {
		mine, r.waiting = t, nil
	}
	answered := 0
	for _, e := range h.events {
		if mine != nil {
			answered = mine.answer(answered, e.Zxid)
		}
		r.watches.Fire(e, func(c *conn, event jute.EventType, path string) {
			acl, there := r.tree.ACLOf(path)
			if !there {
				acl = gone[path]
			}
			if tree.Allowed(acl, jute.PermRead, c.identities()) {
				c.notify(event, path)
			}
		})
	}
	if mine != nil {
		mine.answer(answered, h.zxid+1)
	}
}

// await waits until ready holds of the copy, which it calls with mu held for reading.
func (r *replica) await(ctx context.Context, ready func() bool) error {
	for {
		r.mu.RLock()
		serving, progress := r.tree != nil, r.progress
		done := serving && ready()
		r.mu.RUnlock()
		if done {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sync waits until the copy has come to what the store holds now.
func (r *replica) sync(ctx context.Context) error {
	kv, found, err := r.store.Get(ctx, headKey)
	if err != nil || !found {
		return errors.Join(errNotServing, err)
	}
	return r.await(ctx, func() bool { return r.headAt >= kv.Modified })
}
