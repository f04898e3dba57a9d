package etcdstore

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"barnabas/internal/metadata"
)

// kv is a key without the root.
func (s *Store) kv(kv *mvccpb.KeyValue) metadata.KV {
	return metadata.KV{
		Key: string(kv.Key[len(s.root):]), Value: kv.Value,
		Created:  metadata.Revision(kv.CreateRevision),
		Modified: metadata.Revision(kv.ModRevision),
		Lease:    metadata.LeaseID(kv.Lease),
	}
}

// Watch implements metadata.Store. A member without a leader ends it with ErrUnavailable, so that its Images are
// not taken for the newest for ever.
func (s *Store) Watch(ctx context.Context, prefix string, from metadata.Revision) <-chan metadata.Change {
	changes := make(chan metadata.Change)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	go func() {
		defer close(changes)
		defer cancel()
		defer stop()
		err := s.watch(ctx, prefix, from, changes)
		select {
		case changes <- metadata.Change{Err: err}:
		case <-ctx.Done():
		}
	}()
	return changes
}

func (s *Store) watch(ctx context.Context, prefix string, from metadata.Revision, to chan<- metadata.Change) error {
	key := s.root + prefix
	options := []clientv3.OpOption{
		clientv3.WithRev(int64(from)), clientv3.WithProgressNotify(), clientv3.WithPrefix(),
	}
	for resp := range s.client.Watch(clientv3.WithRequireLeader(ctx), key, options...) {
		if err := resp.Err(); err != nil {
			return s.wrap(ctx, "watch", err)
		}
		change, ok := s.change(&resp)
		if !ok {
			continue
		}
		select {
		case to <- change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return metadata.ErrUnavailable
}

// change reads a watch's response. Its header can be ahead of its events; how far the watch is, the last event says.
func (s *Store) change(resp *clientv3.WatchResponse) (metadata.Change, bool) {
	if resp.IsProgressNotify() {
		return metadata.Change{Revision: metadata.Revision(resp.Header.Revision)}, true
	}
	if len(resp.Events) == 0 {
		return metadata.Change{}, false
	}
	change := metadata.Change{Events: make([]metadata.Event, len(resp.Events))}
	for i, e := range resp.Events {
		change.Events[i] = metadata.Event{KV: s.kv(e.Kv), Deleted: e.Type == clientv3.EventTypeDelete}
		change.Revision = metadata.Revision(e.Kv.ModRevision)
	}
	return change, true
}

// Progress asks for a Change on every watch that says how far the store is, even if nothing under their
// prefixes has changed.
func (s *Store) Progress(ctx context.Context) error {
	return s.client.RequestProgress(clientv3.WithRequireLeader(ctx))
}
