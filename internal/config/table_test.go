package config

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the reference page and the test data anew")

func TestReferencePageIsCurrent(t *testing.T) {
	const file = "../../docs/configuration.md"
	want := Page()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the table says (%v): run go test ./internal/config -update", file, err)
	}
}

// lines reads a file of test data: fields separated by tabs, # begins a comment.
func lines(t *testing.T, file string) [][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]string
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "#") {
			list = append(list, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		}
	}
	return list
}

// TestRowsAreKafkas compares every row with Kafka's own definition: type, default and what is valid.
func TestRowsAreKafkas(t *testing.T) {
	seen := map[string]bool{}
	for _, fields := range lines(t, "testdata/kafka-settings.tsv") {
		level, name, kind, value, valid := fields[0], fields[1], fields[2], fields[3], fields[4]
		d := server[name]
		if level == "topic" {
			d = topics[name]
		}
		if d == nil {
			if level == "topic" {
				t.Errorf("the topic's setting %s is missing", name)
			}
			continue
		}
		if d.Name != name {
			continue // an alias
		}
		seen[level+name] = true
		if got := strings.ToUpper(d.Kind.String()); got != kind {
			t.Errorf("%s is a %s, and Kafka's is a %s", name, got, kind)
		}
		ours := d.Default
		switch {
		case d.Why != "":
			ours = d.Kafka
		case name == "node.id":
			ours = "<NODEFAULT>"
		case d.Null:
			ours = "<null>"
		}
		if ours != value {
			t.Errorf("the default of %s is %q, and Kafka's is %q", name, ours, value)
		}
		sameSet := func(a, b string) bool {
			x, y := splitList(strings.Trim(a, "[]")), splitList(strings.Trim(b, "[]"))
			slices.Sort(x)
			slices.Sort(y)
			return slices.Equal(x, y)
		}
		if valid != "" && valid != d.check.valid && !sameSet(valid, d.check.valid) && !stricter[name] {
			t.Errorf("what is valid for %s is %s, and Kafka's %s", name, d.check.valid, valid)
		}
	}
	for name, d := range topics {
		if !seen["topic"+name] && !ownTopics[name] {
			t.Errorf("Kafka has no topic's setting %s", d.Name)
		}
	}
}

// ownTopics are the topics' settings that Kafka does not have.
var ownTopics = map[string]bool{"fsync.on.ack": true}

// stricter are the rows that allow other values than Kafka, on purpose.
var stricter = map[string]bool{
	"node.id": true, // -1 is what broker.id has in Kafka before 4.0: any number
	// A family's rows in hours are not checked here but as milliseconds.
	"log.roll.hours": true, "log.roll.jitter.hours": true, "log.retention.hours": true,
}

func TestEveryRowSaysWhatItDoes(t *testing.T) {
	for _, d := range table {
		if d.Doc == "" || !strings.HasSuffix(d.Doc, ".") {
			t.Errorf("%s: the documentation is %q", d.Name, d.Doc)
		}
		if (d.Why == "") != (d.Kafka == "") {
			t.Errorf("%s: Kafka's default and the reason to differ come together", d.Name)
		}
		if unusedSettings()[d.Name] != "" && !d.Topic {
			t.Errorf("%s has a row and is listed as unused", d.Name)
		}
	}
}

func TestChecksAreKafkas(t *testing.T) {
	view := Defaults()
	for _, fields := range lines(t, "testdata/topic-checks.tsv") {
		got := "ok"
		if err := CheckTopic(view, pairs(strings.Split(fields[0], "|"))); err != nil {
			got = err.Error()
		}
		if got != fields[1] {
			t.Errorf("%s:\n got %s\nwant %s", fields[0], got, fields[1])
		}
	}
}

func TestDynamicChecksAreKafkas(t *testing.T) {
	for _, fields := range lines(t, "testdata/dynamic-checks.tsv") {
		words := strings.Split(fields[0], "|")
		got := "ok"
		if err := CheckDynamic(pairs(words[1:]), words[0] == "true"); err != nil {
			got = err.Error()
		}
		if got != fields[1] {
			t.Errorf("%s:\n got %s\nwant %s", fields[0], got, fields[1])
		}
	}
}

func pairs(words []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(words); i += 2 {
		m[words[i]] = words[i+1]
	}
	return m
}
