// Command bench measures Barnabas beside Apache Kafka, in one run on one machine, and reports ratios: machines are shared
// and noisy, so absolute figures of different days say little.
//
// The broker is pinned to one core and the generator (this process) to another. Cases are interleaved: Kafka, Barnabas,
// Kafka, Barnabas … and medians are reported with their spread.
//
//	go run ./bench                      every case, three rounds
//	go run ./bench -rounds 5 -case small,latency
//	go run ./bench -only barnabas       without Kafka (no JDK or Maven needed)
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// figures are what one round of one case measured, by name of the figure, in the unit that the name ends with.
type figures map[string]float64

// benchCase measures one thing on a broker that is not running yet.
type benchCase struct {
	name string
	what string
	run  func(system) (figures, error)
	// alone: Barnabas only.
	alone bool
}

var cases = []benchCase{
	{name: "start", what: "exec to the first acknowledged record", run: measureStart},
	{name: "idle", what: "an idle broker", run: measureIdle},
	{name: "small", what: "one-record produce requests, 64 connections", run: measureSmall},
	{name: "latency", what: "end to end at 1,000 records/s of 1 KiB", run: measureLatency},
	{name: "partitions", what: "10,000 idle partitions", run: measurePartitions, alone: true},
}

func main() {
	rounds := flag.Int("rounds", 3, "rounds of each case")
	names := flag.String("case", "", "cases to run, by name, with commas (all)")
	only := flag.String("only", "", "one system only: barnabas or kafka")
	out := flag.String("out", "dist/bench", "folder for results.json and table.md")
	flag.Parse()
	if err := pinSelf(generatorCore); err != nil {
		fatal(fmt.Errorf("pin the generator: %w", err))
	}
	systems, err := pickSystems(*only)
	if err != nil {
		fatal(err)
	}
	results := map[string]map[string][]figures{}
	for _, c := range cases {
		if *names != "" && !slices.Contains(strings.Split(*names, ","), c.name) {
			continue
		}
		results[c.name], err = runCase(c, systems, *rounds)
		if err != nil {
			fatal(err)
		}
	}
	table := render(results, systems)
	fmt.Print(table)
	if err := save(*out, results, table); err != nil {
		fatal(err)
	}
}

// runCase runs the rounds of a case, the systems taking turns.
func runCase(c benchCase, systems []system, rounds int) (map[string][]figures, error) {
	measured := map[string][]figures{}
	for round := range rounds {
		for _, s := range systems {
			if _, ours := s.(barnabas); c.alone && !ours {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s, round %d: %s\n", c.what, round+1, s.name())
			f, err := c.run(s)
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", c.name, s.name(), err)
			}
			measured[s.name()] = append(measured[s.name()], f)
		}
	}
	return measured, nil
}

func pickSystems(only string) ([]system, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module's folder: %w", err)
	}
	home := strings.TrimSpace(string(root))
	var systems []system
	if only != "barnabas" {
		kafka, err := newKafka(filepath.Join(home, ".cache", "bench"), filepath.Join(home, "bench"))
		if err != nil {
			return nil, fmt.Errorf("get Apache Kafka (-only barnabas does without): %w", err)
		}
		systems = append(systems, kafka)
	}
	if only != "kafka" {
		systems = append(systems, barnabas{binary: filepath.Join(home, "bin", "barnabas")})
	}
	return systems, nil
}

func save(dir string, results any, table string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), raw, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "table.md"), []byte(table), 0o644)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}
