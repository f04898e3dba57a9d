package controller

import (
	"context"
	"slices"
	"time"

	"barnabas/internal/metadata"
)

const (
	// keyBytes is what a key takes of the store at most, beside itself and its value: etcd's own estimate.
	keyBytes = 256
	// unseenFor is how long what was written may be missing in what the store says that it takes: it counts there once it is in
	// its file. unseenPoll is how often that is looked at where it matters.
	unseenFor  = 2 * time.Second
	unseenPoll = 200 * time.Millisecond
)

// room is what may still be added to the metadata; nil for whatever comes.
type room struct {
	metadata.Usage
	recent int64 // what was added lately, and may be counted in Usage or not
	added  int64 // by this plan
	// doubt says that something was refused for which there is room if Usage counts what is recent.
	doubt bool
}

// addition is what was added to the metadata not long ago.
type addition struct {
	at    time.Time
	bytes int64
}

// askToAdd is ask for a plan that adds to the metadata as far as there is room.
func askToAdd[T any](ctx context.Context, c *Controller, plan func(*state) (T, changes)) (T, error) {
	for {
		usage, doubt := c.usage(ctx), false
		outcome, err := ask(ctx, c, func(s *state) (T, changes) {
			s.room = &room{Usage: usage, recent: c.recently(s.now)}
			outcome, made := plan(s)
			if doubt = s.room.doubt; doubt {
				return outcome, changes{}
			}
			c.additions = append(c.additions, addition{s.now, s.room.added})
			return outcome, made
		})
		if err != nil || !doubt {
			return outcome, err
		}
		select {
		case <-time.After(unseenPoll):
		case <-ctx.Done():
			return outcome, nil
		}
	}
}

// usage is how full the store is. Whoever does not tell has room: a transaction may still be refused.
func (c *Controller) usage(ctx context.Context) metadata.Usage {
	usage, err := metadata.UsageOf(ctx, c.options.Store)
	if err != nil {
		c.options.Logger.Debug("the metadata store does not tell how full it is", "error", err)
	}
	return usage
}

// recently is how much was added lately. It is the goroutine's.
func (c *Controller) recently(now time.Time) (bytes int64) {
	c.additions = slices.DeleteFunc(c.additions, func(a addition) bool { return now.Sub(a.at) >= unseenFor })
	for _, a := range c.additions {
		bytes += a.bytes
	}
	return bytes
}

// take makes room for what is to be added, or says that there is none.
func (r *room) take(ops []metadata.Op) error {
	if r == nil || r.Quota == 0 {
		return nil
	}
	size := int64(0)
	for _, op := range ops {
		size += int64(len(op.Key) + len(op.Value) + keyBytes)
	}
	sure := r.Bytes + r.added + size
	if sure+r.recent <= r.GrowsUntil() {
		r.added += size
		return nil
	}
	r.doubt = r.doubt || sure <= r.GrowsUntil()
	const mib = 1 << 20
	return refuse(ErrPolicyViolation, "The keepers have no room for more: the metadata take %.1f MiB of at most %.1f MiB, and what is left is "+
		"for elections. Delete topics, or raise the keepers' keeper.quota.bytes (ZOO_QUOTA_BYTES; --quota-backend-bytes of an etcd).",
		float64(r.Bytes)/mib, float64(r.Quota)/mib)
}
