package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// results are everything that a run has measured.
type results struct {
	Trials  []*outcome
	Figures []*figure
}

// report prints the tables and writes them down. It fails when a trial has broken the promise.
func (r results) report(dir string) error {
	table := r.table()
	fmt.Print(table)
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), raw, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "table.md"), []byte(table), 0o644); err != nil {
		return err
	}
	for _, o := range r.Trials {
		if o.System == "Barnabas" && !o.kept() {
			return fmt.Errorf("trial %s: the promise was not kept", o.Trial)
		}
	}
	return nil
}

// kept tells whether nothing was lost and the cluster served; how long it stalled is for a reader to judge.
func (o *outcome) kept() bool {
	return o.Lost+o.ColdLost+o.Duplicated+o.Reordered+o.Displaced == 0 && len(o.Troubles) == 0
}

func (r results) table() string {
	var b strings.Builder
	if len(r.Trials) > 0 {
		b.WriteString("| trial | system | rounds | acknowledged | lost | twice | reordered | refused | longest stall, " +
			"of one partition, own | served after | slowest stop, ready (replicas behind then) | ledger | to reach |\n")
		b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, o := range r.Trials {
		ledger := "none"
		if o.Losses >= 0 {
			ledger = fmt.Sprint(o.Losses)
		}
		fmt.Fprintf(&b, "| %s. %s | %s | %d | %d + %d cold | %d + %d cold | %d | %d | %d | %s, %s, %s | %d of %d | %s, %s (%d) | %s | %s |\n",
			o.Trial, o.What, o.Cluster, o.Rounds, o.Acked, o.Cold, o.Lost, o.ColdLost, o.Duplicated, o.Reordered+o.Displaced,
			o.Refused, seconds(o.Stalls.All), seconds(o.Stalls.Partition), seconds(o.Stalls.Own), o.Served, o.Rounds,
			seconds(o.SlowestStop), seconds(o.SlowestReady), o.TooEarly, ledger, o.Goal)
	}
	if len(r.Figures) > 0 {
		b.WriteString("\n| what | system | measured | to reach |\n|---|---|---|---|\n")
	}
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.What, f.System, f.Measured, f.Goal)
	}
	for _, o := range r.Trials {
		for _, t := range append(o.Troubles, o.Examples...) {
			fmt.Fprintf(&b, "\n%s, %s: %s", o.Trial, o.System, t)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func (o *outcome) String() string {
	s := fmt.Sprintf("%d rounds, %d served; %d acknowledged and %d cold: lost %d and %d, twice %d, reordered %d, displaced %d, refused %d; "+
		"longest stall %s, of one partition %s, own %s; ledger %d", o.Rounds, o.Served, o.Acked, o.Cold, o.Lost, o.ColdLost,
		o.Duplicated, o.Reordered, o.Displaced, o.Refused, seconds(o.Stalls.All), seconds(o.Stalls.Partition),
		seconds(o.Stalls.Own), o.Losses)
	for _, t := range append(o.Troubles, o.Examples...) {
		s += "\n   " + t
	}
	return s
}
