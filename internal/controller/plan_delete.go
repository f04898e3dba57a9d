package controller

import (
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// planDeleteTopics finds the topics meant and deletes their keys. A reference with neither name nor id, with
// both, or to a topic that another one means too is refused, as Kafka does.
func planDeleteTopics(s *state, refs []TopicRef) ([]DeletedTopic, changes) {
	var made changes
	outcomes := make([]DeletedTopic, len(refs))
	names, ids := countRefs(refs)
	deleted := make(map[ident.TopicID]bool, len(refs))
	for i, ref := range refs {
		outcomes[i] = DeletedTopic{Name: ref.Name, ID: ref.ID}
		if !config.DeleteTopicEnable.In(s.view) {
			outcomes[i].Err = refuse(ErrTopicDeletionDisabled, "Topic deletion is disabled.")
			continue
		}
		topic, err := findTopic(s.img, ref, names, ids)
		if err == nil && deleted[topic.ID] {
			err = refuse(ErrInvalidRequest, "The provided topic name maps to an ID that was already supplied.")
		}
		if err != nil {
			outcomes[i].Err = err
			continue
		}
		deleted[topic.ID] = true
		outcomes[i].Name, outcomes[i].ID = topic.Name, topic.ID
		made.add(metadata.DeletionOf(&metadata.Deletion{ID: topic.ID, Name: topic.Name, AtMs: s.now.UnixMilli()})...)
	}
	for _, old := range s.img.OldestDeletions(len(deleted)) {
		made.add(metadata.Delete(metadata.DeletionKey(old.ID)))
	}
	return outcomes, made
}

func countRefs(refs []TopicRef) (names map[string]int, ids map[ident.TopicID]int) {
	names, ids = make(map[string]int), make(map[ident.TopicID]int)
	for _, ref := range refs {
		names[ref.Name]++
		ids[ref.ID]++
	}
	return names, ids
}

func findTopic(img *metadata.Image, ref TopicRef, names map[string]int, ids map[ident.TopicID]int) (*metadata.Topic, error) {
	byName, byID := ref.Name != "", !ref.ID.IsZero()
	switch {
	case !byName && !byID:
		return nil, refuse(ErrInvalidRequest, "Neither topic name nor id were specified.")
	case byName && byID:
		return nil, refuse(ErrInvalidRequest, "You may not specify both topic name and topic id.")
	case byName && names[ref.Name] > 1:
		return nil, refuse(ErrInvalidRequest, "Duplicate topic name.")
	case byID && ids[ref.ID] > 1:
		return nil, refuse(ErrInvalidRequest, "Duplicate topic id.")
	}
	if byID {
		if topic := img.TopicByID(ref.ID); topic != nil {
			return topic, nil
		}
		return nil, refuse(ErrUnknownTopicID, "This server does not host this topic ID.")
	}
	if topic := img.Topic(ref.Name); topic != nil {
		return topic, nil
	}
	return nil, refuse(ErrUnknownTopic, "This server does not host this topic-partition.")
}
