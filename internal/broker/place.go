package broker

import (
	"context"
	"slices"

	"barnabas/internal/metadata"
)

// holdsPlaceOf tells whether this process listens where another is registered to, on the same boot of the machine: that
// one has ended, for an address is one process's. It is what a container finds that is started again with an
// empty disk before anybody has missed it. Its registration would seem to answer, in this process's own voice.
func (b *Broker) holdsPlaceOf(old *metadata.Broker) bool {
	if old.Boot != b.options.Boot {
		return false
	}
	return slices.ContainsFunc(b.ownEndpoints(), func(e metadata.Endpoint) bool { return slices.Contains(old.Own, e) })
}

// endDead ends the registration of the broker whose place this process has, and its election, and waits until that is
// known here. Others may do so at the same time.
func (b *Broker) endDead(ctx context.Context, old *metadata.Broker) error {
	b.logger.Warn("the broker id is registered by a process that has ended, for this one listens at its address: its "+
		"registration is ended", "broker", int32(b.id), "address", addressesOf(old))
	ended, err := b.meta.store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{metadata.CreatedAt(metadata.BrokerKey(old.ID), old.Epoch)},
		Then: []metadata.Op{metadata.Delete(metadata.BrokerKey(old.ID))},
	})
	if err != nil {
		return err
	}
	if elected := b.feed.Current().Controller(); elected.Broker == old.ID {
		_, err := b.meta.store.Txn(ctx, metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(metadata.ControllerKey(), elected.Epoch)},
			Then: []metadata.Op{metadata.Delete(metadata.ControllerKey())},
		})
		if err != nil {
			return err
		}
	}
	return b.feed.Await(ctx, ended.Revision)
}
