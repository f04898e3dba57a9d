package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds    = flag.Int("seeds", 0, "how many seeds TestSeeds and TestClusterSeeds run each; 0: 60 each, and 6 with -race")
	from     = flag.Uint64("from", 1, "the first seed")
	apart    = flag.Uint64("apart", 1, "how far apart the seeds are, for runs of a kind that only some seeds are")
	one      = flag.Uint64("seed", 0, "run this seed alone")
	only     = flag.String("only", "", "the faults that may happen, separated by commas; empty: all")
	brokerIn = flag.Bool("log", false, "show the broker's log")
)

// TestSeeds runs seed after seed. A failure names its seed and the command that runs it again.
func TestSeeds(t *testing.T) {
	eachSeed(t, Run)
}

// TestClusterSeeds does so with clusters.
func TestClusterSeeds(t *testing.T) {
	eachSeed(t, RunCluster)
}

func eachSeed(t *testing.T, run func(Options) Summary) {
	first, count := *from, uint64(*seeds)
	if count == 0 {
		count = usualSeeds
	}
	if *one != 0 {
		first, count = *one, 1
	}
	for seed := first; seed < first+count**apart; seed += *apart {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if *one == 0 {
				t.Parallel()
			}
			o := Options{Seed: seed}
			if *only != "" {
				o.Only = strings.Split(*only, ",")
			}
			simulate(t, run, o)
		})
	}
}

// simulate runs one seed and fails with what is wrong.
func simulate(t *testing.T, run func(Options) Summary, o Options) {
	if *one != 0 {
		o.Say = t.Logf
	}
	o.Logger = logger()
	began := time.Now()
	var s Summary
	synctest.Test(t, func(t *testing.T) { s = run(o) })
	if *one != 0 {
		t.Logf("%v of virtual time in %v: %d attempts to send, %d records read, %d commits", s.Took, time.Since(began),
			len(s.History.Sends), len(s.History.Reads), len(s.History.Commits))
	}
	if len(s.Violations) == 0 {
		return
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	t.Errorf("seed %d: %d violations; again: go test ./sim -run '%s$' -seed %d -v\n%s\nwhat happened:\n%s", o.Seed,
		len(s.Violations), name, o.Seed, lines(s.Violations, 8), strings.Join(s.Faults, "\n"))
}

// logger shows the broker's log if that is asked for.
func logger() *slog.Logger {
	if *brokerIn {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return nil
}

func lines(errs []error, most int) string {
	var out strings.Builder
	for i, err := range errs {
		if i == most {
			fmt.Fprintf(&out, "  ... and %d more\n", len(errs)-most)
			break
		}
		fmt.Fprintf(&out, "  %v\n", err)
	}
	return out.String()
}
