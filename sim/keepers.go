package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"barnabas/internal/metadata"
)

// putBackWithin is how long brokers may take until keepers that were wiped know again what they know.
const putBackWithin = time.Minute

// keepersWiped has the keepers lose everything, or what they have agreed on last, and in the same moment none or some of the
// brokers die: killed, with their machines, or wiped.
// It waits for other faults to be over, and lets none happen until all is put back: what nobody but the keepers and those
// who died with them had heard of is not promised to be known to anybody.
func (r *clusterRun) keepersWiped() {
	defer r.alone()()
	time.Sleep(3 * time.Second)
	kept := r.rng.IntN(3) == 0
	fates := r.fatesWithKeepers()
	r.dieBefore(fates)
	before := r.truth.now()
	r.dying.Lock()
	for _, f := range fates {
		if f.before {
			continue
		}
		r.fault("broker %d: %s, with the keepers", f.ID, f.how())
		f.CutOff(false)
	}
	r.fault("keepers wiped, the most of it kept: %v", kept)
	r.truth.bear(true)
	for _, f := range fates {
		if f.before {
			continue
		}
		f.kept = r.bury(f.node, f.leaves, r.rng.Uint64())
	}
	rebirth(r.memory, kept)
	r.dying.Unlock()
	if len(fates) < len(r.nodes) {
		late := r.startSome(fates)
		r.awaitPutBack(before)
		if len(late) > 0 && rand.New(rand.NewPCG(r.Seed, 0x2e)).IntN(2) == 0 {
			r.keepersWipedAgain()
		}
		r.truth.bear(false)
		r.startTogether(late)
	} else {
		r.startAfterAll(fates)
		r.awaitPutBack(before)
		r.truth.bear(false)
	}
	time.Sleep(time.Second)
}

// dieBefore kills those that die some time before the others: what they know is older.
func (r *clusterRun) dieBefore(fates []*fate) {
	for _, f := range fates {
		if f.before {
			r.fault("broker %d: kill -9, and all others soon", f.ID)
			f.CutOff(false)
			r.dying.Lock()
			f.kept = r.bury(f.node, f.leaves, r.rng.Uint64())
			r.dying.Unlock()
			time.Sleep(time.Second + time.Duration(r.rng.Int64N(int64(8*time.Second))))
		}
	}
}

// keepersWipedAgain has the keepers lose everything once more, while some brokers are down yet: what stores have said of
// partitions of which they hold a part has to outlive that.
func (r *clusterRun) keepersWipedAgain() {
	time.Sleep(3 * time.Second)
	before := r.truth.now()
	r.fault("keepers wiped again")
	rebirth(r.memory, false)
	r.awaitPutBack(before)
}

// startAfterAll starts brokers that all died. One that has its disk comes first: keepers that hold nothing are given to a new
// cluster where nobody says within a second that there is an old one.
func (r *clusterRun) startAfterAll(fates []*fate) {
	first := 1 + r.rng.IntN(len(fates))
	wiped := slices.IndexFunc(fates, func(f *fate) bool { return f.leaves.empty && !f.kept })
	if wiped >= 0 {
		first = min(first, wiped)
	}
	if at := slices.IndexFunc(fates, func(f *fate) bool { return f.before }); at >= 0 && r.rng.IntN(2) == 0 {
		fates[0], fates[at], first = fates[at], fates[0], 1 // it comes alone
	}
	r.startTogether(fates[:first])
	time.Sleep(time.Duration(r.rng.Int64N(int64(6 * time.Second))))
	r.startTogether(fates[first:])
}

func (r *clusterRun) startTogether(fates []*fate) {
	var starting sync.WaitGroup
	for _, f := range fates {
		starting.Go(func() {
			f.idle(2 * time.Second)
			r.up(f.node)
		})
	}
	starting.Wait()
}

// fate is what becomes of a broker that dies with the keepers.
type fate struct {
	*node
	leaves left
	kept   bool // all that was written, whatever was drawn
	before bool // some time before the others
}

func (f *fate) how() string {
	switch {
	case f.leaves.empty:
		return "wiped"
	case f.leaves.torn:
		return "machine crash"
	}
	return "killed"
}

// fatesWithKeepers draws who dies with the keepers: nobody, one, some, or all.
func (r *clusterRun) fatesWithKeepers() (fates []*fate) {
	dying := []int{0, 1, 1 + r.rng.IntN(len(r.nodes)-1), len(r.nodes)}[r.rng.IntN(4)]
	for _, at := range r.rng.Perm(len(r.nodes))[:dying] {
		f := &fate{node: r.nodes[at]}
		switch r.rng.IntN(4) {
		case 1:
			f.leaves.torn = true
		case 2, 3:
			f.leaves.empty = true
		}
		fates = append(fates, f)
	}
	if dying == len(r.nodes) {
		// Somebody has to know the cluster still: of what a machine had on its disk that went down, the last second is missing.
		slices.SortStableFunc(fates, func(a, b *fate) int { return cmp.Compare(empties(a), empties(b)) })
		wiped := slices.IndexFunc(fates, func(f *fate) bool { return f.leaves.empty })
		if wiped < 0 {
			wiped = len(fates)
		}
		whole := r.rng.IntN(max(1, wiped))
		fates[whole].leaves = left{}
		if old := r.rng.IntN(max(1, wiped)); old != whole && r.rng.IntN(2) == 0 {
			fates[old].leaves, fates[old].before = left{}, true
		}
	}
	return fates
}

func empties(f *fate) int {
	if f.leaves.empty {
		return 1
	}
	return 0
}

// startSome starts some of the dead, while the others put back what they know, and returns the rest.
func (r *clusterRun) startSome(fates []*fate) (late []*fate) {
	var soon []*fate
	for _, f := range fates {
		if r.rng.IntN(2) == 0 {
			late = append(late, f)
		} else {
			soon = append(soon, f)
		}
	}
	r.startTogether(soon)
	return late
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
