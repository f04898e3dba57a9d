package metadata

import (
	"context"
	"slices"
	"strings"

	"barnabas/internal/ident"
)

// deleteAgain deletes topics that were put back and that a late one knows to have been deleted, before names are given to
// others. One that may have been used since stays: what was acknowledged in it would be lost. What there has goes with it.
func (r *Restoration) deleteAgain(ctx context.Context, w writing, there map[string]KV) error {
	for d := range r.Image.Deletions() {
		key := TopicKey(d.ID)
		topic, back := there[key]
		if !back {
			continue
		}
		states := keysOf(there, PartitionsOf(d.ID))
		if !w.unused(topic, states) {
			r.Logger.Warn("a topic that had been deleted was put back, and may have been used since: it stays, and so does its name", "topic", d.Name, "id", d.ID.String())
			continue
		}
		// Where a topic has more partitions than one transaction can look at, one of the others may have been elected in this
		// very moment: it goes as it would by a request for the deletion.
		guards := []Compare{ModifiedAt(key, topic.Modified)}
		for _, kv := range states[:min(len(states), MaxOps-1)] {
			guards = append(guards, ModifiedAt(kv.Key, kv.Modified))
		}
		result, err := r.Store.Txn(ctx, Txn{If: guards, Then: DeletionOf(d)})
		if err != nil {
			return err
		}
		if !result.OK {
			continue // it is used from now on
		}
		delete(there, key)
		for _, kv := range states {
			delete(there, kv.Key)
		}
		there[DeletionKey(d.ID)] = KV{Key: DeletionKey(d.ID), Modified: result.Revision}
		r.Logger.Warn("a topic that was put back had been deleted, and is again", "topic", d.Name, "id", d.ID.String())
	}
	return nil
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
