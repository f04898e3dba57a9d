package traffic

import (
	"encoding/hex"
	"math/rand/v2"
	"sync"

	"barnabas/sim/check"
)

// Topic is a topic that exists as far as its creator knows.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int32
	Promise    check.Promise
	Replicas   int16
	Deleted    bool // being deleted: nobody begins anything new with it
}

// Partition is one of them as the checkers know it.
func (t *Topic) Partition(number int32) check.Partition {
	return check.Partition{Topic: t.Name, ID: hex.EncodeToString(t.ID[:]), Number: number}
}

// Topics are the topics that there are.
type Topics struct {
	mu  sync.Mutex
	all []*Topic
}

func (t *Topics) add(topic *Topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, topic)
}

// remove hides a topic from clients.
func (t *Topics) remove(topic *Topic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	topic.Deleted = true
}

// deleted tells whether somebody has begun to delete a topic.
func (t *Topics) deleted(topic *Topic) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return topic.Deleted
}

// All lists those that are not deleted.
func (t *Topics) All() []*Topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	var left []*Topic
	for _, topic := range t.all {
		if !topic.Deleted {
			left = append(left, topic)
		}
	}
	return left
}

// outlasting is the first topic that promises to outlast a crash of all machines, or the one given.
func (t *Topics) outlasting(or *Topic) *Topic {
	for _, topic := range t.All() {
		if topic.Promise.Outlasts {
			return topic
		}
	}
	return or
}

// any picks one, nil while there is none.
func (t *Topics) any(rng *rand.Rand) *Topic {
	all := t.All()
	if len(all) == 0 {
		return nil
	}
	return all[rng.IntN(len(all))]
}
