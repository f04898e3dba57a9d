package controller

import (
	"context"
	"errors"
	"time"

	"barnabas/internal/metadata"
)

// campaign tries to become the controller. A key of this broker's own, of an earlier life or of an election that
// could not be given up, is taken away: the registration says that that life is over, and a new key makes void
// what may still be under way.
func (c *Controller) campaign(ctx context.Context) (bool, error) {
	key, lease := metadata.ControllerKey(), c.options.Lease().ID()
	kv, found, err := c.options.Store.Get(ctx, key)
	if err != nil {
		return false, err
	}
	if found {
		if !c.ours(kv) {
			return false, nil
		}
		_, err := c.options.Store.Txn(ctx, metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(key, kv.Created)},
			Then: []metadata.Op{metadata.Delete(key)},
		})
		if err != nil {
			return false, err
		}
	}
	result, err := c.options.Store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{metadata.Absent(key)},
		Then: []metadata.Op{metadata.PutLeased(key, metadata.EncodeElection(c.options.Broker), lease)},
	})
	if err != nil || !result.OK {
		return false, err
	}
	c.epoch.Store(int64(result.Revision))
	return true, nil
}

// ours tells whether an election key names this broker.
func (c *Controller) ours(kv metadata.KV) bool {
	e, err := metadata.DecodeElection(kv)
	return err == nil && e.Broker == c.options.Broker
}

// resign ends the rule. Giving the key up makes void whatever transaction may still be under way, of
// which the outcome is unknown.
func (c *Controller) resign(cause error) {
	fence := c.fence()
	c.epoch.Store(0)
	if errors.Is(cause, errFenced) {
		c.options.Logger.Info("another broker is the controller", "broker", c.options.Broker)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), resignWithin)
	defer cancel()
	_, err := c.options.Store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{fence},
		Then: []metadata.Op{metadata.Delete(metadata.ControllerKey())},
	})
	if err != nil {
		c.options.Logger.Info("the election ends with the lease, for it can't be given up", "error", err)
	}
}

// resignWithin bounds the wait for the store when the election is given up.
const resignWithin = time.Second
