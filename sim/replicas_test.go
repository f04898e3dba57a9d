package sim

import (
	"testing"

	"barnabas/sim/check"
)

// TestReplicasLackWhatWasDeleted: a leader may show records again that were deleted, and its followers need not have those, but any other.
func TestReplicasLackWhatWasDeleted(t *testing.T) {
	p := check.Partition{Topic: "t", ID: "1"}
	deleted := func(before int64, outcome check.Outcome) *check.Cut {
		return &check.Cut{Partition: p, Before: before, Outcome: outcome}
	}
	for _, c := range []struct {
		name  string
		cuts  []*check.Cut
		start int64 // of the follower
		same  bool
	}{
		{name: "nothing was deleted, and the follower begins later", start: 4},
		{name: "it begins where was deleted", cuts: []*check.Cut{deleted(4, check.Done)}, start: 4, same: true},
		{name: "it begins before that, within a batch", cuts: []*check.Cut{deleted(4, check.Done)}, start: 3, same: true},
		{name: "the deletion was refused", cuts: []*check.Cut{deleted(4, check.Refused)}, start: 4},
		{name: "nobody knows of it", cuts: []*check.Cut{deleted(4, check.Unknown)}, start: 4, same: true},
		{name: "less was deleted", cuts: []*check.Cut{deleted(3, check.Done)}, start: 4},
		{name: "it was deleted in two pieces", cuts: []*check.Cut{deleted(2, check.Done), deleted(4, check.Done)}, start: 4, same: true},
		// Offsets 5 to 9 are a batch without records, in a segment of its own that retention takes, for no record in it is young.
		{name: "it begins behind the batch that fills offsets up", cuts: []*check.Cut{deleted(6, check.Done)}, start: 10, same: true},
		{name: "that, and a record before it was not deleted", cuts: []*check.Cut{deleted(4, check.Done)}, start: 10},
		{name: "that, and a record behind it is missing", cuts: []*check.Cut{deleted(6, check.Done)}, start: 11},
	} {
		h := check.New()
		h.Cuts = c.cuts
		f := check.Final{Partition: p, HighWatermark: 12}
		held := map[int64]check.Read{}
		for _, at := range []int64{0, 1, 2, 3, 4, 10, 11} {
			r := check.Read{Partition: p, Offset: at, Record: check.Record{Value: string(rune('a' + at))}}
			f.Reads = append(f.Reads, r)
			if at >= c.start {
				held[at] = r
			}
		}
		if err := sameRecords(mayBegin(f, c.start, h), held, false); (err == nil) != c.same {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
