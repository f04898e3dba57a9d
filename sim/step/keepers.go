package step

import (
	"maps"
	"slices"
	"strings"

	"barnabas/internal/metadata"
)

// keepers are the metadata store: transactions one after another, and all changes since the beginning, which brokers
// hear of in order and late.
type keepers struct {
	keys     map[string]metadata.KV
	revision metadata.Revision
	changes  [][]metadata.Event // of revisions 1, 2 and so on
	changed  func(metadata.Revision)
}

func newKeepers(changed func(metadata.Revision)) *keepers {
	return &keepers{keys: map[string]metadata.KV{}, changed: changed}
}

// txn carries out a transaction if its conditions hold.
func (k *keepers) txn(t metadata.Txn) metadata.TxnResult {
	for _, c := range t.If {
		if !k.holds(c) {
			return metadata.TxnResult{Revision: k.revision}
		}
	}
	var made []metadata.Event
	for _, op := range t.Then {
		made = append(made, k.apply(op)...)
	}
	if len(made) > 0 {
		k.revision++
		k.changes = append(k.changes, made)
		k.changed(k.revision)
	}
	return metadata.TxnResult{OK: true, Revision: k.revision}
}

func (k *keepers) holds(c metadata.Compare) bool {
	kv, found := k.keys[c.Key]
	switch c.Kind {
	case metadata.CompareCreated:
		return kv.Created == c.Revision
	case metadata.CompareModified:
		return kv.Modified == c.Revision
	}
	return found && slices.Equal(kv.Value, c.Value)
}

// apply carries out one operation in the revision to come.
func (k *keepers) apply(op metadata.Op) (made []metadata.Event) {
	next := k.revision + 1
	if op.Kind == metadata.OpPut {
		kv := metadata.KV{Key: op.Key, Value: op.Value, Created: next, Modified: next}
		if old, found := k.keys[op.Key]; found {
			kv.Created = old.Created
		}
		k.keys[op.Key] = kv
		return []metadata.Event{{KV: kv}}
	}
	for _, key := range slices.Sorted(maps.Keys(k.keys)) {
		if key == op.Key || op.Kind == metadata.OpDeletePrefix && strings.HasPrefix(key, op.Key) {
			delete(k.keys, key)
			made = append(made, metadata.Event{KV: metadata.KV{Key: key, Modified: next}, Deleted: true})
		}
	}
	return made
}

// all is everything there is, as a feed reads it that begins.
func (k *keepers) all() (events []metadata.Event) {
	for _, key := range slices.Sorted(maps.Keys(k.keys)) {
		events = append(events, metadata.Event{KV: k.keys[key]})
	}
	return events
}

// view is the cluster as somebody knows it who hears of changes late.
type view struct {
	image  *metadata.Image
	target metadata.Revision // up to here the news are on their way
	// garble, if given, plants a bug: it changes what is heard.
	garble func([]metadata.Event) []metadata.Event
}

// newView reads everything.
func (k *keepers) newView() (view, *metadata.Delta) {
	image, delta, err := metadata.NewImage().Apply(k.revision, k.all())
	if err != nil {
		panic(err)
	}
	return view{image: image, target: k.revision}, delta
}

// next takes in the next revision, if it is known up to there.
func (k *keepers) next(v *view, upTo metadata.Revision) (old *metadata.Image, delta *metadata.Delta) {
	at := v.image.Revision()
	if at >= min(upTo, k.revision) {
		return nil, nil
	}
	events := k.changes[at]
	if v.garble != nil {
		events = v.garble(events)
	}
	image, delta, err := v.image.Apply(at+1, events)
	if err != nil {
		panic(err)
	}
	old, v.image = v.image, image
	return old, delta
}
