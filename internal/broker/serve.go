package broker

import (
	"context"

	"barnabas/internal/api"
	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/group"
	"barnabas/internal/record"
	"barnabas/internal/server"
	"barnabas/internal/txn"
)

// startAPI gives the listeners their handler, and from then on the limits of the dynamic settings.
func (b *Broker) startAPI() {
	b.producers = txn.NewProducers(b.producerIDs, b.logger)
	b.api = api.New(api.Deps{
		Broker: b.id, Partitions: b.partitions, Metadata: b.feed, Controller: b.controller, Groups: b.groups,
		Producers: b.producers, Store: b.store, Config: b.settings.view, InternalTopic: b.internalTopic, CheckSettings: b.checkSecrets, Forward: b.forward,
		Metrics: b.registry, Cores: b.cores, Logger: b.logger,
	})
	b.server.SetHandler(server.HandlerFunc(func(x *server.Exchange) { b.api.Handle(x) }))
	b.settings.onChange(func(v *config.View) {
		b.server.SetLimits(serverLimits(v))
		b.secrets.set(v)
		b.store.SetCleaner(cleanerSettings(v))
		b.store.SetProducerIDExpiration(config.ProducerIDExpiration.In(v).Milliseconds())
	})
}

// producerIDs takes a block of producer ids from the cluster.
func (b *Broker) producerIDs(ctx context.Context) (txn.Block, error) {
	block, err := b.controller.AllocateProducerIDs(ctx)
	return txn.Block{First: record.ProducerID(block.First), Count: int64(block.Count)}, err
}

// internalTopic is what an internal topic is created with.
func (b *Broker) internalTopic(name string) (controller.NewTopic, bool) {
	if name != group.Topic {
		return controller.NewTopic{}, false
	}
	v := b.settings.view()
	return controller.NewTopic{
		Name:              name,
		Partitions:        int32(config.OffsetsTopicPartitions.In(v)),
		ReplicationFactor: int16(config.OffsetsTopicReplicationFactor.In(v)),
		Configs:           offsetsTopicConfigs(v),
	}, true
}
