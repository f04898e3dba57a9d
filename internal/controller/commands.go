package controller

import (
	"context"

	"barnabas/internal/ident"
)

// CreateTopics creates topics, or with validateOnly tells what would come of it. The outcomes are in the order
// of the topics; each topic is made entirely or not at all. The error is that of the whole request.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) ([]CreatedTopic, error) {
	return ask(ctx, c, func(s *state) ([]CreatedTopic, changes) {
		outcomes, made := planCreateTopics(s, topics)
		if validateOnly {
			made = changes{}
		}
		return outcomes, made
	})
}

// DeleteTopics deletes topics, their records and their settings.
func (c *Controller) DeleteTopics(ctx context.Context, topics []TopicRef) ([]DeletedTopic, error) {
	return ask(ctx, c, func(s *state) ([]DeletedTopic, changes) { return planDeleteTopics(s, topics) })
}

// CreatePartitions gives topics more partitions. The outcomes are in the order asked, nil for those that
// were, or with validateOnly would be, made.
func (c *Controller) CreatePartitions(ctx context.Context, topics []MorePartitions, validateOnly bool) ([]error, error) {
	return ask(ctx, c, func(s *state) ([]error, changes) {
		outcomes, made := planMorePartitions(s, topics)
		if validateOnly {
			made = changes{}
		}
		return outcomes, made
	})
}

// AlterConfigs changes dynamic settings, of each resource all or none. The outcomes are in the order asked.
func (c *Controller) AlterConfigs(ctx context.Context, resources []AlterResource, validateOnly bool) ([]error, error) {
	return ask(ctx, c, func(s *state) ([]error, changes) {
		outcomes, made := planAlterConfigs(s, resources)
		if validateOnly {
			made = changes{}
		}
		return outcomes, made
	})
}

// UpdateFeatures changes finalized feature levels, all or none. The error is an *Error with
// ErrInvalidUpdateVersion when one of them can't be.
func (c *Controller) UpdateFeatures(ctx context.Context, updates []FeatureUpdate, validateOnly bool) error {
	return order(ctx, c, func(s *state) (changes, error) {
		made, refused := planFeatures(s, updates)
		if validateOnly {
			made = changes{}
		}
		return made, refused
	})
}

// UnregisterBroker forgets a broker that is gone for good: it leaves every in-sync set. One that is alive is
// refused with ErrInvalidRequest, an unknown one with ErrBrokerIDNotRegistered.
func (c *Controller) UnregisterBroker(ctx context.Context, id ident.BrokerID) error {
	return order(ctx, c, func(s *state) (changes, error) { return planUnregister(s, id) })
}

// ElectLeaders elects leaders of the given partitions, or of all for nil. The outcomes are in the order of
// the partitions, for nil only of those that needed an election.
func (c *Controller) ElectLeaders(ctx context.Context, kind ElectionType, partitions []Election) ([]ElectionOutcome, error) {
	return ask(ctx, c, func(s *state) ([]ElectionOutcome, changes) { return planElections(s, kind, partitions) })
}

// ElectionOutcome is what became of an Election.
type ElectionOutcome struct {
	Election
	Err error
}
