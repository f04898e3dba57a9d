package controller

import (
	"math/rand/v2"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// state is what a plan may look at. A plan changes nothing: it returns the changes to be made.
type state struct {
	img *metadata.Image
	// life is the keepers' (metadata.Birth), of which the image is, or a later one.
	life string
	view *config.View
	now  time.Time
	// random is for placement, so that a scenario places as it did before.
	random     *rand.Rand
	newTopicID func() ident.TopicID
	policy     func(NewTopic) error
	room       *room
}

// changes are the effects of a plan, in order.
type changes struct {
	units []unit
	// losses are those that the units enter into the ledger.
	losses []*metadata.Loss
	// waits are the brokers without which partitions have no leader, and waiting counts those partitions, of all where all is set, and
	// else of those that were looked at.
	waits   map[ident.BrokerID]bool
	waiting int
	all     bool
}

// unit are operations that belong together. Those that fit into one transaction are one; of longer units
// the operations are written in order, so the last should be the one that makes the others seen.
type unit struct {
	ops []metadata.Op
	// guard is the partition whose state must still be the one that was planned with.
	guard *metadata.Compare
}

func (c *changes) add(ops ...metadata.Op) { c.units = append(c.units, unit{ops: ops}) }

func (c *changes) guarded(guard metadata.Compare, ops ...metadata.Op) {
	c.units = append(c.units, unit{ops: ops, guard: &guard})
}

// wait notes without whom a partition has no leader.
func (c *changes) wait(brokers []ident.BrokerID) {
	if len(brokers) == 0 {
		return
	}
	if c.waiting++; c.waits == nil {
		c.waits = map[ident.BrokerID]bool{}
	}
	for _, id := range brokers {
		c.waits[id] = true
	}
}

func (c *changes) empty() bool { return len(c.units) == 0 }
