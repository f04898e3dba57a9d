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
	img  *metadata.Image
	view *config.View
	now  time.Time
	// random is for placement, so that a scenario places as it did before.
	random     *rand.Rand
	newTopicID func() ident.TopicID
	policy     func(NewTopic) error
}

// changes are the effects of a plan, in order.
type changes struct {
	units []unit
	// losses are those that the units enter into the ledger.
	losses []*metadata.Loss
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

func (c *changes) empty() bool { return len(c.units) == 0 }
