// Command bench measures Barnabas beside Apache Kafka, NATS JetStream and the limit of the machine, in one run on one
// machine, and reports ratios: machines are shared and noisy, so absolute figures of different days say little.
//
// The broker is pinned to one core and the generator (this process) to another; three brokers share both. Rounds are
// interleaved, Kafka, NATS, limit, Barnabas, Kafka …, each on an empty directory, and medians are reported with their spread.
//
//	go run ./bench                              every case, three rounds
//	go run ./bench -rounds 5 -case small,latency
//	go run ./bench -system barnabas,limit       without Kafka and NATS (no JDK or Maven needed)
//	go run ./bench -scale 0.1                   a tenth of the volume, to see that all of it works
//	go run ./bench -compare /tmp/old,bin/barnabas -case small
//	go run ./bench -merge -case small           one case anew, beside what results.json has of the others
//	go run ./bench -report dist/bench/results.json
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// scale multiplies the volume and the time of every case.
var scale = 1.0

func scaled(n int) int { return max(1, int(float64(n)*scale)) }

func scaledTime(d time.Duration) time.Duration { return time.Duration(float64(d) * scale) }

func main() {
	if len(os.Args) > 1 && os.Args[1] == limitCommand {
		fatal(serveLimit(os.Args[2:]))
	}
	rounds := flag.Int("rounds", 3, "rounds of each case")
	names := flag.String("case", "", "cases to run, by name, with commas (all)")
	only := flag.String("system", "", "systems to measure, with commas: kafka, nats, limit, barnabas (all)")
	program := flag.String("program", "", "the Barnabas to measure (bin/barnabas)")
	out := flag.String("out", "dist/bench", "folder for results.json, table.md and plots")
	reportOf := flag.String("report", "", "make table and plots of these results.json, with commas, and measure nothing; what a later one has counts")
	merge := flag.Bool("merge", false, "keep what results.json in the folder has of other cases and systems, so that a long run can be done in pieces")
	flag.Float64Var(&scale, "scale", 1, "multiplies the volume and the time of every case")
	flag.Float64Var(&longGiB, "long", longGiB, "GiB of the longer log of case length")
	builds := flag.String("compare", "", "builds of Barnabas to measure against each other, with commas, in slices that take turns; limit may be one")
	slicesEach := flag.Int("slices", 20, "slices of each build for -compare")
	list := flag.Bool("list", false, "list the cases")
	flag.Parse()
	if *list {
		for _, c := range cases {
			fmt.Printf("%-12s %s\n", c.name, c.what)
		}
		return
	}
	if *reportOf != "" {
		fatal(report(*reportOf, *out))
	}
	if *builds != "" {
		if err := pinSelf(generatorCore); err != nil {
			fatal(err)
		}
		fatal(compare(*builds, *names, *slicesEach))
	}
	chosen, err := pickCases(*names)
	if err != nil {
		fatal(err)
	}
	systems, err := pickSystems(*only, *program)
	if err != nil {
		fatal(err)
	}
	if err := pinSelf(generatorCore); err != nil {
		fatal(fmt.Errorf("pin the generator: %w", err))
	}
	r := newResults(*rounds)
	if *merge {
		if err := r.mergeBefore(*out); err != nil {
			fatal(err)
		}
	}
	for _, c := range chosen {
		r.runCase(c, systems, *rounds)
		if err := r.save(*out); err != nil { // after each case: a long run that is ended has measured something
			fatal(err)
		}
	}
	fmt.Print(r.table())
	if r.failed("Barnabas") {
		fatal(fmt.Errorf("not every case could be measured; see above and %s", *out))
	}
	removeLeftDirs()
}

func pickCases(names string) ([]benchCase, error) {
	if names == "" {
		return cases, nil
	}
	var chosen []benchCase
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(cases, func(c benchCase) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no case is called %q; -list tells which there are", name)
		}
		chosen = append(chosen, cases[i])
	}
	return chosen, nil
}

func fatal(err error) {
	removeLeftDirs()
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}
