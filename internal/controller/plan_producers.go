package controller

import (
	"context"
	"fmt"
	"strconv"

	"barnabas/internal/metadata"
)

// producerBlock is how many producer ids a broker takes at a time, as in Kafka.
const producerBlock = 1000

// AllocateProducerIDs takes a block of producer ids that nobody else gets. Any broker may: the next free id is one key,
// changed only by who has read it as it is. Before the block is used this broker knows that it is taken, and keeps that
// should the keepers lose it.
func (c *Controller) AllocateProducerIDs(ctx context.Context) (ProducerIDBlock, error) {
	for range maxReplans {
		block, taken, err := takeProducerIDs(ctx, c.options.Store)
		if err == nil && taken.OK {
			err = c.options.Feed.Await(ctx, taken.Revision)
		}
		if err != nil {
			return ProducerIDBlock{}, unavailable(err)
		}
		if taken.OK {
			return block, nil
		}
	}
	return ProducerIDBlock{}, fmt.Errorf("%w: %w", ErrUnavailable, errConflict)
}

func takeProducerIDs(ctx context.Context, store metadata.Store) (ProducerIDBlock, metadata.TxnResult, error) {
	key := metadata.ProducersKey()
	kv, found, err := store.Get(ctx, key)
	if err != nil {
		return ProducerIDBlock{}, metadata.TxnResult{}, err
	}
	block := ProducerIDBlock{Count: producerBlock}
	if found {
		if block.First, err = strconv.ParseInt(string(kv.Value), 10, 64); err != nil {
			return ProducerIDBlock{}, metadata.TxnResult{}, err
		}
	}
	taken, err := store.Txn(ctx, metadata.Txn{
		If:   []metadata.Compare{metadata.ModifiedAt(key, kv.Modified)}, // 0 where it does not exist
		Then: []metadata.Op{metadata.Put(key, metadata.EncodeProducers(block.First+producerBlock))},
	})
	return block, taken, err
}
