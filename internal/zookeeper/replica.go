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
	"barnabas/internal/zookeeper/registry"
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
	// at is the revision that the copy has come to, headAt that of the head, and spill what still has to be carried out.
	at, headAt metadata.Revision
	spill      []metadata.Op
	// pictures are the clusters whose metadata the store holds, by chroot: "" or "/name".
	pictures map[string]*registry.Picture
	// unreadable are those whose metadata are of a release that this one can't follow: their pictures stay empty.
	unreadable map[string]bool
	// asked are this keeper's requests that the controller has not answered, by name.
	asked map[string]chan<- []byte
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
		asked: make(map[string]chan<- []byte),
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
	r.tree, r.pictures, r.watches = nil, nil, tree.NewWatches[*conn]()
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
	_, found, err := r.store.Get(ctx, headKey)
	if err != nil {
		return 0, err
	}
	if !found {
		var newborn head
		_, err := r.store.Txn(ctx, metadata.Txn{
			If: []metadata.Compare{metadata.Absent(headKey)}, Then: []metadata.Op{metadata.Put(headKey, newborn.encode(0))},
		})
		if err != nil {
			return 0, err
		}
		return r.load(ctx)
	}
	b := &beginning{keepers: make(map[string]bool), clusters: make(map[string][]metadata.KV)}
	request := metadata.RangeRequest{Limit: pageSize}
	for {
		page, err := r.store.Range(ctx, request)
		if err != nil {
			return 0, err
		}
		if request.At == 0 {
			request.At = page.Revision
		}
		for _, kv := range page.KVs {
			if err := b.add(kv); err != nil {
				return 0, err
			}
		}
		if !page.More {
			break
		}
		request.After = page.KVs[len(page.KVs)-1].Key
	}
	return request.At, r.begin(request.At, b)
}

// beginning is what the store holds at one revision.
type beginning struct {
	head    metadata.KV
	delta   tree.Delta
	keepers map[string]bool
	// clusters are the keys of the clusters' metadata, by chroot.
	clusters map[string][]metadata.KV
}

func (b *beginning) add(kv metadata.KV) error {
	switch {
	case kv.Key == headKey:
		b.head = kv
	case strings.HasPrefix(kv.Key, keeperPrefix):
		b.keepers[kv.Key[len(keeperPrefix):]] = true
	case strings.HasPrefix(kv.Key, treeRoot):
		return collect(&b.delta, metadata.Put(kv.Key, kv.Value), kv.Modified)
	default:
		if chroot, key, ok := clusterKey(kv.Key); ok {
			kv.Key = key
			b.clusters[chroot] = append(b.clusters[chroot], kv)
		}
	}
	return nil
}

func (r *replica) begin(at metadata.Revision, b *beginning) error {
	h, err := decodeHead(b.head.Value, b.head.Modified)
	if err != nil {
		return fmt.Errorf("zookeeper: the head: %w", err)
	}
	spilt := tree.Delta{Zxid: zxidAt(at)}
	for _, op := range h.spill {
		if err := collect(&spilt, op, b.head.Modified); err != nil {
			return err
		}
	}
	spill, err := settledAll(h.spill, b.head.Modified)
	if err != nil {
		return err
	}
	pictures := make(map[string]*registry.Picture, len(b.clusters))
	unreadable := make(map[string]bool)
	for chroot, kvs := range b.clusters {
		pictures[chroot] = registry.New(zxidAt)
		if err := pictures[chroot].Load(at, kvs); err != nil {
			r.giveUpPicture(chroot, err)
			pictures[chroot], unreadable[chroot] = registry.New(zxidAt), true
		}
	}
	b.delta.Zxid = zxidAt(b.head.Modified)
	r.mu.Lock()
	defer r.mu.Unlock()
	// A key that was written with the head's last change may be of any number of that revision.
	r.tree = tree.New(zxidAt(at))
	r.tree.Apply(b.delta)
	r.tree.Apply(spilt)
	r.tree.Apply(tree.Delta{Zxid: h.zxid})
	r.pictures, r.unreadable = pictures, unreadable
	r.at, r.headAt, r.spill, r.keepers = at, b.head.Modified, spill, b.keepers
	// Sessions that were this keeper's before still are: if their clients don't come back, it ends them.
	r.applied(b.delta.Sessions)
	r.applied(spilt.Sessions)
	r.moved()
	return nil
}

