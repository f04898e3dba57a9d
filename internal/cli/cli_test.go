package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs the program with argv and returns what it said and its exit code.
func run(t *testing.T, argv ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Getenv: func(string) string { return "" },
		FindBrokers: func(context.Context, []string, string, string) ([]string, error) {
			return nil, errors.New("no keeper here")
		},
	}
	code = env.Main(t.Context(), argv)
	return out.String(), errs.String(), code
}

func TestNamesPickTheTool(t *testing.T) {
	for _, argv := range [][]string{
		{"/opt/kafka/bin/kafka-topics.sh", "--version"},
		{"kafka-topics", "--version"},
		{"barnabas", "kafka-topics.sh", "--version"},
	} {
		stdout, _, code := run(t, argv...)
		if code != 0 || !strings.HasPrefix(stdout, KafkaVersion+" ") {
			t.Errorf("%q: code %d, %q", argv, code, stdout)
		}
	}
}

func TestEveryToolAnswersHelp(t *testing.T) {
	for _, tool := range registry() {
		if tool.Run == nil {
			continue
		}
		help, failure := "Print usage information.", "no-such-option is not a recognized option\n"
		stdout, stderr, code := run(t, tool.Kafka+".sh", "--help")
		wantCode := 1
		if strings.HasPrefix(stdout, "usage: ") { // a tool that Kafka builds on argparse4j
			help, failure, wantCode = "show this help message and exit", "unrecognized arguments: '--no-such-option'", 0
		}
		if code != wantCode || !strings.Contains(stdout+stderr, help) {
			t.Errorf("%s --help: code %d, %q", tool.Kafka, code, stdout+stderr)
		}
		_, stderr, code = run(t, tool.Kafka+".sh", "--no-such-option")
		if code != 1 || !strings.Contains(stderr, failure) {
			t.Errorf("%s --no-such-option: code %d, %q", tool.Kafka, code, stderr)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"kafka-topics", "Create, delete, describe, or change a topic."},
		{"kafka-topics --list", "--bootstrap-server must be specified"},
		{"kafka-topics --list --create --bootstrap-server a:1", "Command must include exactly one action"},
		{"kafka-topics --create --bootstrap-server a:1", `Missing required argument "[topic]"`},
		{"kafka-topics --alter --topic a --bootstrap-server a:1", `Missing required argument "[partitions]"`},
		{"kafka-topics --list --if-exists --bootstrap-server a:1", `Option "[if-exists]" can't be used with option "[list]"`},
		{"kafka-topics --create --topic a --replica-assignment 1 --partitions 1 --bootstrap-server a:1",
			`Option "[replica-assignment]" can't be used with option "[partitions]"`},
		{"kafka-topics --list --bootstrap-server a:1 --zookeeper b:1", "Only one of --bootstrap-server or --zookeeper"},
		{"kafka-console-producer --broker-list a:1", `Missing required argument "[topic]"`},
		{"kafka-console-consumer --bootstrap-server a:1", "Exactly one of the following arguments is required: [topic], [include]"},
		{"kafka-console-consumer --bootstrap-server a:1 --topic a --offset 3", "The partition is required when offset is specified."},
		{"kafka-console-consumer --bootstrap-server a:1 --topic a --partition 0 --offset -3", "The provided offset value '-3' is incorrect."},
		{"kafka-console-consumer --bootstrap-server a:1 --topic a --partition 0 --group g", "Options group and partition cannot be specified together."},
		{"kafka-console-consumer --bootstrap-server a:1 --topic a --group g --consumer-property group.id=h", "Warning: --consumer-property"},
		{"kafka-console-consumer --bootstrap-server a:1 --topic a --formatter x.Y", "x.Y: there is no such formatter"},
		{"kafka-consumer-groups --bootstrap-server a:1 --describe", "Option [describe] takes one of these options: [group], [all-groups]"},
		{"kafka-consumer-groups --bootstrap-server a:1 --list --members", "Option(s) [members] are unavailable given other options on the command line"},
		{"kafka-consumer-groups --bootstrap-server a:1 --reset-offsets --group g --dry-run --execute", "only accepts one of"},
		{"kafka-consumer-groups --bootstrap-server a:1 --reset-offsets --group g --execute --to-latest --to-earliest", "can't be used with option"},
		{"kafka-groups", "Missing required option(s) [bootstrap-server]"},
		{"kafka-groups --bootstrap-server a:1", "Command must include exactly one action: --list."},
		{"kafka-groups --bootstrap-server a:1 --list --group-type nonsense", "--group-type must be a valid group type."},
		{"kafka-groups --bootstrap-server a:1 --list --streams --share", `Option "[share]" can't be used with option "[streams]"`},
		{"kafka-groups --bootstrap-server a:1 --list --consumer --protocol x", `Option "[consumer]" can't be used with option "[protocol]"`},
		{"kafka-configs --bootstrap-server a:1 --describe", "At least one entity type must be specified"},
		{"kafka-configs --bootstrap-server a:1 --alter --topic a", "At least one of --add-config, --add-config-file, or --delete-config"},
		{"kafka-configs --bootstrap-server a:1 --describe --broker x", "must be a valid integer broker id, but it is: x"},
		{"kafka-configs --bootstrap-server a:1 --describe --entity-type topics --topic x", "should not be used in conjunction"},
		{"kafka-get-offsets --bootstrap-server a:1 --time never", "Malformed time argument never."},
		{"kafka-cluster --bootstrap-server a:1", "kafka-cluster: error: too few arguments"},
		{"kafka-cluster frobnicate --bootstrap-server a:1", "kafka-cluster: error: invalid choice: 'frobnicate' (choose from 'cluster-id', 'unregister', 'list-endpoints')"},
		{"kafka-metadata-quorum describe --bootstrap-server a:1", "One of --status or --replication must be specified with describe sub-command\n"},
		{"kafka-features --bootstrap-server a:1", "kafka-features: error: too few arguments"},
		{"kafka-log-dirs --bootstrap-server a:1", `Missing required argument "[describe]"`},
	} {
		words := strings.Fields(c.args)
		words[0] += ".sh"
		if _, stderr, code := run(t, words...); code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s:\ncode %d, stderr %.200q\nwant %q", c.args, code, stderr, c.want)
		}
	}
}

