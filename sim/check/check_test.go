package check

import (
	"strings"
	"testing"
)

var p0 = Partition{Topic: "t", ID: "1"}

// sent is an attempt at a tick that was answered at the next one.
func sent(h *History, client, value string, base int64, outcome Outcome) *Send {
	s := &Send{Client: client, Partition: p0, Records: []Record{{"k", value}}, Acks: -1, Idempotent: true}
	h.Begin(s)
	h.End(s, outcome, base, "")
	return s
}

func final(start, mark int64, values ...string) Final {
	f := Final{Partition: p0, LogStart: start, HighWatermark: mark}
	for i, v := range values {
		f.Reads = append(f.Reads, Read{Partition: p0, Offset: start + int64(i), Record: Record{"k", v}})
	}
	return f
}

func read(h *History, epoch int32, offset int64, value string) {
	h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: offset + 1},
		[]Read{{Partition: p0, Offset: offset, Epoch: epoch, Record: Record{"k", value}}})
}

// TestCheckers: each checker finds what it is there for, and lets pass what looks like it and is allowed.
func TestCheckers(t *testing.T) {
	for _, c := range []struct {
		name    string
		checker func(*History) []error
		happens func(*History)
		want    string // in the first violation; empty: there is none
	}{
		{"kept", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			h.Finally(final(0, 1, "1"))
		}, ""},
		{"lost", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			h.Finally(final(0, 0))
		}, "lost: a acknowledged"},
		{"lost by kill -9", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			h.Fault(Killed)
			h.Finally(final(0, 0))
		}, "lost: a acknowledged"},
		{"lost by a machine crash", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			h.Fault(Crashed)
			h.Finally(final(0, 0))
		}, ""},
		{"lost by a machine crash before it was sent", NothingLost, func(h *History) {
			h.Fault(Crashed)
			sent(h, "a", "1", 0, Done)
			h.Finally(final(0, 0))
		}, "lost: a acknowledged"},
		{"synced and lost by a machine crash", NothingLost, func(h *History) {
			h.Promise("t", Promise{Synced: true})
			sent(h, "a", "1", 0, Done)
			h.Fault(Crashed)
			h.Finally(final(0, 0))
		}, "lost: a acknowledged"},
		{"synced and lost by a wipe", NothingLost, func(h *History) {
			h.Promise("t", Promise{Synced: true})
			sent(h, "a", "1", 0, Done)
			h.Fault(Wiped)
			h.Finally(final(0, 0))
		}, ""},
		{"another record in its place", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			sent(h, "a", "2", 1, Unknown)
			h.Finally(final(0, 1, "2"))
		}, "lost: a acknowledged"},
		{"deleted", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			c := &Cut{Partition: p0, Before: 1}
			h.BeginCut(c)
			h.EndCut(c, Done)
			h.Finally(final(1, 1))
		}, ""},
		{"deleted by nobody", NothingLost, func(h *History) {
			sent(h, "a", "1", 0, Done)
			h.Finally(final(1, 1))
		}, "lost: t-0 begins at 1"},
		{"compacted", NothingLost, func(h *History) {
			h.Promise("t", Promise{Compacted: true})
			sent(h, "a", "1", 0, Done)
			sent(h, "a", "2", 1, Done)
			h.Finally(Final{Partition: p0, HighWatermark: 2, Reads: final(1, 2, "2").Reads})
		}, ""},
		{"compacted though it is the last of its key", NothingLost, func(h *History) {
			h.Promise("t", Promise{Compacted: true})
			sent(h, "a", "1", 0, Done)
			h.Finally(final(0, 1))
		}, "lost: a acknowledged"},

		{"invented", NothingInvented, func(h *History) { read(h, 0, 0, "1") }, "invented"},
		{"refused and there", NothingInvented, func(h *History) {
			sent(h, "a", "1", 0, Refused)
			read(h, 0, 0, "1")
		}, "invented"},
		{"unknown and there", NothingInvented, func(h *History) {
			sent(h, "a", "1", 0, Unknown)
			read(h, 0, 0, "1")
		}, ""},
		{"there before it was sent", NothingInvented, func(h *History) {
			read(h, 0, 0, "1")
			sent(h, "a", "1", 0, Done)
		}, "invented"},

		{"an offset twice", OffsetsNotReused, func(h *History) {
			sent(h, "a", "1", 0, Done)
			sent(h, "a", "2", 0, Done)
		}, "reused: t-0 offset 0"},
		{"an offset twice, after a crash", OffsetsNotReused, func(h *History) {
			sent(h, "a", "1", 0, Done)
			h.Fault(Crashed)
			sent(h, "a", "2", 0, Done)
		}, ""},
		{"an offset twice in one epoch, after a crash", OffsetsNotReused, func(h *History) {
			read(h, 3, 0, "1")
			h.Fault(Crashed)
			read(h, 3, 0, "2")
		}, "in leader epoch 3"},
		{"an offset twice in two epochs, after a crash", OffsetsNotReused, func(h *History) {
			read(h, 3, 0, "1")
			h.Fault(Crashed)
			read(h, 4, 0, "2")
		}, ""},
		{"an offset again after a wipe", OffsetsNotReused, func(h *History) {
			read(h, 3, 7, "1")
			h.Fault(Wiped)
			sent(h, "a", "2", 6, Done)
		}, "given out before the wipe"},

		{"in order", InOrder, func(h *History) {
			sent(h, "a", "1", 0, Done)
			sent(h, "b", "2", 1, Done)
		}, ""},
		{"out of order", InOrder, func(h *History) {
			sent(h, "a", "1", 1, Done)
			sent(h, "b", "2", 0, Done)
		}, "order: t-0"},
		{"a retry of what came first", InOrder, func(h *History) {
			sent(h, "a", "1", 0, Unknown)
			sent(h, "b", "2", 1, Done)
			sent(h, "a", "1", 0, Done)
		}, ""},

		{"twice", NoDuplicates, func(h *History) {
			sent(h, "a", "1", 0, Unknown)
			sent(h, "a", "1", 1, Done)
			h.Finally(final(0, 2, "1", "1"))
		}, "duplicate: t-0"},
		{"a producer's own order", NoDuplicates, func(h *History) {
			sent(h, "a", "1", 0, Unknown)
			sent(h, "a", "2", 1, Done)
			h.Finally(final(0, 2, "2", "1"))
		}, "order: t-0"},

		{"a mark that falls", MarksRise, func(h *History) {
			h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: 5}, nil)
			h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: 4}, nil)
		}, "high watermark: t-0 went from 5"},
		{"a mark seen in a fetch that began before", MarksRise, func(h *History) {
			early := h.Now()
			h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: 5}, nil)
			h.Fetch(early, Mark{Partition: p0, HighWatermark: 4}, nil)
		}, ""},
		{"a mark of before that a replica shows after a kill", MarksRise, func(h *History) {
			h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: 5}, nil)
			h.Fault(Killed)
			h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: 4}, nil)
		}, ""},
		{"a start that falls", MarksRise, func(h *History) {
			h.Fetch(h.Now(), Mark{Partition: p0, LogStart: 5, HighWatermark: 9}, nil)
			h.Fetch(h.Now(), Mark{Partition: p0, LogStart: 4, HighWatermark: 9}, nil)
		}, "log start: t-0 went from 5"},
		{"shown above the mark", MarksRise, func(h *History) {
			h.Fetch(h.Now(), Mark{Partition: p0, HighWatermark: 5}, []Read{{Partition: p0, Offset: 5}})
		}, "was shown above it"},

		{"two owners", OneOwner, func(h *History) {
			h.Assigned(h.Now(), Assignment{Group: "g", Member: "a", Generation: 2, Partitions: []int32{0, 1}})
			h.Assigned(h.Now(), Assignment{Group: "g", Member: "b", Generation: 2, Partitions: []int32{1}})
		}, "owners: partition 1"},
		{"an owner after another", OneOwner, func(h *History) {
			h.Assigned(h.Now(), Assignment{Group: "g", Member: "a", Generation: 2, Partitions: []int32{0, 1}})
			h.Assigned(h.Now(), Assignment{Group: "g", Member: "b", Generation: 3, Partitions: []int32{1}})
		}, ""},
		{"an older generation", GenerationsRise, func(h *History) {
			h.Assigned(h.Now(), Assignment{Group: "g", Member: "a", Generation: 2})
			h.Joined(h.Now(), Join{Group: "g", Member: "b", Generation: 1})
		}, "generations: b joined generation 1"},

		{"a commit that stays", CommitsStay, func(h *History) { commit(h, "x", Done); fetched(h, "x") }, ""},
		{"a commit that goes", CommitsStay, func(h *History) { commit(h, "x", Done); fetched(h, "") }, `has "" for t-0`},
		{"a commit that goes back", CommitsStay, func(h *History) {
			commit(h, "x", Done)
			commit(h, "y", Done)
			fetched(h, "x")
		}, `though "y" was acknowledged`},
		{"an unknown commit that happened", CommitsStay, func(h *History) {
			commit(h, "x", Done)
			commit(h, "y", Unknown)
			fetched(h, "x")
			fetched(h, "y")
		}, ""},
		{"a refused commit that happened", CommitsStay, func(h *History) { commit(h, "x", Refused); fetched(h, "x") }, "nobody committed"},
		{"a commit lost by kill -9", CommitsStay, func(h *History) {
			commit(h, "x", Done)
			h.Fault(Killed)
			fetched(h, "")
		}, `has "" for t-0`},
		{"a commit lost by a crash", CommitsStay, func(h *History) {
			commit(h, "x", Done)
			h.Fault(Crashed)
			fetched(h, "")
		}, ""},
	} {
		h := New()
		c.happens(h)
		found := c.checker(h)
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%s: %v", c.name, found)
		case c.want != "" && (len(found) == 0 || !strings.Contains(found[0].Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, found, c.want)
		}
	}
}

func commit(h *History, mark string, outcome Outcome) {
	c := &Commit{Group: "g", Partition: p0, Mark: mark}
	h.BeginCommit(c)
	h.EndCommit(c, outcome)
}

func fetched(h *History, mark string) {
	h.FetchedOffset(h.Now(), Fetched{Group: "g", Partition: p0, Mark: mark})
}

func TestSame(t *testing.T) {
	a := final(0, 2, "1", "2")
	for _, c := range []struct {
		after []Final
		want  string
	}{
		{[]Final{a}, ""},
		{nil, "is gone"},
		{[]Final{final(0, 1, "1")}, "was [0, 2) and is [0, 1)"},
		{[]Final{final(0, 2, "1", "3")}, "holds other records"},
	} {
		found := Same([]Final{a}, c.after)
		if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.Contains(found[0].Error(), c.want)) {
			t.Errorf("%v, want %q", found, c.want)
		}
	}
}
