package step

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	seeds = flag.Int("seeds", 0, "how many seeds TestSeeds runs; 0: 200")
	from  = flag.Uint64("from", 1, "the first seed")
	one   = flag.Uint64("seed", 0, "run this seed alone, and show everything")
)

// TestSeeds runs seed after seed. A failure names its seed and the command that runs it again.
func TestSeeds(t *testing.T) {
	first, count := *from, uint64(*seeds)
	if count == 0 {
		count = 200
	}
	if *one != 0 {
		first, count = *one, 1
	}
	var steps, acked, reads int
	for seed := first; seed < first+count; seed++ {
		o := Options{Seed: seed}
		if *one != 0 {
			o.Say = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			o.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
		}
		s := bubble(t, o)
		steps, acked, reads = steps+s.Steps, acked+s.Acked, reads+s.Reads
		if len(s.Violations) > 0 {
			t.Errorf("seed %d: again: go test ./sim/step -run TestSeeds -seed %d\n%v\nwhat happened:\n%s",
				seed, seed, s.Violations, strings.Join(s.Faults, "\n"))
		}
	}
	t.Logf("%d seeds: %d events, %d records acknowledged, %d shown", count, steps, acked, reads)
}

// bubble runs a seed in virtual time.
func bubble(t *testing.T, o Options) (s Summary) {
	synctest.Test(t, func(*testing.T) { s = Run(o) })
	return s
}
