// Package scenario plays scripts that a person can read against a room whose decisions are pure: tests of
// controller and replication use it. Each line of a script is an event, and the lines below it that begin with > say
// what comes of it; # begins a comment. With -update what comes of the events now is written into the scripts.
package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the scenarios with what happens now")

// Event carries out an event, given as its words, and tells what came of it, each outcome a line.
type Event func(words []string) []string

// Play plays the scripts that match a pattern. begin sets the stage for one of them.
func Play(t *testing.T, pattern string, begin func(*testing.T) Event) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(begin(t), string(script))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(script) {
				t.Errorf("got:\n%s\nwant:\n%s", got, script)
			}
		})
	}
}

// play returns the script with what came of its events.
func play(event Event, script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		for _, outcome := range event(words) {
			out.WriteString("> " + outcome + "\n")
		}
	}
	return out.String()
}
