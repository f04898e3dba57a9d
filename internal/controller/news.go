package controller

import (
	"maps"
	"slices"
	"sync"

	"barnabas/internal/metadata"
)

// news is what the feed has told and the controller's goroutine has not looked at yet.
type news struct {
	mu sync.Mutex
	// all: every partition has to be looked at. Guarded by mu.
	all bool
	// touched are the partitions to be looked at else. Guarded by mu; bounded by the partitions there are.
	touched map[metadata.PartitionRef]struct{}
}

// add takes in a change of the cluster, and tells whether there is anything to look at.
func (n *news) add(d *metadata.Delta) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	// A topic may allow unclean elections now, or want fewer copies.
	if d.Controller || len(d.Brokers) > 0 || len(d.Successors) > 0 || len(d.Configs) > 0 {
		n.all, n.touched = true, nil
		return true
	}
	before := len(n.touched)
	for _, ref := range d.Answers {
		n.touch(ref)
	}
	for _, c := range d.Partitions {
		if c.New != nil && (c.New.Reassigning() || c.Old != nil && len(c.New.ISR) > len(c.Old.ISR)) { // whoever leaves may be let go now
			n.touch(metadata.PartitionRef{Topic: c.TopicID, Partition: c.Number})
		}
		if c.New != nil && c.Old != nil && c.Old.Reassigning() && len(c.Old.Refuges()) > 0 { // it, or the next ones, may go home now
			n.touch(metadata.PartitionRef{Topic: c.TopicID, Partition: c.Number})
		}
	}
	return len(n.touched) > before
}

func (n *news) touch(ref metadata.PartitionRef) {
	if n.all {
		return
	}
	if n.touched == nil {
		n.touched = map[metadata.PartitionRef]struct{}{}
	}
	n.touched[ref] = struct{}{}
}

// take empties it.
func (n *news) take() (all bool, touched []metadata.PartitionRef) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all, touched = n.all, slices.Collect(maps.Keys(n.touched))
	n.all, n.touched = false, nil
	return all, touched
}