func settledAll(ops []metadata.Op, at metadata.Revision) ([]metadata.Op, error) {
	for i, op := range ops {
		var err error
		if ops[i], err = settled(op, at); err != nil {
			return nil, err
		}
	}
	return ops, nil
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
		if err := r.apply(events[0].Modified, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if change.Revision > r.at {
		r.at = change.Revision
		r.tree.Apply(tree.Delta{Zxid: zxidAt(r.at)})
		r.moved()
	}
	return nil
}

// step is what one revision does.
type step struct {
	at    metadata.Revision
	head  *head
	delta tree.Delta
	// clusters are the events of the clusters' metadata, by chroot.
	clusters map[string][]metadata.Event
}

// apply is one revision: the step that it is, then, in their order, what watches see and what this keeper's clients
// are answered.
func (r *replica) apply(at metadata.Revision, events []metadata.Event) error {
	s := &step{at: at}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range events {
		if err := r.sort(s, &events[i]); err != nil {
			return err
		}
	}
	for chroot, events := range s.clusters {
		r.paint(at, chroot, events)
	}
	r.at = at
	if s.head != nil {
		if err := r.advance(s); err != nil {
			return err
		}
	}
	r.tree.Apply(tree.Delta{Zxid: zxidAt(at)})
	r.moved()
	return nil
}

// sort puts an event where it belongs; mu is held.
func (r *replica) sort(s *step, e *metadata.Event) (err error) {
	switch {
	case e.Key == headKey && e.Deleted:
		return errors.New("zookeeper: the head was deleted")
	case e.Key == headKey:
		if s.head, err = decodeHead(e.Value, e.Modified); err != nil {
			return fmt.Errorf("zookeeper: the head: %w", err)
		}
	case strings.HasPrefix(e.Key, keeperPrefix):
		r.keepers[e.Key[len(keeperPrefix):]] = !e.Deleted
		if e.Deleted {
			delete(r.keepers, e.Key[len(keeperPrefix):])
		}
	case strings.HasPrefix(e.Key, treeRoot):
		op := metadata.Put(e.Key, e.Value)
		if e.Deleted {
			op = metadata.Delete(e.Key)
		}
		return collect(&s.delta, op, e.Modified)
	default:
		chroot, key, ok := clusterKey(e.Key)
		if !ok {
			return nil
		}
		inside := *e
		inside.Key = key
		if name, ok := metadata.AskedName(key); ok {
			return r.heard(name, &inside)
		}
		if s.clusters == nil {
			s.clusters = make(map[string][]metadata.Event, 1)
		}
		s.clusters[chroot] = append(s.clusters[chroot], inside)
	}
	return nil
}

// advance takes the tree's own step; mu is held.
func (r *replica) advance(s *step) (err error) {
	h := s.head
	for _, op := range h.spill {
		if err := collect(&s.delta, op, s.at); err != nil {
			return err
		}
	}
	if r.spill, err = settledAll(h.spill, s.at); err != nil {
		return err
	}
	s.delta.Zxid, s.delta.Events = h.zxid, h.events
	gone := make(map[string][]jute.ACL)
	for _, n := range s.delta.Nodes {
		if acl, ok := r.tree.ACLOf(n.Path); ok && n.Gone {
			gone[n.Path] = acl
		}
	}
	r.tree.Apply(s.delta)
	r.headAt = s.at
	r.tell(h, s.at, gone)
	r.applied(s.delta.Sessions)
	return nil
}

// tell fires watches and answers this keeper's requests in the order of what happened; mu is held.
func (r *replica) tell(h *head, at metadata.Revision, gone map[string][]jute.ACL) {
	var mine *transaction
	if t := r.waiting; t != nil && t.keeper == h.keeper && t.batch == h.batch {
		mine, r.waiting = t, nil
		mine.moveTo(zxidAt(at))
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
		mine.answer(answered, zxidAt(at+1))
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
	page, err := r.store.Range(ctx, metadata.RangeRequest{Prefix: headKey, Limit: 1})
	if err != nil {
		return errors.Join(errNotServing, err)
	}
	return r.await(ctx, func() bool { return r.at >= page.Revision })
}
