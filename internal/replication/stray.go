package replication

import (
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// ClearDeleted removes the logs of topics that were deleted while this broker was down, or while a log directory was. Only what
// the metadata say was deleted goes: of a topic that they merely do not know nothing is certain.
func (m *Manager) ClearDeleted(image *metadata.Image) {
	m.applying.Lock()
	defer m.applying.Unlock()
	for _, log := range slices.Concat(m.options.Store.Logs(), m.options.Store.Futures()) {
		name := log.TopicPartition()
		if p, err := m.Get(name.Topic, name.Partition); err == nil && p.view.Load().topic == log.TopicID() {
			continue // a later image has it
		}
		if log.TopicID().IsZero() || !image.Deleted(log.TopicID()) {
			continue
		}
		remove := m.options.Store.Delete
		if log == m.options.Store.Future(name) {
			remove = m.options.Store.DropFuture
		}
		if err := remove(name); err != nil {
			m.logger.Error("log of a deleted topic can't be removed", "partition", name.String(), "error", err)
			continue
		}
		m.logger.Info("log removed", "partition", name.String(), "topicId", log.TopicID(),
			"why", "its topic was deleted while this broker, or its directory, was away")
	}
}

// clearAway removes the log of a replica that was moved to other brokers while this one was down. A move ends when all that
// were to have it are in sync, so nothing is lost with it; where nobody leads it is kept all the same.
//
// A log of which the image does not know the topic is another matter (Strays): that the topic was deleted is one reason,
// metadata that were lost are another.
func (m *Manager) clearAway(change metadata.PartitionChange) {
	log := m.options.Store.Log(change.TopicPartition())
	if log == nil || log.TopicID() != change.TopicID {
		return
	}
	if change.New.Leader == ident.NoBroker || change.New.Inquiry != metadata.NoInquiry || change.New.Reassigning() {
		return
	}
	m.complain(change.TopicPartition(), m.options.Store.DropFuture(change.TopicPartition()))
	if err := m.options.Store.Delete(change.TopicPartition()); err != nil {
		m.logger.Error("log of a replica that was moved away can't be removed",
			"partition", change.TopicPartition().String(), "error", err)
		return
	}
	m.logger.Info("replica removed", "partition", change.TopicPartition().String(),
		"why", "it was moved to other brokers while this one was down")
}
