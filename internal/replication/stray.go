package replication

import (
	"slices"
	"sync"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
)

// ClearDeleted removes the logs of topics that were deleted, and of replicas that were moved to other brokers, while this
// broker was down, or while a log directory was. Only what the metadata say was deleted goes: of a topic that they merely do
// not know nothing is certain. What is in a directory that is offline stays until that is back, and this is called again.
func (m *Manager) ClearDeleted(image *metadata.Image) {
	m.applying.Lock()
	defer m.applying.Unlock()
	isDeleted := deletedNames(image)
	for _, log := range slices.Concat(m.options.Store.Logs(), m.options.Store.Futures()) {
		name := log.TopicPartition()
		if p, err := m.Get(name.Topic, name.Partition); err == nil && p.view.Load().topic == log.TopicID() {
			continue // a later image has it
		}
		why := m.unwanted(image, log, isDeleted)
		if why == "" || log.Directory().Err() != nil {
			continue
		}
		remove := m.options.Store.Delete
		if log == m.options.Store.Future(name) {
			remove = m.options.Store.DropFuture
		}
		if err := remove(name); err != nil {
			m.logger.Error("log that is not wanted here can't be removed", "partition", name.String(), "why", why, "error", err)
			continue
		}
		m.logger.Info("log removed", "partition", name.String(), "topicId", log.TopicID(), "why", why)
	}
}

// unwanted says why a log without a replica is to go; "" where it is not.
func (m *Manager) unwanted(image *metadata.Image, log *storage.Log, isDeleted func(ident.TopicPartition) bool) string {
	id := log.TopicID()
	if image.Deleted(id) || isNobodys(log) && isDeleted(log.TopicPartition()) {
		return "its topic was deleted while this broker, or its directory, was away"
	}
	if id.IsZero() {
		return ""
	}
	topic := image.TopicByID(id)
	if topic == nil {
		return ""
	}
	if state := topic.Partition(log.TopicPartition().Partition); state != nil && !state.HasReplica(m.options.Broker) && moved(state) {
		return "its replica was moved to other brokers while its directory was away"
	}
	return ""
}

// isNobodys tells a log that never had a record, and whose topic only a process knew that was killed. It may be deleted by its
// name alone.
func isNobodys(log *storage.Log) bool { return log.TopicID().IsZero() && log.IsBare() }

// deletedNames tells which partitions are of topics that were deleted, and that are not there now under the same name.
func deletedNames(image *metadata.Image) func(ident.TopicPartition) bool {
	names := sync.OnceValue(func() map[string]bool {
		names := map[string]bool{}
		for d := range image.Deletions() {
			names[d.Name] = true
		}
		return names
	})
	return func(name ident.TopicPartition) bool { return image.Partition(name) == nil && names()[name.Topic] }
}

// moved tells whether the replicas that a partition has are all that it is to have. A move ends when those that were to have it
// are in sync, so nothing is lost with the others; where nobody leads they are kept all the same.
func moved(state *metadata.Partition) bool {
	return state.Leader != ident.NoBroker && state.Inquiry == metadata.NoInquiry && !state.Reassigning()
}

// clearAway removes the log of a replica that was moved to other brokers while this one was down.
//
// A log of which the image does not know the topic is another matter (Strays): that the topic was deleted is one reason,
// metadata that were lost are another.
func (m *Manager) clearAway(change metadata.PartitionChange) {
	log := m.options.Store.Log(change.TopicPartition())
	if log == nil || log.TopicID() != change.TopicID && !isNobodys(log) {
		return
	}
	if !moved(change.New) {
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
