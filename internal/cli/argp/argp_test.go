package argp

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

type tool struct {
	p                                 *Parser
	topic, records, rate, props, acks *Option
	size, file, numbers               *Option
}

func declare() *tool {
	p := New("kafka-tool", "It does what it does.")
	t := &tool{p: p}
	t.topic = p.Text("--topic", "TOPIC", "The topic.").Required()
	t.records = p.Long("--num-records", "NUM-RECORDS", "How many.").Default("7")
	t.rate = p.Double("--throughput", "THROUGHPUT", "How fast.")
	t.props = p.Text("--producer-props", "NAME=VALUE", "Properties.").Many()
	t.acks = p.Int("--acks", "ACKS", "Acknowledgements.").Choices("0", "1", "-1").Or("-a")
	t.size = p.Int("--record-size", "SIZE", "Bytes.")
	t.file = p.Text("--payload-file", "FILE", "A file.")
	t.numbers = p.Flag("--payload-monotonic", "Numbers.")
	p.Exclusive(true, t.size, t.file, t.numbers)
	return t
}

func TestForms(t *testing.T) {
	for _, args := range []string{
		"--topic a --record-size 3 --throughput -1 --producer-props x=1 y=2 --acks -1",
		"--topic=a --record-size=3 --throughput=-1 --acks=-1 --producer-props x=1 y=2",
		"--top a --rec 3 --through -1 --prod x=1 y=2 -a -1",
	} {
		o := declare()
		if err := o.p.Parse(strings.Fields(args)); err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if o.topic.Value() != "a" || o.size.Number() != 3 || o.rate.Float() != -1 || o.acks.Number() != -1 {
			t.Errorf("%s: %+v", args, o)
		}
		if want := []string{"x=1", "y=2"}; !reflect.DeepEqual(o.props.Values(), want) {
			t.Errorf("%s: properties %q", args, o.props.Values())
		}
		if o.records.Set() || o.records.Number() != 7 {
			t.Errorf("%s: default %d", args, o.records.Number())
		}
	}
}

func TestMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"--nosuch":                             "unrecognized arguments: '--nosuch'", // said before what is missing
		"--topic":                              "argument --topic: expected one argument",
		"--topic a --record-size 3 --nosuch b": "unrecognized arguments: '--nosuch'",
		"--topic a --record-size 3 extra":      "unrecognized arguments: 'extra'",
		"--topic a":                            "one of the arguments --record-size --payload-file --payload-monotonic is required",
		"--topic a --record-size 3 --payload-monotonic": "argument --payload-monotonic: not allowed with argument --record-size",
		"--topic a --num-records x":                     `argument --num-records: could not convert 'x' to Long (For input string: "x")`,
		"--topic a --record-size 3000000000":            `argument --record-size: could not convert '3000000000' to Integer (For input string: "3000000000")`,
		"--topic a --acks 7":                            "argument --acks/-a: invalid choice: '7' (choose from {0,1,-1})",
		"--topic a --p 7":                               "ambiguous option: --p could match --producer-props, --payload-file, --payload-monotonic",
		"--topic a --producer-props --acks 1":           "argument --producer-props: expected at least one argument",
		"--topic a --payload-monotonic=1":               "argument --payload-monotonic: ignored explicit argument '1'",
	} {
		err := declare().p.Parse(strings.Fields(args))
		var usage *UsageError
		if !errors.As(err, &usage) || usage.Message != want {
			t.Errorf("%s:\n%v\nwant %s", args, err, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"-h", "--help", "--topic a --help"} {
		if err := declare().p.Parse(strings.Fields(args)); !errors.Is(err, ErrHelp) {
			t.Errorf("%s: %v", args, err)
		}
	}
	var b strings.Builder
	declare().p.WriteHelp(&b)
	for _, want := range []string{
		"usage: kafka-tool [-h] --topic TOPIC [--num-records NUM-RECORDS]\n",
		"(--record-size SIZE |",
		"  -h, --help             show this help message and exit\n",
		"  --acks ACKS, -a ACKS   Acknowledgements.\n",
		"How many. (default: 7)",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > helpWidth {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
