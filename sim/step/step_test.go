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
	seeds = flag.Int("seeds", 0, "how many seeds each test of seeds runs; 0: 100 or 200")
	from  = flag.Uint64("from", 1, "the first seed")
	one   = flag.Uint64("seed", 0, "run this seed alone, and show everything")
)

// TestSeeds runs seed after seed. A failure names its seed and the command that runs it again.
func TestSeeds(t *testing.T) { eachSeed(t, 200, Options{}) }

// TestSyncedSeeds does so with a topic that sets fsync.on.ack.
func TestSyncedSeeds(t *testing.T) { eachSeed(t, 100, Options{Synced: true}) }

// TestGroupSeeds does so with groups, whose coordinators' log it is.
func TestGroupSeeds(t *testing.T) { eachSeed(t, 100, Options{Groups: true}) }

// TestCompactedSeeds does so with groups whose coordinators' log is compacted, where offsets expire and are deleted: in one run of four
// machines have several log directories.
func TestCompactedSeeds(t *testing.T) { eachSeed(t, 100, Options{Groups: true, Compacted: true}) }

// TestPreferredSeeds does so with an operator who keeps asking for the preferred leader.
func TestPreferredSeeds(t *testing.T) { eachSeed(t, 100, Options{Preferred: true}) }

// TestMinimumSeeds does so with an operator who lowers and raises min.insync.replicas.
func TestMinimumSeeds(t *testing.T) { eachSeed(t, 100, Options{Minimum: true}) }

// TestDirectorySeeds does so with machines that have several log directories: one run in three with fsync.on.ack, one with groups.
func TestDirectorySeeds(t *testing.T) { eachSeed(t, 100, Options{Directories: true}) }

func eachSeed(t *testing.T, usual uint64, o Options) {
	first, count := *from, uint64(*seeds)
	if count == 0 {
		count = usual
	}
	if *one != 0 {
		first, count = *one, 1
	}
	var steps, acked, reads, committed, lookups, syncs, moves, exchanges, compactions, removed int
	for seed := first; seed < first+count; seed++ {
		o.Seed = seed
		switch {
		case o.Compacted:
			o.Directories = seed%4 == 3
		case o.Directories:
			o.Synced, o.Groups = seed%3 == 1, seed%3 == 2
		}
		if *one != 0 {
			o.Say = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			o.Logger = slog.New(slog.NewTextHandler(os.Stdout, nil))
		}
		s := bubble(t, o)
		steps, acked, reads = steps+s.Steps, acked+s.Acked, reads+s.Reads
		moves, exchanges = moves+s.Counts["move"], exchanges+s.Counts["exchange"]
		committed, lookups, syncs = committed+s.Committed, lookups+s.Lookups, syncs+s.Syncs
		compactions, removed = compactions+s.Counts["compaction"], removed+s.Removed
		if len(s.Violations) > 0 {
			t.Errorf("seed %d: %d violations; again: go test ./sim/step -run '%s$' -seed %d\n%s\nwhat happened:\n%s",
				seed, len(s.Violations), t.Name(), seed, lines(s.Violations), strings.Join(s.Faults, "\n"))
		}
	}
	t.Logf("%d seeds: %d events, %d records acknowledged, %d shown", count, steps, acked, reads)
	if o.Directories {
		t.Logf("%d moves asked for, %d in-sync sets that name another directory", moves, exchanges)
	}
	if o.Groups {
		t.Logf("%d offsets committed, %d told, %d assignments", committed, lookups, syncs)
		if o.Compacted {
			t.Logf("%d compactions, %d offsets told to be no more", compactions, removed)
		}
	}
}

func lines(errs []error) string {
	var out strings.Builder
	for _, err := range errs {
		fmt.Fprintf(&out, "  %v\n", err)
	}
	return out.String()
}

// bubble runs a seed in virtual time.
func bubble(t *testing.T, o Options) (s Summary) {
	synctest.Test(t, func(*testing.T) { s = Run(o) })
	return s
}
