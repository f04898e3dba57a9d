package step

import (
	"strings"
	"testing"
)

// TestPlantedBugs plants bugs and expects some seed to find each.
func TestPlantedBugs(t *testing.T) {
	for _, c := range []struct {
		name string
		bugs Bugs
		want []string // what is found is any of these
	}{
		{"an empty disk is trusted", Bugs{TrustsEmpty: true}, []string{"lost:", "sets:", "reused:", "changed:"}},
		{"the high watermark is one short", Bugs{AcknowledgesEarly: true}, []string{"lost:", "sets:"}},
		{"offsets are given out again in the same epoch", Bugs{ForgetsTorn: true}, []string{"reused:"}},
		{"a deposed leader goes on", Bugs{KeepsLeading: true}, []string{"two leaders:", "reused:"}},
		{"a follower keeps what its leader has not", Bugs{SkipsTruncation: true}, []string{"unlike:", "lost:", "sets:", "changed:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const enough = 100
			for seed := uint64(1); seed <= enough; seed++ {
				for _, v := range bubble(t, Options{Seed: seed, Bugs: c.bugs}).Violations {
					for _, want := range c.want {
						if strings.Contains(v.Error(), ": "+want) {
							t.Logf("seed %d: %v", seed, v)
							return
						}
					}
				}
			}
			t.Errorf("not found by %d seeds", enough)
		})
	}
}

// TestSameSeedSameRun holds two runs of each seed against each other, to the last event.
func TestSameSeedSameRun(t *testing.T) {
	traces := map[uint64]bool{}
	const runs = 20
	for seed := uint64(1); seed <= runs; seed++ {
		a, b := bubble(t, Options{Seed: seed}), bubble(t, Options{Seed: seed})
		if a.Trace != b.Trace || a.Steps != b.Steps {
			t.Errorf("seed %d: traces %x and %x, after %d and %d events", seed, a.Trace, b.Trace, a.Steps, b.Steps)
		}
		traces[a.Trace] = true
	}
	if len(traces) != runs {
		t.Errorf("%d seeds gave %d different traces", runs, len(traces))
	}
}
