package group

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"barnabas/internal/record"
)

var update = flag.Bool("update", false, "rewrite the scenarios with what happens now")

// TestScenarios plays the scenarios in testdata: each file holds several. A line that begins with > is
// an event, the lines after it are what comes of it: records, then replies, each once. Time is virtual;
// what happens later stands after the wait in which it does, with the time since the scenario began.
// The events are in scenario_events_test.go.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range archive.Files {
			section := &archive.Files[i]
			name := strings.TrimSuffix(filepath.Base(file), ".txtar") + "/" + section.Name
			t.Run(name, func(t *testing.T) {
				got := play(t, string(section.Data))
				if *update {
					section.Data = []byte(got)
				} else if got != string(section.Data) {
					t.Errorf("%s has changed; look at it with -update\n%s", name,
						firstDifference(got, string(section.Data)))
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// play runs one scenario in virtual time and returns it with its outcomes.
func play(t *testing.T, script string) (out string) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer func() { w.groups.Close() }()
		var b strings.Builder
		for line := range strings.Lines(script) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.HasPrefix(line, "> "):
				b.WriteString(line + "\n")
				b.WriteString(w.event(strings.TrimPrefix(line, "> ")))
			case line == "" || strings.HasPrefix(line, "#"):
				b.WriteString(line + "\n")
			}
		}
		out = b.String()
	})
	return out
}

// world is a group room with one partition.
type world struct {
	t      *testing.T
	config Config
	groups *Groups
	log    *testLog
	epoch  record.Epoch
	ids    int
	began  time.Time
	shown  record.Offset // records before it are shown already

	mu      sync.Mutex // guards replies
	replies []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, config: DefaultConfig(), log: &testLog{}, began: time.Now()}
	w.start()
	return w
}

// start makes the room anew, with what the log holds.
func (w *world) start() {
	w.groups = New(Options{
		Config:     w.config,
		Partitions: func() int32 { return 1 },
		NewID:      func() string { w.ids++; return fmt.Sprint(w.ids) },
	})
	w.epoch++
	w.groups.Elect(0, w.epoch, w.log)
	synctest.Wait()
}

// reply notes an answer to a client.
func (w *world) reply(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replies = append(w.replies, fmt.Sprintf(format, args...))
}

// event does one thing and tells what came of it.
func (w *world) event(line string) string {
	words := strings.Fields(line)
	args := arguments{t: w.t, line: line, values: map[string]string{}}
	for _, word := range words[1:] {
		if name, value, ok := strings.Cut(word, "="); ok {
			args.values[name] = value
		} else {
			args.words = append(args.words, word)
		}
	}
	if words[0] == "wait" {
		return w.wait(args.duration(args.word(0)))
	}
	do := events[words[0]]
	if do == nil {
		w.t.Fatalf("no such event: %s", line)
	}
	do(w, &args)
	args.check()
	synctest.Wait()
	return w.tell("")
}

// wait lets time pass, stopping at every second or finer, to tell when things happen.
func (w *world) wait(d time.Duration) string {
	var out strings.Builder
	for left := d; left > 0; {
		pace := min(left, max(time.Second, d/600))
		time.Sleep(pace) // the bubble's time
		left -= pace
		synctest.Wait()
		out.WriteString(w.tell(fmt.Sprintf("@%s ", time.Since(w.began))))
	}
	return out.String()
}

// tell prints what is new, each line with the prefix.
func (w *world) tell(prefix string) string {
	var b strings.Builder
	for _, r := range w.log.records(w.shown) {
		b.WriteString(prefix + printRecord(r) + "\n")
	}
	w.shown = w.log.EndOffset()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.replies {
		b.WriteString(prefix + r + "\n")
	}
	w.replies = nil
	return b.String()
}

// arguments of an event: words, and names with values.
type arguments struct {
	t      *testing.T
	line   string
	words  []string
	values map[string]string
	used   []string
}

func (a *arguments) word(i int) string {
	if i >= len(a.words) {
		a.t.Fatalf("%q wants more words", a.line)
	}
	return a.words[i]
}

func (a *arguments) value(name, otherwise string) string {
	a.used = append(a.used, name)
	if v, ok := a.values[name]; ok {
		return v
	}
	return otherwise
}

// optional is nil for a value that isn't given.
func (a *arguments) optional(name string) *string {
	a.used = append(a.used, name)
	if v, ok := a.values[name]; ok {
		return &v
	}
	return nil
}

func (a *arguments) number(name string, otherwise int) int {
	n := 0
	if _, err := fmt.Sscan(a.value(name, fmt.Sprint(otherwise)), &n); err != nil {
		a.t.Fatalf("%q: %s: %v", a.line, name, err)
	}
	return n
}

func (a *arguments) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		a.t.Fatalf("%q: %v", a.line, err)
	}
	return d
}

// check fails on values that no one asked for.
func (a *arguments) check() {
	for _, name := range a.used {
		delete(a.values, name)
	}
	for name := range a.values {
		a.t.Fatalf("%q: nobody knows %s", a.line, name)
	}
}

// subscribe is a consumer's metadata, version 0, for topics.
func subscribe(topics ...string) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.BigEndian, int16(0))
	binary.Write(&b, binary.BigEndian, int32(len(topics)))
	for _, topic := range topics {
		binary.Write(&b, binary.BigEndian, int16(len(topic)))
		b.WriteString(topic)
	}
	binary.Write(&b, binary.BigEndian, int32(-1))
	return b.Bytes()
}
