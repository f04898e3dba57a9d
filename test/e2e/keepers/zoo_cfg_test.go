package keepers

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zooCfg is a keeper's file as ZooKeeper's administrators write it: without clients' addresses in the list, for those of the other
// servers are nobody's business.
func (e *ensemble) zooCfg(k *process) string {
	lines := []string{
		"# The number of milliseconds of each tick",
		"tickTime=2000",
		"initLimit=10",
		"",
		"! the directory, with myid in it",
		"dataDir=" + k.dir,
		"clientPort = " + fmt.Sprint(k.ports[2]),
		"clientPortAddress=127.0.0.1",
		"4lw.commands.whitelist=srvr, \\",
		"  ruok",
		"leaderServes=yes",
		"http.listener=" + k.http,
		"keeper.heartbeat.ms=" + fmt.Sprint(e.heartbeat),
	}
	for _, other := range e.keepers {
		lines = append(lines, fmt.Sprintf("server.%d=%s:%d:%d", other.number, other.host, other.ports[0], other.ports[1]))
	}
	return strings.Join(lines, "\n") + "\n"
}

// Three keepers are told by zoo.cfg and myid alone what they are, as ZooKeeper is.
func TestZooCfg(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 3)
	for _, k := range e.keepers {
		file := filepath.Join(t.TempDir(), "zoo.cfg")
		write(t, file, e.zooCfg(k))
		write(t, filepath.Join(k.dir, "myid"), fmt.Sprintln(k.number))
		if k.number == 1 {
			e.run(k, nil, "keeper", "--config", file)
		} else {
			e.run(k, nil, "keeper", file)
		}
	}
	e.allReady()
	e.put(e.store(), "k", "v")
	for _, k := range e.keepers {
		if got := e.asked(k, "ruok"); got != "imok" {
			t.Errorf("%s answers ruok with %q", k.name, got)
		}
		for _, want := range []string{
			`zoo.cfg:11","notice":"is not a setting of a keeper"`,
			`zoo.cfg:3","notice":"is not used: a keeper measures its peers itself"`,
		} {
			if !k.output.Says(want) {
				t.Errorf("%s does not say %s\n%s", k.name, want, k.output.Tail())
			}
		}
	}
	k := e.keepers[2]
	k.kill()
	e.run(k, nil, k.command.Args[1:]...)
	e.ready(k)
	if got := e.get(e.store(), "k"); got != "v" {
		t.Errorf("read %q", got)
	}
}

// asked is what a keeper answers to a word of four letters at its clients' port.
func (e *ensemble) asked(k *process, word string) string {
	e.t.Helper()
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", k.host, k.ports[2]), patience)
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, word); err != nil {
		e.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(answer)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What is wrong in a zoo.cfg is told all at once, with file and line, and nothing is started or made.
func TestZooCfgWithMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "zoo.cfg")
	write(t, file, "# mistakes\ntickTime=soon\ndataDir="+dir+"/data\nclientPort=99999\nserver.1=zoo1:2888:3888\nserver.2=zoo2\nserver.300=zoo3:2888:3888\n")
	output, err := exec.Command(program, "keeper", file).CombinedOutput()
	if exit, failed := err.(*exec.ExitError); !failed || exit.ExitCode() != 1 {
		t.Errorf("it ends with %v", err)
	}
	for _, want := range []string{
		file + `:2: tickTime: "soon" is not a number from 1 to 2147483647`,
		file + `:4: clientPort: "99999" is not a number from 0 to 65535`,
		file + `:6: server.2: "zoo2" is not host:2888:3888;2181`,
		file + ":7: server.300: the number of a server is 1 to 255",
		"which of the servers is this? None has this machine's name; set ZOO_MY_ID",
	} {
		if !strings.Contains(string(output), want) {
			t.Errorf("it does not say %s, but\n%s", want, output)
		}
	}
	if _, err := os.Stat(dir + "/data"); !os.IsNotExist(err) {
		t.Error("the directory was made")
	}
}
