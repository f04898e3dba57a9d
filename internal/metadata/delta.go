package metadata

import (
	"maps"
	"slices"

	"barnabas/internal/ident"
)

// Delta is what differs between two Images, for those who act on changes. It names every topic and
// every partition that appeared, changed or went, so a subscriber need not walk an Image.
type Delta struct {
	// From and To are the revisions of the two Images.
	From, To Revision
	// Cluster, Controller and Features say that these changed.
	Cluster, Controller, Features bool
	// Doubts says that something was said of a broker that does not answer, or taken back.
	Doubts  bool
	Brokers []BrokerChange
	// Successors are those that wait to take a broker's place.
	Successors []BrokerChange
	// Topics are those created, deleted or given more partitions.
	Topics []TopicChange
	// Partitions are all that differ, also those of topics created or deleted.
	Partitions []PartitionChange
	// Configs are the resources whose dynamic settings differ.
	Configs []Resource
	// Losses are the new entries of the loss ledger.
	Losses []*Loss
	// Answers are the partitions of which a store has said what it holds.
	Answers []PartitionRef
}

// BrokerChange is a broker that registered (Old nil, or of another epoch), changed or went (New nil).
type BrokerChange struct {
	ID       ident.BrokerID
	Old, New *Broker
}

// TopicChange is a topic created (Old nil), deleted (New nil) or given more partitions.
type TopicChange struct{ Old, New *Topic }

// PartitionChange is a partition that came (Old nil), changed or went (New nil).
type PartitionChange struct {
	TopicID ident.TopicID
	Topic   string
	Number  int32
	Old     *Partition
	New     *Partition
}

// TopicPartition is the partition's name.
func (c PartitionChange) TopicPartition() ident.TopicPartition {
	return ident.TopicPartition{Topic: c.Topic, Partition: c.Number}
}

// Empty tells whether nothing differs that a subscriber could care about.
func (d *Delta) Empty() bool {
	return !d.Cluster && !d.Controller && !d.Features && len(d.Brokers) == 0 && len(d.Topics) == 0 &&
		len(d.Partitions) == 0 && len(d.Configs) == 0 && len(d.Losses) == 0 && len(d.Answers) == 0 && len(d.Successors) == 0 && !d.Doubts
}

// Diff compares two Images entirely. It walks both, so it is for a subscriber's start and for the
// reading anew after a compaction; Apply yields the Delta of a change for the price of the change.
func Diff(old, new *Image) *Delta {
	d := &Delta{
		From: old.revision, To: new.revision,
		Cluster:    old.cluster != new.cluster,
		Controller: old.controller != new.controller,
		Features:   !maps.Equal(old.features, new.features),
		Doubts:     !maps.Equal(old.doubts, new.doubts),
		Brokers:    diffBrokers(old.brokers, new.brokers),
		Successors: diffBrokers(old.successors, new.successors),
	}
	d.diffAllTopics(old, new)
	d.diffConfigs(old, new)
	for loss := range new.Losses() {
		if !old.losses.tree.Has(loss) {
			d.Losses = append(d.Losses, loss)
		}
	}
	d.diffAnswers(new)
	return d
}

func diffBrokers(old, new brokerSet) (changes []BrokerChange) {
	for _, id := range unionKeys(old, new) {
		before, after := old[id], new[id]
		if before != nil && after != nil && before.Modified == after.Modified {
			continue
		}
		changes = append(changes, BrokerChange{id, before, after})
	}
	return changes
}

func (d *Delta) diffAllTopics(old, new *Image) {
	old.topics.byID.Ascend(func(e idEntry) bool {
		if after := new.topics.withID(e.id); after != e.topic {
			d.diffTopic(e.topic, after, nil)
		}
		return true
	})
	new.topics.byID.Ascend(func(e idEntry) bool {
		if old.topics.withID(e.id) == nil {
			d.diffTopic(nil, e.topic, nil)
		}
		return true
	})
}

// diffTopic compares two states of a topic, nil standing for none. Touched, if not nil, are the only
// partitions that can differ among those that both have.
func (d *Delta) diffTopic(old, new *Topic, touched map[int32]bool) {
	if old != nil && !old.announced() {
		old = nil
	}
	if new != nil && !new.announced() {
		new = nil
	}
	if old == nil && new == nil {
		return
	}
	var before, after int32
	named := new
	if old != nil {
		before, named = old.count, old
	}
	if new != nil {
		after, named = new.count, new
	}
	if old == nil || new == nil || before != after {
		d.Topics = append(d.Topics, TopicChange{old, new})
	}
	compare := func(n int32) {
		change := PartitionChange{TopicID: named.ID, Topic: named.Name, Number: n}
		if old != nil {
			change.Old = old.Partition(n)
		}
		if new != nil {
			change.New = new.Partition(n)
		}
		if !samePartition(change.Old, change.New) {
			d.Partitions = append(d.Partitions, change)
		}
	}
	common := min(before, after)
	if touched == nil {
		for n := range common {
			compare(n)
		}
	} else {
		for _, n := range slices.Sorted(maps.Keys(touched)) {
			if n < common {
				compare(n)
			}
		}
	}
	for n := common; n < max(before, after); n++ {
		compare(n)
	}
}

// samePartition compares by revision, which also tells the same state read twice from two states.
func samePartition(a, b *Partition) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.Modified == b.Modified
}

func (d *Delta) diffConfigs(old, new *Image) {
	old.configs.tree.Ascend(func(e configEntry) bool {
		if !maps.Equal(e.values, new.configs.get(e.resource)) {
			d.Configs = append(d.Configs, e.resource)
		}
		return true
	})
	new.configs.tree.Ascend(func(e configEntry) bool {
		if old.configs.get(e.resource) == nil {
			d.Configs = append(d.Configs, e.resource)
		}
		return true
	})
}

func unionKeys(a, b brokerSet) []ident.BrokerID {
	keys := slices.Collect(maps.Keys(a))
	for id := range b {
		if _, both := a[id]; !both {
			keys = append(keys, id)
		}
	}
	slices.Sort(keys)
	return keys
}
