package sim

import (
	"fmt"
	"time"

	"barnabas/internal/metadata"
)

// putBackWithin is how long brokers may take until keepers that were wiped know again what they know.
const putBackWithin = time.Minute

// keepersWiped has the keepers lose everything, or what they have agreed on last, and one broker with them: killed, or wiped
// too. It waits for other faults to be over, and lets none happen until all is put back: what nobody but the keepers
// and those who died with them had heard of is not promised to be known to anybody.
func (r *clusterRun) keepersWiped() {
	defer r.alone()()
	time.Sleep(3 * time.Second)
	before, kept := r.truth.now(), r.rng.IntN(3) == 0
	victim := r.nodes[r.rng.IntN(len(r.nodes))]
	switch r.rng.IntN(3) {
	case 1:
		r.fault("broker %d is killed with the keepers", victim.ID)
		victim.CutOff(false)
		r.bury(victim, left{}, 0)
	case 2:
		r.fault("broker %d is wiped with the keepers", victim.ID)
		victim.CutOff(false)
		r.bury(victim, left{empty: true}, 0)
	}
	r.fault("keepers wiped, the most of it kept: %v", kept)
	r.truth.bear(true)
	rebirth(r.memory, kept)
	r.awaitPutBack(before)
	r.truth.bear(false)
	r.up(victim)
	time.Sleep(time.Second)
}

// awaitPutBack waits until of every partition the state is known that was known before, or a later one.
func (r *clusterRun) awaitPutBack(before *metadata.Image) {
	for end := time.Now().Add(putBackWithin); ; time.Sleep(100 * time.Millisecond) {
		missing := older(before, r.truth.now())
		if missing == "" {
			r.fault("the keepers know all again")
			return
		}
		if time.Now().After(end) {
			r.violation("metadata: the keepers still do not know of %s after %v: %w", missing, putBackWithin, errSilent)
			return
		}
	}
}

// older names what an image has an older state of, or none, though it was not deleted.
func older(before, now *metadata.Image) string {
	for topic := range before.Topics() {
		there := now.TopicByID(topic.ID)
		if there == nil && !now.Deleted(topic.ID) {
			return topic.Name
		}
		for n, p := range topic.Partitions() {
			if there == nil {
				break
			}
			if q := there.Partition(n); q == nil || q.Epoch < p.Epoch {
				return fmt.Sprintf("%s-%d in epoch %d", topic.Name, n, p.Epoch)
			}
		}
	}
	return ""
}
