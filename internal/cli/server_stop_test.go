package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fakeProcess writes what /proc tells of a process.
func fakeProcess(t *testing.T, proc, pid, dir, env string, argv ...string) {
	t.Helper()
	path := filepath.Join(proc, pid)
	writeFile(t, filepath.Join(path, "cmdline"), []byte(strings.Join(argv, "\x00")+"\x00"))
	writeFile(t, filepath.Join(path, "environ"), []byte(env))
	if err := os.Symlink(dir, filepath.Join(path, "cwd")); err != nil {
		t.Fatal(err)
	}
}

func TestRunningServers(t *testing.T) {
	proc, dir := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(dir, "server.properties"), []byte("node.id=7\nprocess.roles=broker,controller\ncontroller.listener.names=C\n"+
		"listeners=PLAINTEXT://localhost:9092,C://localhost:9093\ncontroller.quorum.voters=7@localhost:9093\n"))
	writeFile(t, filepath.Join(dir, "data", "meta.properties"), []byte("version=1\nnode.id=9\n"))
	fakeProcess(t, proc, "100001", dir, "", "/opt/kafka/bin/kafka-server-start.sh", "-daemon", "server.properties")
	fakeProcess(t, proc, "100002", dir, "KAFKA_BROKER_ID=8\x00HOME=/\x00", "bin/barnabas", "server")
	fakeProcess(t, proc, "100003", dir, "", "barnabas", "server", "--override", "log.dirs=data")
	fakeProcess(t, proc, "100004", dir, "", "barnabas", "kafka-server-start.sh", "--config=server.properties", "--override=node.id=10")
	fakeProcess(t, proc, "100005", dir, "", "barnabas", "topics", "list")
	fakeProcess(t, proc, "100006", dir, "", "vi", "server")
	fakeProcess(t, proc, "self", dir, "", "barnabas", "server")

	want := []struct {
		pid, node int
		roles     string
	}{{100001, 7, "broker,controller"}, {100002, 8, "broker"}, {100003, 9, "broker"}, {100004, 10, "broker,controller"}}
	servers := runningServers(proc)
	if len(servers) != len(want) {
		t.Fatalf("found %+v", servers)
	}
	for i, w := range want {
		s := servers[i]
		if s.pid != w.pid || int(s.nodeID()) != w.node || s.roles() != w.roles {
			t.Errorf("process %d has node id %d and roles %q, want %+v", s.pid, s.nodeID(), s.roles(), w)
		}
	}
}

func TestCommandsOfTheEnvironmentAreNotRun(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	s := serverProcess{env: []string{"HOSTNAME_COMMAND=touch " + mark, "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://_{HOSTNAME_COMMAND}:9092"}}
	s.nodeID()
	if _, err := os.Stat(mark); err == nil {
		t.Error("looking at a process ran a command of its environment")
	}
}

func TestSignalNumber(t *testing.T) {
	for name, want := range map[string]syscall.Signal{"": 15, "TERM": 15, "SIGINT": 2, "kill": 9, "1": 1} {
		if got, err := signalNumber(name); err != nil || got != want {
			t.Errorf("%q: %d, %v", name, got, err)
		}
	}
	if _, err := signalNumber("NOSUCH"); err == nil {
		t.Error("an unknown signal was taken")
	}
}
