package storage

import (
	"errors"
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
		{1000, 1000, pressure{excess: 250, clients: true, copies: true}},
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
