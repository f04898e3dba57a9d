package footprint

import (
	"testing"
	"time"
)

func TestRest(t *testing.T) {
	const mib = 1 << 20
	begun := time.Unix(1_700_000_000, 0)
	var r Rest
	for i, c := range []struct {
		what      string
		processor time.Duration // since the start
		held      uint64
		due       bool
	}{
		{"the first look", 100 * time.Millisecond, 20 * mib, false},
		{"nothing happens", 107 * time.Millisecond, 20 * mib, false},
		{"a burst", 1900 * time.Millisecond, 70 * mib, false},
		{"its end", 1950 * time.Millisecond, 72 * mib, false},
		{"rest", 1957 * time.Millisecond, 72 * mib, true},
		{"rest after memory was given back", 1980 * time.Millisecond, 44 * mib, false},
		{"a little more", 1990 * time.Millisecond, 58 * mib, false},
		{"less", 2000 * time.Millisecond, 40 * mib, false},
		{"that much more than the least", 2010 * time.Millisecond, 56 * mib, true},
	} {
		due := r.Due(Usage{At: begun.Add(time.Duration(i) * 2 * time.Second), Processor: c.processor, Held: c.held})
		if due != c.due {
			t.Errorf("%s: %v", c.what, due)
		}
		if due {
			r.Given(44 * mib)
		}
	}
}

func TestHeld(t *testing.T) {
	if held := Held(); held == 0 || held > 1<<40 {
		t.Errorf("%d bytes", held)
	}
	if runtimeUsed := Used(); runtimeUsed.Processor < 0 || runtimeUsed.At.IsZero() {
		t.Errorf("%+v", runtimeUsed)
	}
}
