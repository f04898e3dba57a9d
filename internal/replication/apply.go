package replication

import (
	"barnabas/internal/metadata"
)

// Apply makes of this broker's replicas what the image says, by way of what differs from the one before. It
// creates and deletes logs, so it takes as long as that takes.
func (m *Manager) Apply(old, image *metadata.Image, delta *metadata.Delta) {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	m.image = image
	m.mu.Unlock()
	for _, change := range delta.Partitions {
		if change.New == nil {
			m.vanished(image, change)
		}
	}
	m.applyPartitions(image, delta.Partitions, old.Revision() > 0)
	m.applySettings(image, delta.Configs)
	if len(delta.Brokers) > 0 || len(delta.Successors) > 0 {
		m.applyBrokers(image)
	}
}

// applyPartitions handles those that are there. A topic's settings are looked up once for a run of its partitions. Unless
// what was before is known, nothing tells a replica that is new here from one whose log can't be read.
func (m *Manager) applyPartitions(image *metadata.Image, changes []metadata.PartitionChange, known bool) {
	var settings TopicSettings
	var topic string
	for _, change := range changes {
		if change.New == nil {
			continue
		}
		if change.Topic != topic {
			topic, settings = change.Topic, m.options.Settings(image, change.Topic)
		}
		isNew := known && (change.Old == nil || !change.Old.HasReplica(m.options.Broker))
		m.applyPartition(image, change, settings, isNew)
	}
}

// vanished drops a replica whose partition is gone, unless one of the same name has taken its place.
func (m *Manager) vanished(image *metadata.Image, change metadata.PartitionChange) {
	p, err := m.Get(change.Topic, change.Number)
	if err == nil && p.view.Load().topic == change.TopicID {
		m.dropDeleted(image, p, "the topic was deleted")
	}
}

// dropDeleted drops a replica whose topic is not there any more. Its log goes only where the metadata say that the topic was deleted: they
// may have been lost, and put back by somebody who did not know of it.
func (m *Manager) dropDeleted(image *metadata.Image, p *Partition, why string) {
	if id := p.view.Load().topic; !image.Deleted(id) {
		m.release(p)
		m.logger.Error("the metadata do not know a topic any more, nor that it was deleted: its log is kept, and served to nobody",
			"partition", p.name.String(), "topicId", id)
		return
	}
	m.drop(p, why)
}

// applySettings hands changed settings to the logs that they concern.
func (m *Manager) applySettings(image *metadata.Image, changed []metadata.Resource) {
	for _, resource := range changed {
		switch resource.Type {
		case metadata.TopicResource:
			m.settle(image, resource.Name)
		case metadata.BrokerResource:
			for _, name := range m.topicNames() {
				m.settle(image, name)
			}
			return // every topic is done
		}
	}
}

// settle gives one topic's replicas its settings.
func (m *Manager) settle(image *metadata.Image, topic string) {
	replicas := m.ofTopic(topic)
	if len(replicas) == 0 {
		return
	}
	settings := m.options.Settings(image, topic)
	for _, p := range replicas {
		p.settle(settings)
	}
}

// applyBrokers tells the followers that came or went to those who lead them.
func (m *Manager) applyBrokers(image *metadata.Image) {
	for _, p := range m.All() {
		p.reconsider(registered(image))
	}
}

// registered says which replicas may be in sync: those on stores of brokers that are there to stay, or of successors. A
// store that nobody has any more holds up nobody.
// One that leaves may join only where a reassignment wants it.
func registered(image *metadata.Image) eligibility {
	return func(m metadata.Member, wanted bool) (bool, metadata.Revision) {
		b := image.Holder(m)
		if b == nil {
			return false, 0
		}
		return wanted || !b.Leaving, b.Epoch
	}
}

// eligibility tells whether a replica may be in sync, wanted saying that a reassignment adds it, and under which registration
// its store is there, 0 for none.
type eligibility func(replica metadata.Member, wanted bool) (may bool, since metadata.Revision)

// consider asks that of a row.
func (e eligibility) consider(f *Follower, v *view) {
	f.Eligible, f.Since = e(f.Member, v.wants(f.Member))
}
