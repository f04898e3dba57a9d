package broker

import (
	"context"
	"errors"
	"strings"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/controller"
)

// createTopics makes the topics that the configuration wants, where they do not exist yet. It asks
// again for as long as the cluster has no controller, or too few brokers.
func (b *Broker) createTopics(ctx context.Context) {
	wanted := b.config.Topics
	for wait := 50 * time.Millisecond; len(wanted) > 0 && ctx.Err() == nil; wait = min(2*wait, 5*time.Second) {
		wanted = b.tryTopics(ctx, wanted)
		if len(wanted) > 0 {
			pause(ctx, wait)
		}
	}
}

// tryTopics asks once and returns the topics that are worth asking for again.
func (b *Broker) tryTopics(ctx context.Context, wanted []config.NewTopic) (again []config.NewTopic) {
	var missing []config.NewTopic
	var request []controller.NewTopic
	for _, t := range wanted {
		if b.feed.Current().Topic(t.Name) == nil {
			missing, request = append(missing, t), append(request, newTopic(t))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	outcomes, err := b.api.CreateTopics(ctx, request)
	if err != nil {
		return missing // there is no controller yet
	}
	for i, outcome := range outcomes {
		topic := missing[i]
		switch {
		case outcome.Err == nil:
			b.logger.Info("topic created, as the configuration wants",
				"topic", topic.Name, "partitions", outcome.Partitions, "replicas", outcome.ReplicationFactor)
		case errors.Is(outcome.Err, controller.ErrTopicExists):
		case errors.Is(outcome.Err, controller.ErrInvalidReplicationFactor), errors.Is(outcome.Err, controller.ErrUnavailable):
			b.logger.Info("topic of the configuration can't be created yet", "topic", topic.Name, "why", outcome.Err)
			again = append(again, topic)
		default:
			b.logger.Error("topic of the configuration can't be created", "topic", topic.Name, "error", outcome.Err)
		}
	}
	return again
}

func newTopic(t config.NewTopic) controller.NewTopic {
	n := controller.NewTopic{
		Name: t.Name, Partitions: int32(t.Partitions), ReplicationFactor: int16(t.Replicas),
	}
	for name, value := range t.Configs {
		value := strings.Clone(value)
		n.Configs = append(n.Configs, controller.ConfigEntry{Name: name, Value: &value})
	}
	return n
}
