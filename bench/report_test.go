package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// someResults are of a run that has measured these cases, all with the same figures.
func someResults(commit string, value float64, names ...string) *results {
	r := &results{Commit: commit, Scale: 1, Rounds: 2}
	for _, name := range names {
		for _, c := range cases {
			if c.name != name {
				continue
			}
			for i, system := range c.systems {
				m := &measured{Case: name, System: system, Commit: commit, Scale: 1}
				for round := range 2 {
					v := value * float64(10+i+round) / 10
					m.Rounds = append(m.Rounds, figures{"MB/s": v, "requests/s": 40 * v, "p99, ms": v / 100})
				}
				r.Measured = append(r.Measured, m)
			}
		}
	}
	return r
}

func TestRunsInPiecesAreMerged(t *testing.T) {
	dir := t.TempDir()
	if err := new(results).mergeBefore(dir); err != nil {
		t.Fatalf("the first piece: %v", err)
	}
	if err := someResults("first", 100, "fetch", "small").save(dir); err != nil {
		t.Fatal(err)
	}
	second := someResults("second", 200, "small", "produce1k")
	again := second.Measured
	second.Measured = nil
	if err := second.mergeBefore(dir); err != nil {
		t.Fatal(err)
	}
	for _, m := range again {
		second.replace(m)
	}
	if err := second.save(dir); err != nil {
		t.Fatal(err)
	}
	r, err := readResults(filepath.Join(dir, resultsName))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"fetch": "first", "small": "second", "produce1k": "second"} {
		if m := r.of(name, nameBarnabas); m == nil || m.Commit != want {
			t.Errorf("%s: %+v, want that of the %s", name, m, want)
		}
	}
	if len(r.Measured) != 9 {
		t.Errorf("%d measured, want three systems in three cases", len(r.Measured))
	}
	table, err := os.ReadFile(filepath.Join(dir, "table.md"))
	if err != nil || !strings.Contains(string(table), "commit first and second") {
		t.Errorf("%v: the table does not tell the commits:\n%s", err, table)
	}
}

func TestReportTakesTheLaterFile(t *testing.T) {
	a, b, out := t.TempDir(), t.TempDir(), t.TempDir()
	for dir, r := range map[string]*results{a: someResults("a", 1, "fetch", "small"), b: someResults("b", 2, "small")} {
		if err := r.save(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := report(filepath.Join(a, resultsName)+","+filepath.Join(b, resultsName), out); err != nil {
		t.Fatal(err)
	}
	r, err := readResults(filepath.Join(out, resultsName))
	if err != nil {
		t.Fatal(err)
	}
	if r.of("fetch", nameLimit).Commit != "a" || r.of("small", nameLimit).Commit != "b" {
		t.Errorf("fetch of %s, small of %s", r.of("fetch", nameLimit).Commit, r.of("small", nameLimit).Commit)
	}
}

// TestPlots wants pictures that are XML, with a bar for each system and everything within the frame.
func TestPlots(t *testing.T) {
	r := someResults("x", 700, "produce100", "produce1k", "small", "fetch", "latency", "three")
	drawn := 0
	for _, p := range plots {
		picture := r.picture(p)
		if picture == "" {
			continue
		}
		drawn++
		bars := 0
		for d := xml.NewDecoder(strings.NewReader(picture)); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", p.file, err, picture)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
				bars++
			}
		}
		want := 1
		for _, row := range p.rows {
			want += len(r.bars(p, row))
		}
		if bars != want {
			t.Errorf("%s: %d rectangles, want %d", p.file, bars, want)
		}
	}
	if drawn != 5 {
		t.Errorf("%d pictures, want one for each case that has one", drawn)
	}
}

func TestAxis(t *testing.T) {
	for most, want := range map[float64]axis{
		1: {0.2, 1}, 0.83: {0.2, 1}, 2350: {500, 2500}, 104_000: {25_000, 125_000}, 19: {5, 20}, 50: {10, 50}, 1e-3: {0.0002, 0.001},
	} {
		got := axisTo(most)
		if d := got.step/want.step - 1; d > 1e-9 || d < -1e-9 {
			t.Errorf("up to %g: steps of %g, want %g", most, got.step, want.step)
		}
		if d := got.most/want.most - 1; d > 1e-9 || d < -1e-9 {
			t.Errorf("up to %g: an axis to %g, want %g", most, got.most, want.most)
		}
	}
}
