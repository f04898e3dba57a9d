package replication

import (
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
)

// whose says what the log is that stands in a replica's place.
type whose int

const (
	// ownLog is the replica's, or can be no other's.
	ownLog whose = iota
	// namelessLog does not say whose it is: perhaps another topic's of that name, perhaps the last that is left of the replica's.
	namelessLog
	// deletedLog is a deleted topic's of that name, or does not say whose it is and can be done without.
	deletedLog
	// foreignLog is another topic's of that name, of which nobody knows that it was deleted.
	foreignLog
)

// logFor finds or makes the log of a replica; nil when no directory can have it. A nameless one is begun anew when the leader answers.
// Unless the replica is new here a new log waits for all directories: the replica's may be in one that can't be read.
func (m *Manager) logFor(
	image *metadata.Image, change metadata.PartitionChange, settings TopicSettings, isNew bool,
) (log *storage.Log, nameless bool) {
	name, id := change.TopicPartition(), change.TopicID
	log = m.options.Store.Log(name)
	if log == nil {
		return m.newLog(change, settings, isNew), false
	}
	switch m.whoseIs(image, log, change) {
	case foreignLog:
		m.logger.Error("partition is offline: the log of another topic of that name is in its place, of which nobody knows that it was deleted; "+
			"remove it where its records are not wanted", "partition", name.String(), "directory", log.Directory().Path(),
			"topicId", log.TopicID(), "wanted", id, "start", int64(log.StartOffset()), "end", int64(log.EndOffset()))
		return nil, false
	case namelessLog:
		m.logger.Warn("log does not say whose it is: it is begun anew when the leader answers", "partition", name.String(), "wanted", id)
		log.SetConfig(settings.Log)
		return log, true
	case deletedLog:
		m.logger.Warn("log of a deleted topic of the same name, or one that does not say whose it is, is removed",
			"partition", name.String(), "topicId", log.TopicID(), "wanted", id)
		if err := m.options.Store.Delete(name); err != nil {
			m.logger.Error("log can't be removed", "partition", name.String(), "error", err)
			return nil, false
		}
		return m.newLog(change, settings, isNew), false
	}
	if dir := m.options.Store.Unread(); dir != nil && m.mayBeSecond(change.New) {
		m.logger.Error("partition is offline: the sets name a copy that may be in a directory that can't be read",
			"partition", name.String(), "directory", dir.Path(), "error", dir.Err())
		return nil, false
	}
	if err := log.Claim(id); err != nil {
		m.logger.Error("log can't be told whose it is", "partition", name.String(), "topicId", id, "error", err)
	}
	log.SetConfig(settings.Log)
	return log, false
}

// newLog begins where the metadata say: at 0, or, after all copies were lost, past the offsets that were given out.
func (m *Manager) newLog(change metadata.PartitionChange, settings TopicSettings, isNew bool) *storage.Log {
	name, id, start := change.TopicPartition(), change.TopicID, change.New.Start
	if dir := m.options.Store.Unread(); dir != nil && !isNew {
		m.logger.Error("partition is offline: its log may be in a directory that can't be read",
			"partition", name.String(), "directory", dir.Path(), "error", dir.Err())
		return nil
	}
	log, err := m.options.Store.Create(name, id, settings.Log, start)
	if err != nil {
		m.logger.Error("log can't be created", "partition", name.String(), "error", err)
		return nil
	}
	m.logger.Info("log created", "partition", name.String(), "topicId", id,
		"directory", log.Directory().Path(), "start", int64(start))
	return log
}

// whoseIs tells what the log in a replica's place is.
func (m *Manager) whoseIs(image *metadata.Image, log *storage.Log, change metadata.PartitionChange) whose {
	switch id := log.TopicID(); {
	case id == change.TopicID:
		return ownLog
	case id.IsZero():
		return m.whoseIsNameless(image, log, change.New)
	case log.IsBare() || image.Deleted(id):
		return deletedLog
	}
	return foreignLog
}

// whoseIsNameless tells of a log that has lost its topic's id in a crash of the machine. One of a topic that was deleted while this
// broker was down, and made again, may begin with the same offsets and epochs, and is not to be taken for the replica's. Where no topic of
// that name was deleted it can be no other's; nor where the sets have this broker by a store, for then it had the log when that had its id.
// Without a leader, or while the stores are asked, the last that is left of the topic may be in it.
//
// Where the replica is out of sync it may yet be asked for: the leader's machine may have gone down with this one's, with less left, and this
// image does not tell of it. Until then what it holds is not compared with what the leader has.
func (m *Manager) whoseIsNameless(image *metadata.Image, log *storage.Log, state *metadata.Partition) whose {
	member, inSets := state.InSets(m.options.Broker)
	switch {
	case log.EndOffset() <= log.StartOffset(), !image.MayHaveDeleted(log.TopicPartition().Topic):
		return ownLog
	case state.Leader == ident.NoBroker, state.Inquiry != metadata.NoInquiry:
		return ownLog
	case inSets && !member.Store.IsZero():
		return ownLog
	case inSets:
		return deletedLog // the store is yet to be named: the topic was just made, and this log was there before
	}
	return namelessLog
}

// mayBeSecond tells whether a log may be what a move has left, or begun, beside the replica: the sets name the broker by a store that is
// none of those that can be read.
func (m *Manager) mayBeSecond(state *metadata.Partition) bool {
	named, ok := copyNamed(state, m.options.Broker)
	return ok && !m.options.Store.HasDir(named)
}
