package broker

import (
	"context"
	"slices"

	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// exchange asks that a partition's in-sync set names another store of this broker, which holds all that the one does that it
// names. Whoever leads the partition, this broker alone knows that, and says so: under its registration, and only as a change of the
// state that it has seen. What comes of it is in the cluster image.
func (b *Broker) exchange(ctx context.Context, e replication.Exchange) {
	image := b.feed.Current()
	topic, me := image.TopicByID(e.Topic), image.Broker(b.id)
	if topic == nil || me == nil || me.Epoch != b.session.epoch() || !me.HasStore(e.To) || me.IsTorn(e.To) {
		return
	}
	state := topic.Partition(e.Partition.Partition)
	if state == nil || state.Modified != e.Modified || state.Inquiry != metadata.NoInquiry {
		return
	}
	i := slices.Index(state.ISR, e.From)
	if i < 0 {
		return
	}
	next := *state
	next.Epoch++
	next.ISR = slices.Clone(state.ISR)
	next.ISR[i].Store = e.To
	ctx, cancel := context.WithTimeout(ctx, proposalTimeout)
	defer cancel()
	key := metadata.PartitionKey(e.Topic, e.Partition.Partition)
	_, err := b.meta.store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{metadata.ModifiedAt(key, state.Modified), metadata.CreatedAt(metadata.BrokerKey(b.id), me.Epoch)},
		Then: []metadata.Op{metadata.Put(key, metadata.EncodePartition(&next))},
	})
	if err != nil && ctx.Err() == nil {
		b.logger.Warn("the cluster can't be told of a replica that was moved to another log directory, trying again",
			"partition", e.Partition.String(), "error", err)
	}
}
