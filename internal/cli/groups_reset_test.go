package cli

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Kafka's own tool reads each of these so, but for the zones of four digits, of which it drops the minutes.
func TestParseDatetime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31T12:00:00.000":       "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00.250":       "2026-01-31T12:00:00.25Z",
		"2026-01-31T12:00:00.000Z":      "2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00.000+02:00": "2026-01-31T10:00:00Z",
		"2026-01-31T12:00:00.000+02":    "2026-01-31T10:00:00Z",
		"2026-01-31T12:00:00.000-0830":  "2026-01-31T20:30:00Z",
		"2026-01-31T12:00:00.4":         "2026-01-31T12:00:00.004Z", // milliseconds, and no fraction
		"2026-1-4T2:3:4.5":              "2026-01-04T02:03:04.005Z",
	} {
		got, err := parseDatetime(text)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"yesterday":                   "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format",
		"2026-01-31":                  "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format",
		"2026-01-31T":                 "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format",
		"2026-01-31T12:00:00":         `Unparseable date: "2026-01-31T12:00:00Z"`,
		"2026-13-31T12:00:00.000":     `Unparseable date: "2026-13-31T12:00:00.000Z"`,
		"2026-02-30T12:00:00.000":     `Unparseable date: "2026-02-30T12:00:00.000Z"`,
		"2026-01-31T24:00:00.000":     `Unparseable date: "2026-01-31T24:00:00.000Z"`,
		"2026-01-31T12:00:00.4000":    `Unparseable date: "2026-01-31T12:00:00.4000Z"`,
		"2026-01-31T12:00:00.000-x":   `Unparseable date: "2026-01-31T12:00:00.000-x"`,
		"2026-01-31T12:00:00.000+99":  `Unparseable date: "2026-01-31T12:00:00.000+99"`,
		"99999999999999999999-1-1T1.": `Unparseable date: "99999999999999999999-1-1T1.Z"`,
	} {
		at, err := parseDatetime(text)
		if err == nil || err.Error() != want || javaClass(err) != "java.text.ParseException" {
			t.Errorf("%s: %v, %v", text, at, err)
		}
	}
}

// barnabas groups reset takes times as ISO 8601 has them.
func TestModernTimes(t *testing.T) {
	for to, want := range map[string]string{
		"2026-01-31T12:00:00":       "--to-datetime 2026-01-31T12:00:00.000Z",
		"2026-01-31T12:00:00.4":     "--to-datetime 2026-01-31T12:00:00.400Z",
		"2026-01-31T12:00:00+05:30": "--to-datetime 2026-01-31T06:30:00.000Z",
		"PT1H":                      "--by-duration PT1H",
		"+5":                        "--shift-by +5",
		"latest":                    "--to-latest",
		"17":                        "--to-offset 17",
	} {
		if got := strings.Join(scenarioWords(to), " "); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}

// What is neither is not taken for an offset, which would be 0: nothing is asked of a broker, let alone reset.
func TestModernResetToNothing(t *testing.T) {
	for _, to := range []string{"", "earlist", "+x", "-", "2026-13-31T12:00:00", "1e3", "99999999999999999999"} {
		_, stderr, code := run(t, "barnabas", "-b", "127.0.0.1:1", "groups", "reset", "g", "--execute", "--to", to)
		if code != 2 || !strings.Contains(stderr, fmt.Sprintf("--to %q: want earliest, ", to)) {
			t.Errorf("--to %s: code %d, %q", to, code, stderr)
		}
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	const jackson = "com.fasterxml.jackson."
	for _, c := range []struct{ file, class, want string }{
		{"", jackson + "databind.exc.MismatchedInputException", "No content to map due to end-of-input"},
		{"\n", jackson + "databind.exc.MismatchedInputException", "No content to map due to end-of-input"},
		{"g,a,0,1,2", jackson + "dataformat.csv.CsvReadException",
			`Too many entries: expected at most 4 (value #4 (1 chars) "2"), line 1`},
		{"a,0,1\na,x,1", jackson + "databind.exc.InvalidFormatException",
			"Cannot deserialize value of type `int` from String \"x\": not a valid `int` value, line 2"},
		{"g,a,0,x", jackson + "databind.exc.InvalidFormatException",
			"Cannot deserialize value of type `long` from String \"x\": not a valid `long` value, line 1"},
		{"a,0,-5", "java.lang.IllegalArgumentException", "Invalid negative offset, line 1"},
		// Kafka's tool takes the offset 0 for what is not there.
		{"a,0", "java.lang.IllegalArgumentException", "line 1: want group,topic,partition,offset"},
	} {
		plan, err := readPlan(strings.NewReader(c.file), "g")
		if err == nil || err.Error() != c.want || javaClass(err) != c.class {
			t.Errorf("%q: %v, %v", c.file, plan, err)
		}
	}
}

func TestWhatTopicNames(t *testing.T) {
	leaders := map[partitionName]int32{{"a", 0}: 1, {"a", 1}: 2, {"a", 2}: noLeader, {"b", 0}: 1}
	for _, c := range []struct {
		words []string
		want  []partitionName
		err   string
	}{
		{[]string{"b", "a:1,0"}, []partitionName{{"a", 0}, {"a", 1}, {"b", 0}}, ""},
		{[]string{"b", "b:0"}, []partitionName{{"b", 0}}, ""},
		{[]string{"a"}, nil, `The partitions "a-2" have no leader`},
		{[]string{"b:3,0,1"}, nil, `The partitions "b-1,b-3" do not exist`},
		{[]string{"c"}, nil, "This server does not host this topic-partition."},
		{[]string{"b:"}, nil, "Invalid topic arg 'b:', expected topic name and partitions"},
		{[]string{"b:0:1"}, nil, "Invalid topic arg 'b:0:1', expected topic name and partitions"},
		{[]string{"b:x"}, nil, "Invalid partition 'x' specified in topic arg 'b:x''"},
	} {
		o := newGroupsOptions()
		for _, word := range c.words {
			if err := o.p.Parse([]string{"--topic", word}); err != nil {
				t.Fatal(err)
			}
		}
		words, err := o.topicWords()
		var got []partitionName
		if err == nil {
			got, err = toReset(words, leaders)
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		if said != c.err || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, %q", c.words, got, said)
		}
	}
}
