package replication

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

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