func TestModernUsageErrorsEndWith2(t *testing.T) {
	for _, args := range []string{"nosuch", "topics create", "topics list --frobnicate", "topics list -o xml", "configs get nonsense", "delete-records a:b"} {
		if _, stderr, code := run(t, append([]string{"barnabas"}, strings.Fields(args)...)...); code != 2 {
			t.Errorf("%s: code %d, %q", args, code, stderr)
		}
	}
}

func TestInstallLinks(t *testing.T) {
	dir := t.TempDir()
	if err := installLinks(dir, "barnabas"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kafka-topics.sh", "kafka-topics", "kafka-console-consumer.sh"} {
		if to, err := os.Readlink(filepath.Join(dir, name)); err != nil || to != "barnabas" {
			t.Errorf("%s leads to %q, %v", name, to, err)
		}
	}
	if err := installLinks(dir, "other"); err != nil {
		t.Errorf("links are replaced: %v", err)
	}
	path := filepath.Join(dir, "kafka-topics.sh")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/bash\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := installLinks(dir, "barnabas"); err == nil {
		t.Error("a real file was overwritten")
	}
}

func TestSeedsFromKeeper(t *testing.T) {
	var asked []string
	env := &Env{FindBrokers: func(_ context.Context, keepers []string, chroot, protocol string) ([]string, error) {
		asked = append(append([]string{}, keepers...), chroot, protocol)
		return []string{"b:9092"}, nil
	}}
	for connect, want := range map[string]string{
		"zoo1:2181,zoo2:2181/kafka/a": "zoo1:2181 zoo2:2181 /kafka/a PLAINTEXT",
		"zoo1":                        "zoo1:2181  PLAINTEXT",
		"[::1]:21810, zoo2":           "[::1]:21810 zoo2:2181  PLAINTEXT",
	} {
		if _, err := env.seeds(t.Context(), target{zookeeper: connect}, properties{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(asked, " "); got != want {
			t.Errorf("%s: asked %q, want %q", connect, got, want)
		}
	}
}

func TestSplitAddresses(t *testing.T) {
	got, err := splitAddresses("a:1, PLAINTEXT://b:2 ,[::1]:3,")
	if err != nil || strings.Join(got, " ") != "a:1 b:2 [::1]:3" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"a", "a:", ":9092", ",", "a:1,b"} {
		if _, err := splitAddresses(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
