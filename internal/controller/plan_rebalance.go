package controller

import (
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
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

// uncleanly elects a leader for a partition that has none, where its topic allows that records are lost.
func uncleanly(s *state, topic *metadata.Topic, p, next *metadata.Partition) *metadata.Partition {
	now := p
	if next != nil {
		now = next
	}
	if now.Leader != ident.NoBroker {
		return next
	}
	own := s.img.Config(metadata.Resource{Type: metadata.TopicResource, Name: topic.Name})
	if !config.UncleanLeaderElection.In(s.view.ForTopic(own)) {
		return next
	}
	if elected := electUnclean(s, topic, p); elected != nil {
		return elected
	}
	return next
}
