package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// Cores of the broker and of the generator.
const (
	brokerCore    = 0
	generatorCore = 1
)

const startDeadline = 60 * time.Second

// system is a broker that can be measured.
type system interface {
	name() string
	// prepare readies an empty directory, such as Kafka's format step; it is not timed.
	prepare(dir string, port int) error
	// command starts the broker in the foreground on a prepared directory.
	command(dir string, port int) *exec.Cmd
}

type barnabas struct{ binary string }

func (barnabas) name() string { return "Barnabas" }

func (barnabas) prepare(string, int) error { return nil }

func (b barnabas) command(dir string, port int) *exec.Cmd {
	return exec.Command(b.binary, "server",
		"--override", "log.dirs="+filepath.Join(dir, "data"),
		"--override", "listeners=PLAINTEXT://127.0.0.1:"+strconv.Itoa(port),
		"--override", "http.listener=", "--override", "keeper.listener=")
}

// kafka is the newest Apache Kafka from Maven Central, one combined node, with the JVM settings of its start script.
type kafka struct{ jars string }

func newKafka(cache, pomDir string) (kafka, error) {
	jars := filepath.Join(cache, "kafka")
	marker := filepath.Join(jars, ".complete")
	if _, err := os.Stat(marker); err == nil {
		return kafka{jars}, nil
	}
	mvn := exec.Command("mvn", "-q", "-B", "-f", filepath.Join(pomDir, "pom.xml"),
		"dependency:copy-dependencies", "-DoutputDirectory="+jars)
	mvn.Stdout, mvn.Stderr = os.Stderr, os.Stderr
	if err := mvn.Run(); err != nil {
		return kafka{}, err
	}
	return kafka{jars}, os.WriteFile(marker, nil, 0o644)
}

func (kafka) name() string { return "Apache Kafka" }

func (k kafka) prepare(dir string, port int) error {
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`, port, freePort(), filepath.Join(dir, "data"))
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(properties), 0o644); err != nil {
		return err
	}
	format := exec.Command("java", "-cp", k.jars+"/*", "kafka.tools.StorageTool", "format",
		"-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", file)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w: %s", err, out)
	}
	return nil
}

func (k kafka) command(dir string, _ int) *exec.Cmd {
	return exec.Command("java", "-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
		"-cp", k.jars+"/*", "kafka.Kafka", filepath.Join(dir, "server.properties"))
}

// node is a broker that runs.
type node struct {
	system system
	dir    string
	port   int
	cmd    *exec.Cmd
	log    *os.File
}

// launch starts the system in a new directory and returns without waiting for it.
func launch(s system) (*node, error) {
	dir, err := os.MkdirTemp("", "barnabas-bench")
	if err != nil {
		return nil, err
	}
	n := &node{system: s, dir: dir, port: freePort()}
	if err := s.prepare(dir, n.port); err != nil {
		return nil, err
	}
	if n.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	return n, n.exec()
}

// exec starts the process, pinned to the broker's core.
func (n *node) exec() error {
	cmd := n.system.command(n.dir, n.port)
	n.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(brokerCore)}, cmd.Args...)...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	return n.cmd.Start()
}

func (n *node) address() string { return "127.0.0.1:" + strconv.Itoa(n.port) }

// kill ends the process at once, as kill -9 does.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}

// close ends the process and removes what it wrote.
func (n *node) close() {
	n.kill()
	_ = n.log.Close()
	_ = os.RemoveAll(n.dir)
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
