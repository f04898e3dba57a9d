package metadata

import (
	"context"
	"slices"
	"strings"
	"time"

	"barnabas/internal/ident"
)

// deleteAgain deletes topics that the store has and this broker knows to have been deleted, before names are given to others. One that may
// have been used since, in this life of the store, stays: what was acknowledged in it would be lost. What there has goes with it.
func (r *Restoration) deleteAgain(ctx context.Context, w writing, there map[string]KV) error {
	for _, d := range r.deletions(w, there) {
		key := TopicKey(d.ID)
		topic := there[key]
		states := keysOf(there, PartitionsOf(d.ID))
		if w.beside() && !w.unused(topic, states) {
			r.Logger.Warn("a topic that had been deleted was put back, and may have been used since: it stays, and so does its name", "topic", d.Name, "id", d.ID.String())
			continue
		}
		// Where a topic has more partitions than one transaction can look at, one of the others may have been elected in this
		// very moment: it goes as it would by a request for the deletion.
		guards := []Compare{ModifiedAt(key, topic.Modified)}
		if w.beside() {
			for _, kv := range states[:min(len(states), MaxOps-1)] {
				guards = append(guards, ModifiedAt(kv.Key, kv.Modified))
			}
		}
		result, err := r.Store.Txn(ctx, Txn{If: guards, Then: DeletionOf(d)})
		if err != nil {
			return err
		}
		if !result.OK {
			continue // it is used from now on
		}
		gone := append(states, topic, KV{Key: ConfigKey(Resource{Type: TopicResource, Name: d.Name})})
		for _, kv := range append(gone, keysOf(there, AnswersOfTopic(d.ID))...) {
			delete(there, kv.Key)
		}
		there[DeletionKey(d.ID)] = KV{Key: DeletionKey(d.ID), Modified: result.Revision}
		r.Logger.Warn("a topic that was put back had been deleted, and is again", "topic", d.Name, "id", d.ID.String())
	}
	return nil
}

// deletions are those of topics that the store has. A late one goes by what it remembers. One that puts back what it knows to a store
// that has kept less goes by what is not there any more: the oldest deletions are forgotten.
func (r *Restoration) deletions(w writing, there map[string]KV) (found []*Deletion) {
	if w.kept {
		return nil
	}
	for d := range r.Image.Deletions() {
		if _, back := there[TopicKey(d.ID)]; back && r.Image.Deleted(d.ID) {
			found = append(found, d)
		}
	}
	if w.late {
		return found
	}
	for key, kv := range there {
		name, isTopic := strings.CutPrefix(key, topicPrefix)
		if !isTopic || kv.Modified >= r.Birth.Since {
			continue
		}
		id, err := ident.ParseTopicID(name)
		topic, broken := decodeTopic(kv.Value)
		if err != nil || broken != nil || r.Image.topics.withID(id) != nil || slices.ContainsFunc(found, func(d *Deletion) bool { return d.ID == id }) {
			continue
		}
		found = append(found, &Deletion{ID: id, Name: topic.Name, AtMs: time.Now().UnixMilli()})
	}
	return found
}

// unused tells whether nobody can have led a partition of a topic, or given it more of them, since it was put back.
func (w *writing) unused(topic KV, states []KV) bool {
	return topic.Modified <= w.until && !slices.ContainsFunc(states, func(kv KV) bool {
		p, err := DecodePartition(kv.Value)
		return err != nil || p.Leader != ident.NoBroker || kv.Modified > w.until && p.Inquiry != InquiryRestored
	})
}

func keysOf(there map[string]KV, prefix string) (found []KV) {
	for key, kv := range there {
		if strings.HasPrefix(key, prefix) {
			found = append(found, kv)
		}
	}
	return found
}
