package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are everything that runs have measured, as results.json holds it: Began to Scale are of the last one.
type results struct {
	Began    time.Time
	Commit   string
	Machine  machine
	Rounds   int
	Scale    float64
	Measured []*measured
}

type machine struct {
	Kernel, CPU string
	Cores       int
	Go          string
}

// measured is a case on a system.
type measured struct {
	Case, System string
	// Commit and Scale are of the run that measured it; empty and 0 in files of runs that were not in pieces.
	Commit string  `json:",omitempty"`
	Scale  float64 `json:",omitempty"`
	Rounds []figures
	// Others is, for each round, what part of all cores other processes had, in percent.
	Others []float64
	Errors []string `json:",omitempty"`
}

func newResults(rounds int) *results {
	commit, _ := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return &results{
		Began: time.Now().UTC(), Commit: strings.TrimSpace(string(commit)), Rounds: rounds, Scale: scale,
		Machine: machine{
			Kernel: strings.TrimSpace(string(kernel)), CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version(),
		},
	}
}

func cpuModel() string {
	raw, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(raw)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// runCase runs the rounds of a case, the systems taking turns. A round that fails is noted, and the run goes on: a rival
// that can't do something is a result too.
func (r *results) runCase(c benchCase, systems []system, rounds int) {
	of := map[string]*measured{}
	for round := range rounds {
		for _, s := range systems {
			if !c.measures(s.name()) {
				continue
			}
			m := of[s.name()]
			if m == nil {
				m = &measured{Case: c.name, System: s.name(), Commit: r.Commit, Scale: r.Scale}
				of[s.name()] = m
				r.replace(m)
			}
			if len(m.Errors) > 1 { // it can't
				continue
			}
			fmt.Fprintf(os.Stderr, "%s, round %d: %s", c.what, round+1, s.name())
			f, others, err := c.round(s)
			if err != nil {
				fmt.Fprintf(os.Stderr, ": %v\n", err)
				m.Errors = append(m.Errors, err.Error())
				continue
			}
			fmt.Fprintf(os.Stderr, ": %s\n", f)
			m.Rounds, m.Others = append(m.Rounds, f), append(m.Others, others)
		}
	}
}

// round measures once, and how much others had of the machine meanwhile.
func (c *benchCase) round(s system) (figures, float64, error) {
	if c.shared {
		if err := unpinSelf(); err != nil {
			return nil, 0, err
		}
		defer pinSelf(generatorCore)
	}
	before := loadNow()
	f, err := c.run(s)
	return f, loadNow().othersSince(before), err
}

// failed tells whether some case has no figures of a system that takes part in it.
func (r *results) failed(system string) bool {
	for _, m := range r.Measured {
		if m.System == system && len(m.Errors) > 0 {
			return true
		}
	}
	return false
}

func (r *results) of(name, system string) *measured {
	for _, m := range r.Measured {
		if m.Case == name && m.System == system && len(m.Rounds) > 0 {
			return m
		}
	}
	return nil
}

const resultsName = "results.json"

func (r *results) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, resultsName), raw, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "table.md"), []byte(r.table()), 0o644); err != nil {
		return err
	}
	return r.draw(dir)
}

// replace puts what is measured now in the place of what was measured of that case and system before.
func (r *results) replace(m *measured) {
	i := slices.IndexFunc(r.Measured, func(o *measured) bool { return o.Case == m.Case && o.System == m.System })
	if i < 0 {
		r.Measured = append(r.Measured, m)
		return
	}
	r.Measured[i] = m
}

func readResults(file string) (*results, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(results)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, m := range r.Measured {
		if m.Commit == "" {
			m.Commit, m.Scale = r.Commit, r.Scale
		}
	}
	return r, nil
}

// mergeBefore takes over what the run before has left in the folder, of which this one measures a part anew.
func (r *results) mergeBefore(dir string) error {
	before, err := readResults(filepath.Join(dir, resultsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Measured = append(before.Measured, r.Measured...)
	return nil
}

// report makes one table, and plots, of what runs have measured: what a later file has counts.
func report(files, dir string) error {
	var all *results
	for file := range strings.SplitSeq(files, ",") {
		r, err := readResults(file)
		if err != nil {
			return err
		}
		if all != nil {
			for _, m := range r.Measured {
				all.replace(m)
			}
			r.Measured = all.Measured
		}
		all = r
	}
	fmt.Print(all.table())
	return all.save(dir)
}
