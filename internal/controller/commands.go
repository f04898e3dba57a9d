package controller

import (
	"context"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// CreateTopics creates topics, or with validateOnly tells what would come of it. The outcomes are in the order
// of the topics; each topic is made entirely or not at all. The error is that of the whole request.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) ([]CreatedTopic, error) {
	if err := c.knowBrokers(ctx); err != nil {
		return nil, err
	}
	return askToAdd(ctx, c, func(s *state) ([]CreatedTopic, changes) {
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
	if err := c.knowBrokers(ctx); err != nil {
		return nil, err
	}
	return askToAdd(ctx, c, func(s *state) ([]error, changes) {
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
	outcomes, err := ask(ctx, c, func(s *state) ([]ElectionOutcome, changes) { return planElections(s, kind, partitions) })
	for i := range outcomes {
		if outcomes[i].asking && !c.led(ctx, outcomes[i].Election) {
			outcomes[i].Err = ErrUnavailable
		}
	}
	return outcomes, err
}

// led waits until a partition whose stores are asked has a leader; false when ctx ends first.
func (c *Controller) led(ctx context.Context, e Election) bool {
	for {
		topic := c.options.Feed.Current().Topic(e.Topic)
		if topic == nil {
			return false
		}
		if p := topic.Partition(e.Partition); p == nil || p.Leader != ident.NoBroker {
			return p != nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-c.done:
			return false
		case <-time.After(ledPoll):
		}
	}
}

// ledPoll is how often led looks.
const ledPoll = 2 * time.Millisecond

// ElectionOutcome is what became of an Election.
type ElectionOutcome struct {
	Election
	Err error
	// asking: the stores have been asked, and who leads depends on their answers.
	asking bool
}

// AlterReassignments moves replicas of partitions, or ends such moves. The outcomes are in the order asked, nil for what
// is done or under way. Without allowFactorChange a partition's number of replicas has to stay (KIP-860).
func (c *Controller) AlterReassignments(ctx context.Context, wanted []Reassignment, allowFactorChange bool) ([]error, error) {
	if err := c.knowBrokers(ctx); err != nil {
		return nil, err
	}
	return ask(ctx, c, func(s *state) ([]error, changes) { return planReassign(s, wanted, allowFactorChange) })
}

// knowBrokers waits until the image holds every broker that is registered now, where this one is elected. A broker says that it
// is ready when it is registered, and whoever has seen that places copies on it: the image, which follows a moment later, would
// refuse them, or give a topic fewer copies than min(default.replication.factor, brokers).
func (c *Controller) knowBrokers(ctx context.Context) error {
	if !c.Elected() {
		return c.notElected()
	}
	newest, err := metadata.NewestRegistration(ctx, c.options.Store)
	if err != nil {
		return unavailable(err)
	}
	return unavailable(c.options.Feed.Await(ctx, newest))
}
