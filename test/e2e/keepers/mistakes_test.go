package keepers

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"barnabas/internal/metadata"
)

// A log that the ensemble has replaced does not win, and does not stay: it is put aside, and its keeper joins anew.
func TestOldLog(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	w := e.write()
	w.goesOn()
	k := e.keepers[2]
	k.kill()
	old := t.TempDir()
	if err := os.CopyFS(old+"/copy", os.DirFS(k.dir)); err != nil {
		t.Fatal(err)
	}
	e.wipe(k)
	e.launch(k)
	e.ready(k)
	w.goesOn()
	e.wipe(k)
	k.dir = old + "/copy"
	e.launch(k)
	e.ready(k)
	e.await("the old log to be put aside", func() bool { return k.output.Says("the ensemble has gone on without this log") })
	w.goesOn()
	w.check()
}

// A keeper's disk is put back as it was some time ago, while the ensemble knows that the keeper has had more: its vote would be for
// what it no longer has. The log is put aside, and the keeper joins anew.
func TestDiskPutBack(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	w := e.write()
	w.goesOn()
	leader, k := e.leader(e.keepers...), e.keepers[0]
	if k == leader {
		k = e.keepers[1]
	}
	k.kill()
	old := t.TempDir() + "/copy"
	if err := os.CopyFS(old, os.DirFS(k.dir)); err != nil {
		t.Fatal(err)
	}
	e.launch(k)
	e.ready(k)
	w.goesOn()
	k.kill()
	k.dir = old
	e.launch(k)
	e.ready(k)
	w.goesOn()
	leader.kill() // and its log, not the one that was put back, decides what is left
	w.goesOn()
	e.launch(leader)
	e.allReady()
	w.check()
}

// A directory of another ensemble is refused, and left as it is.
func TestDirectoryOfAnotherEnsemble(t *testing.T) {
	t.Parallel()
	one, other := startEnsemble(t, 3), startEnsemble(t, 3)
	k := one.keepers[2]
	k.kill()
	other.keepers[2].kill()
	k.dir = other.keepers[2].dir
	one.launch(k)
	<-k.exited
	if !k.output.Says("belongs to another ensemble") || !k.output.Says("nothing was changed") || k.command.ProcessState.ExitCode() != 1 {
		t.Errorf("it says:\n%s", k.output.Tail())
	}
	other.launch(other.keepers[2])
	other.ready(other.keepers[2])
}

// Two processes with copies of one directory: the second is refused.
func TestCopiedDirectory(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 3)
	e.names = []string{"127.0.0.1", "127.0.0.1", "127.0.0.1"} // and nobody listens at every address
	e.launchAll()
	e.allReady()
	k := e.keepers[1]
	dir := t.TempDir() + "/copy"
	k.kill()
	if err := os.CopyFS(dir, os.DirFS(k.dir)); err != nil {
		t.Fatal(err)
	}
	e.launch(k)
	e.ready(k)
	// The other one has the same ports at another address.
	double := &process{name: "keeper 2, copied", number: 2, http: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	var servers []string
	for s := range strings.FieldsSeq(e.servers(e.keepers[0])) {
		if strings.HasPrefix(s, "server.2=") {
			s = fmt.Sprintf("server.2=127.0.4.2:%d:%d;127.0.4.2:%d", k.ports[0], k.ports[1], k.ports[2])
		}
		servers = append(servers, s)
	}
	e.run(double, []string{"ZOO_MY_ID=2", "ZOO_SERVERS=" + strings.Join(servers, " "), "ZOO_DATA_DIR=" + dir, "ZOO_HTTP_LISTENER=" + double.http}, "keeper")
	e.brokers = append(e.brokers, double)
	<-double.exited
	if !double.output.Says("runs already") {
		t.Errorf("it says:\n%s", double.output.Tail())
	}
}

// What is given as a keeper is a real ZooKeeper: brokers and keepers say so by name.
func TestRealZooKeeper(t *testing.T) {
	t.Parallel()
	zoo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer zoo.Close()
	go func() {
		for {
			conn, err := zoo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				var word [4]byte
				if _, err := io.ReadFull(conn, word[:]); err == nil && string(word[:]) == "srvr" {
					io.WriteString(conn, "Zookeeper version: 3.5.9-83df9301aa5c2a5d284a9940177808c01bc35cef, built on 01/06/2021 19:49 GMT\n")
				}
			}()
		}
	}()
	port := zoo.Addr().(*net.TCPAddr).Port
	broker := exec.Command(program, "server", "--override", "zookeeper.connect="+zoo.Addr().String(),
		"--override", "log.dirs="+t.TempDir(), "--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override", "http.listener=127.0.0.1:0")
	if out, err := broker.CombinedOutput(); err == nil || !strings.Contains(string(out), "names a real ZooKeeper: "+zoo.Addr().String()+" (version 3.5.9)") {
		t.Errorf("the broker says: %s", out)
	}
	e := newEnsemble(t, 1)
	e.keepers = append(e.keepers, &process{name: "a real one", number: 2, host: "127.0.0.1", ports: [3]int{port, port, port}})
	e.size = 2
	e.launch(e.keepers[0])
	e.keepers = e.keepers[:1]
	e.size = 1
	e.await("the keeper to say who is there", func() bool { return strings.Contains(e.keepers[0].readiness(), "is a real ZooKeeper") })
}

// The metadata were written by a newer release: a broker says so and ends, and changes nothing.
func TestMetadataOfANewerRelease(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 1)
	e.startBrokers(1, false)
	b := e.brokers[0]
	e.stop(b)
	s := e.store()
	key := metadata.FormatKey()
	ours := e.get(s, key)
	e.put(s, key, "99")
	e.launchBroker(b)
	<-b.exited
	if b.command.ProcessState.ExitCode() != 1 || !b.output.Says("run a newer release") {
		t.Errorf("exit code %d, it says:\n%s", b.command.ProcessState.ExitCode(), b.output.Tail())
	}
	e.put(s, key, ours)
	e.launchBroker(b)
	e.ready(b)
	e.put(s, key, "99") // while it runs
	<-b.exited
	if b.command.ProcessState.ExitCode() != 1 || strings.Count(b.output.String(), "run a newer release") < 2 {
		t.Errorf("exit code %d, it says:\n%s", b.command.ProcessState.ExitCode(), b.output.Tail())
	}
	e.put(s, key, ours)
	e.launchBroker(b)
	e.ready(b)
}
