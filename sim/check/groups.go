package check

import (
	"cmp"
	"fmt"
	"slices"
)

// Join is an answer to a member that joined.
type Join struct {
	Span
	Group, Member string
	Generation    int32
}

// Assignment is what a member was given in a generation.
type Assignment struct {
	Span
	Group, Member string
	Generation    int32
	Partitions    []int32
}

// Commit is one attempt to commit an offset. Marks are unique in a history.
type Commit struct {
	Span
	Group     string
	Partition Partition
	Offset    int64
	Mark      string
	Outcome   Outcome
}

// Fetched is a committed offset as it was read back; Mark is empty where there is none.
type Fetched struct {
	Span
	Group     string
	Partition Partition
	Mark      string
}

// Joined enters an answer to a join that began at a tick.
func (h *History) Joined(begun Tick, j Join) {
	h.add(func() { j.Span = Span{begun, h.tick}; h.Joins = append(h.Joins, j) })
}

// Assigned enters what a member was given.
func (h *History) Assigned(begun Tick, a Assignment) {
	h.add(func() { a.Span = Span{begun, h.tick}; h.Assignments = append(h.Assignments, a) })
}

// BeginCommit enters an attempt to commit, before it is made.
func (h *History) BeginCommit(c *Commit) {
	h.add(func() { c.Begun = h.tick; c.Ended = never; h.Commits = append(h.Commits, c) })
}

// EndCommit completes it.
func (h *History) EndCommit(c *Commit, outcome Outcome) {
	h.add(func() {
		c.Outcome = outcome
		if outcome != Unknown {
			c.Ended = h.tick
		}
	})
}

// FetchedOffset enters a committed offset that was read back.
func (h *History) FetchedOffset(begun Tick, f Fetched) {
	h.add(func() { f.Span = Span{begun, h.tick}; h.Fetched = append(h.Fetched, f) })
}

// life numbers the stretches between losses: what a coordinator forgot in one doesn't count in the next.
func (h *History) life(at Tick) int {
	n := 0
	for _, f := range h.Faults {
		if f.At < at && f.Kind != Killed && f.hitsGroups() {
			n++
		}
	}
	return n
}

// OneOwner finds a partition that two members were given in the same generation of a group.
func OneOwner(h *History) (found []error) {
	type slot struct {
		group      string
		generation int32
		partition  int32
		life       int
	}
	owners := map[slot]string{}
	for _, a := range h.Assignments {
		for _, p := range a.Partitions {
			at := slot{a.Group, a.Generation, p, h.life(a.Ended)}
			if h.life(a.Begun) != at.life {
				continue
			}
			if owner, ok := owners[at]; ok && owner != a.Member {
				found = append(found, fmt.Errorf("owners: partition %d belongs to %s and %s in generation %d of %s",
					p, owner, a.Member, a.Generation, a.Group))
			}
			owners[at] = a.Member
		}
	}
	return found
}

// GenerationsRise finds an assignment in a generation that is older than one handed out before it was asked for. (A
// generation that nobody was given anything in may be forgotten in a crash.)
func GenerationsRise(h *History) (found []error) {
	for _, j := range h.Joins {
		for _, a := range h.Assignments {
			if a.Group == j.Group && a.Before(j.Span) && j.Generation < a.Generation && h.life(a.Begun) == h.life(j.Ended) {
				found = append(found, fmt.Errorf("generations: %s joined generation %d of %s (tick %d) after %d was handed out (tick %d)",
					j.Member, j.Generation, j.Group, j.Begun, a.Generation, a.Ended))
			}
		}
	}
	return found
}

// CommitsStay finds committed offsets that read back as an older one, as none, or as what nobody committed.
func CommitsStay(h *History) (found []error) {
	marks := map[string]*Commit{}
	for _, c := range h.Commits {
		marks[c.Mark] = c
	}
	commits := slices.SortedFunc(slices.Values(h.Commits), func(a, b *Commit) int { return cmp.Compare(a.Begun, b.Begun) })
	for _, f := range h.Fetched {
		var got *Commit
		if f.Mark != "" {
			got = marks[f.Mark]
			if got == nil || got.Group != f.Group || got.Partition != f.Partition || got.Begun > f.Ended || got.Outcome == Refused {
				found = append(found, fmt.Errorf("commits: %s has %q for %s, which nobody committed", f.Group, f.Mark, f.Partition))
				continue
			}
		}
		for _, c := range commits {
			newer := got == nil || got.Before(c.Span)
			if c.Group != f.Group || c.Partition != f.Partition || c.Outcome != Done || !c.Before(f.Span) || !newer {
				continue
			}
			if !h.losesGroups(c.Begun, f.Ended, Crashed, Wiped) {
				found = append(found, fmt.Errorf("commits: %s has %q for %s (tick %d), though %q was acknowledged (tick %d)",
					f.Group, f.Mark, f.Partition, f.Begun, c.Mark, c.Ended))
				break
			}
		}
	}
	return found
}
