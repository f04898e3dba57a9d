package storage

import (
	"testing"
	"time"
)

// TestNewLogsAreSyncedWhenNoMoreAreMade asks the flusher while logs are being made, and after.
func TestNewLogsAreSyncedWhenNoMoreAreMade(t *testing.T) {
	f := newFlusher()
	rolled, first, second := &Log{}, &Log{}, &Log{}
	f.addNew(first)
	f.addNew(second)
	f.add(rolled)
	if _, ok := f.take(f.lastMade)[rolled]; !ok || len(f.made) != 2 || len(f.wake) != 1 {
		t.Errorf("the one that rolled has waited, or the new ones have not: %d, woken %d", len(f.made), len(f.wake))
	}
	if taken := f.take(f.lastMade.Add(flushDelay)); len(taken) != 2 || len(f.made) != 0 {
		t.Errorf("%d are taken after the last was made", len(taken))
	}
	f.addNew(first)
	f.lastMade = f.firstMade.Add(makingLimit) // another is made all the time
	if taken := f.take(f.lastMade.Add(time.Millisecond)); len(taken) != 1 {
		t.Errorf("%d are taken at the limit", len(taken))
	}
}
