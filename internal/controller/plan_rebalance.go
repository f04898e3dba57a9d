package controller

import (
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
)

// planRebalance gives leadership back to the first replicas that are in sync and live, if the settings want it.
func planRebalance(s *state) changes {
	var made changes
	if !config.AutoLeaderRebalance.In(s.view) {
		return made
	}
	for topic := range s.img.Topics() {
		for n, p := range topic.Partitions() {
			if p.Leader != p.PreferredLeader() && p.Leader != ident.NoBroker {
				made.partition(topic, n, p, electPreferred(s.img, p), nil)
			}
		}
	}
	return made
}

// rebalanceEvery is how often planRebalance is due.
func (c *Controller) rebalanceEvery() time.Duration {
	return time.Duration(config.LeaderImbalanceCheckInterval.In(c.options.View())) * time.Second
}
