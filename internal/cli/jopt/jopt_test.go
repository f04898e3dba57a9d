package jopt

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

type options struct {
	p                 *Parser
	topic, state, cfg *Text
	partitions        *Int
	offset            *Long
	list, describe    *Flag
}

func declare() *options {
	p := New("Does things.")
	return &options{
		p: p, topic: p.Text("topic", "topic", "The topic.").Or("t"), state: p.OptionalText("state", "", "The state."),
		cfg:        p.Text("command-property", "k=v", "A property.").Deprecates("producer-property"),
		partitions: p.Int("partitions", "n", "How many.").Default(1), offset: p.Long("offset", "n", "Where."),
		list: p.Flag("list", "List."), describe: p.Flag("describe", "Describe."),
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, args, topic, state string
		list                     bool
		rest                     []string
	}{
		{name: "an argument follows", args: "--topic a", topic: "a"},
		{name: "an argument after the equal sign", args: "--topic=a=b", topic: "a=b"},
		{name: "one dash", args: "-topic a -list", topic: "a", list: true},
		{name: "one dash and equal sign", args: "-topic=a", topic: "a"},
		{name: "an alias", args: "-t a", topic: "a"},
		{name: "a required argument may look like an option", args: "--topic --list", topic: "--list"},
		{name: "an optional argument may not", args: "--state --list", list: true},
		{name: "an optional argument", args: "--state stable,empty", state: "stable,empty"},
		{name: "a flag drops its value", args: "--list=no", list: true},
		{name: "words between options", args: "describe --topic a x", topic: "a", rest: []string{"describe", "x"}},
		{name: "a lone dash is a word", args: "- --list", list: true, rest: []string{"-"}},
		{name: "two dashes end the options", args: "--topic a -- --list", topic: "a", rest: []string{"--list"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := declare()
			if err := o.p.Parse(strings.Fields(c.args)); err != nil {
				t.Fatal(err)
			}
			if o.topic.Must() != c.topic || o.state.Must() != c.state || o.list.Set() != c.list {
				t.Errorf("topic %q state %q list %t", o.topic.Must(), o.state.Must(), o.list.Set())
			}
			if !reflect.DeepEqual(o.p.Rest(), c.rest) {
				t.Errorf("rest %q, want %q", o.p.Rest(), c.rest)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for args, want := range map[string]string{
		"--foo":          "foo is not a recognized option",
		"--foo=1":        "foo is not a recognized option",
		"-xyz":           "x is not a recognized option",
		"--topics a":     "topics is not a recognized option", // no abbreviations, no longer names
		"--list --topic": "Option topic requires an argument",
	} {
		o := declare()
		err := o.p.Parse(strings.Fields(args))
		var usage *UsageError
		if !errors.As(err, &usage) || usage.Message != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	if err := declare().p.Parse([]string{"--list", "--help"}); !errors.Is(err, ErrHelp) {
		t.Errorf("--help: %v", err)
	}
	if err := declare().p.Parse([]string{"--version"}); !errors.Is(err, ErrVersion) {
		t.Errorf("--version: %v", err)
	}
}

func TestValues(t *testing.T) {
	o := declare()
	args := "--topic a --topic b --partitions x --offset 99999999999"
	if err := o.p.Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	if err := Check(o.topic); err == nil || err.Error() != "Found multiple arguments for option topic, but you asked for only one" {
		t.Errorf("two values: %v", err)
	}
	if !reflect.DeepEqual(o.topic.Values(), []string{"a", "b"}) {
		t.Errorf("values %q", o.topic.Values())
	}
	if err := Check(o.partitions); err == nil || err.Error() != "Cannot parse argument 'x' of option partitions" {
		t.Errorf("no number: %v", err)
	}
	if o.offset.Must() != 99999999999 {
		t.Errorf("offset %d", o.offset.Must())
	}
	empty := declare() // as of a variable that is not set
	if err := empty.p.Parse([]string{"--partitions", ""}); err != nil {
		t.Fatal(err)
	}
	if err := Check(empty.partitions); err == nil || err.Error() != "Cannot parse argument '' of option partitions" {
		t.Errorf("an empty number: %v", err)
	}
	if unset := declare(); unset.partitions.Must() != 1 {
		t.Errorf("default %d", unset.partitions.Must())
	}
}

func TestDeprecatedNameWarnsOnce(t *testing.T) {
	o := declare()
	var lines []string
	o.p.Warn = func(line string) { lines = append(lines, line) }
	if err := o.p.Parse(strings.Fields("--producer-property a=1 --producer-property b=2")); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "Use --command-property instead.") {
		t.Errorf("%q", lines)
	}
	if !reflect.DeepEqual(o.cfg.Values(), []string{"a=1", "b=2"}) {
		t.Errorf("values %q", o.cfg.Values())
	}
}

func TestCombinations(t *testing.T) {
	o := declare()
	if err := o.p.Parse([]string{"--list", "--describe"}); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		`Missing required argument "[topic]"`:                    o.p.Required(o.list, o.topic),
		`Option "[list]" can't be used with option "[describe]"`: o.p.Exclusive(o.list, o.list, o.describe),
		"just one": o.p.ExactlyOne("just one", o.list, o.describe),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := o.p.Exclusive(o.topic, o.list); err != nil {
		t.Errorf("an option that was not given excludes nothing: %v", err)
	}
}

func TestHelpIsSortedAndNarrow(t *testing.T) {
	o := declare()
	o.p.Text("bootstrap-server", "host:port,host:port,host:port,host:port", strings.Repeat("a word ", 30))
	var b strings.Builder
	o.p.WriteHelp(&b)
	var names []string
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > helpWidth {
			t.Errorf("%d columns: %s", len(line), line)
		}
		if strings.HasPrefix(line, "--") && !strings.HasPrefix(line, "---") {
			names = append(names, strings.Fields(line)[0])
		}
	}
	want := "--bootstrap-server --command-property --describe --help --list --offset --partitions --state --topic --version"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
