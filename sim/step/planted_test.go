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
		in   Options
		want []string // what is found is any of these
	}{
		{"an empty disk is trusted", Bugs{TrustsEmpty: true}, Options{}, []string{"lost:", "sets:", "reused:", "changed:"}},
		{"the high watermark is one short", Bugs{AcknowledgesEarly: true}, Options{}, []string{"lost:", "sets:"}},
		{"offsets are given out again in the same epoch", Bugs{ForgetsTorn: true}, Options{}, []string{"reused:"}},
		{"a deposed leader goes on", Bugs{KeepsLeading: true}, Options{}, []string{"two leaders:", "reused:"}},
		{"a follower keeps what its leader has not", Bugs{SkipsTruncation: true}, Options{}, []string{"unlike:", "lost:", "sets:", "changed:"}},
		{"acknowledged before it is on the disk", Bugs{AcknowledgesUnsynced: true}, Options{Synced: true}, []string{"lost:", "sets:"}},
		{"a coordinator answers before it is committed", Bugs{AnswersEarly: true}, Options{Groups: true}, []string{"lost:", "commits:", "sets:"}},
		{"a coordinator loads what was shown", Bugs{LoadsShown: true}, Options{Groups: true}, []string{"commits:", "generations:", "owners:"}},
		{"a coordinator that is back knows what it knew", Bugs{KeepsGroups: true}, Options{Groups: true}, []string{"commits:", "fenced:", "owners:"}},
		{"an empty directory is trusted", Bugs{TrustsEmpty: true}, Options{Directories: true}, []string{"lost:", "sets:", "reused:", "changed:"}},
		{"a directory is named before it has everything", Bugs{NamesEarly: true}, Options{Directories: true}, []string{"lost:", "sets:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			const enough = 100
			for seed := uint64(1); seed <= enough; seed++ {
				o := c.in
				o.Seed, o.Bugs = seed, c.bugs
				for _, v := range bubble(t, o).Violations {
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
		for _, o := range []Options{{Seed: seed}, {Seed: seed, Synced: true}, {Seed: seed, Groups: true}, {Seed: seed, Preferred: true}, {Seed: seed, Minimum: true},
			{Seed: seed, Groups: true, Compacted: true, Directories: seed%4 == 3},
			{Seed: seed, Directories: true, Synced: seed%3 == 1, Groups: seed%3 == 2}} {
			a, b := bubble(t, o), bubble(t, o)
			if a.Trace != b.Trace || a.Steps != b.Steps {
				t.Errorf("%+v: traces %x and %x, after %d and %d events", o, a.Trace, b.Trace, a.Steps, b.Steps)
			}
			traces[a.Trace] = true
		}
	}
	if len(traces) != 7*runs {
		t.Errorf("%d runs gave %d different traces", 7*runs, len(traces))
	}
}
