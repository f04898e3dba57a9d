package storage

import (
	"errors"
	"strings"
	"testing"

	"barnabas/internal/vfs"
)

func TestPressureOf(t *testing.T) {
	for _, c := range []struct {
		used, budget int64
		want         pressure
	}{
		{1000, 0, pressure{}},
		{800, 1000, pressure{}},
		{810, 1000, pressure{excess: 60}},
		{950, 1000, pressure{excess: 200, clients: true}},
		{1000, 1000, pressure{excess: 250, clients: true}},
	} {
		if got := pressureOf(c.used, c.budget); got != c.want {
			t.Errorf("%d of %d: %+v, want %+v", c.used, c.budget, got, c.want)
		}
	}
}

// TestBudget: what nobody has acknowledged may not go, so producers are refused; what may go goes before its time, at once.
func TestBudget(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	h.tune.BudgetBytes = 5000
	l := h.log(small)
	h.appendMany(l, 100)
	h.store.keepBudgets()
	if _, err := l.Append(batchOf(t, h.store.nowMs(), "more"), AppendOptions{LeaderEpoch: 1}); !errors.Is(err, ErrBudget) {
		t.Fatalf("over the budget: %v", err)
	}
	if l.StartOffset() != 0 {
		t.Fatal("records that are not committed went")
	}
	l.SetHighWatermark(100)
	h.store.keepBudgets()
	if size := l.Size(); size > h.tune.BudgetBytes/100*pressPercent {
		t.Errorf("%d bytes are left of a budget of %d", size, h.tune.BudgetBytes)
	}
	if n := h.filesOf(l.path(), deletedMark); n != 0 {
		t.Errorf("%d files wait to be removed", n)
	}
	expectValues(t, l, l.StartOffset(), 100)
	if _, err := l.Append(batchOf(t, h.store.nowMs(), "more"), AppendOptions{LeaderEpoch: 1}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestBudgetOfOneLargeSegment: a budget below segment.bytes is no reason to refuse producers for ever. Segments are sealed before they have all of
// it, so that there are old ones to go.
func TestBudgetOfOneLargeSegment(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	h.tune.BudgetBytes = 16 << 20
	l := h.log(nil) // of 1 GiB
	half := strings.Repeat("x", 512<<10)
	for range 100 {
		if _, err := l.Append(batchOf(t, h.store.nowMs(), half), AppendOptions{LeaderEpoch: 1}); err != nil {
			t.Fatalf("%d bytes: %v", l.Size(), err)
		}
		l.SetHighWatermark(l.EndOffset())
		h.store.keepBudgets()
	}
	if size := l.Size(); size > h.tune.BudgetBytes/100*pressPercent || size < h.tune.BudgetBytes/2 {
		t.Errorf("%d bytes are left of a budget of %d", size, h.tune.BudgetBytes)
	}
	if n := l.Segments(); n > 10 {
		t.Errorf("%d segments", n)
	}
}

// TestBudgetBetweenTwoLooks: nobody outgrows the budget because nobody has looked for a while; copies have a little more room than clients,
// and what coordinators write is never refused.
func TestBudgetBetweenTwoLooks(t *testing.T) {
	a := allow(500, 1000)
	for _, c := range []struct {
		bytes  int64
		origin Origin
		want   bool
	}{
		{400, Client, true},
		{60, Client, false},
		{50, Client, true},
		{1, Client, false},
		{51, Follower, false},
		{50, Follower, true},
		{1, Follower, false},
		{1000, Coordinator, true},
	} {
		if got := a.take(c.bytes, c.origin); got != c.want {
			t.Errorf("%d bytes of origin %d: %t", c.bytes, c.origin, got)
		}
	}
	if !a.refused.Load() {
		t.Error("nobody knows that somebody was refused")
	}
}

// TestBudgetOfABurst: who writes more than is left between two looks is not refused while older records may go.
func TestBudgetOfABurst(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	h.tune.BudgetBytes = 16 << 20
	l := h.log(nil)
	h.store.keepBudgets()
	half := strings.Repeat("x", 512<<10)
	for range 200 {
		if _, err := l.Append(batchOf(t, h.store.nowMs(), half), AppendOptions{LeaderEpoch: 1}); err != nil {
			t.Fatalf("%d bytes: %v", l.Size(), err)
		}
		l.SetHighWatermark(l.EndOffset())
	}
	if size := l.Size(); size > h.tune.BudgetBytes || size < h.tune.BudgetBytes/2 {
		t.Errorf("%d bytes are left of a budget of %d", size, h.tune.BudgetBytes)
	}
}

// TestBudgetLeavesOthersAlone: what is compacted is not sealed for the budget's sake, nor what is far below it.
func TestBudgetLeavesOthersAlone(t *testing.T) {
	for name, c := range map[string]struct {
		budget int64
		change func(*LogConfig)
	}{
		"compacted":   {16 << 20, func(c *LogConfig) { c.Delete = false }},
		"room enough": {64 << 20, nil},
	} {
		h := newHarness(t, vfs.NewMem())
		h.tune.BudgetBytes = c.budget
		l := h.log(c.change)
		for range 20 {
			h.append(l, 1, strings.Repeat("x", 512<<10))
			l.SetHighWatermark(l.EndOffset())
			h.store.keepBudgets()
		}
		if n := l.Segments(); n != 1 {
			t.Errorf("%s: %d segments", name, n)
		}
	}
}
