package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"barnabas/test/trials/nodes"
)

// Cores of the broker and of the generator.
const (
	brokerCore    = 0
	generatorCore = 1
)

const startDeadline = 60 * time.Second

// system is a server that can be measured.
type system interface {
	name() string
	// prepare readies an empty directory, such as Kafka's format step; it is not timed.
	prepare(dir string, port int) error
	// command starts the server in the foreground on a prepared directory.
	command(dir string, port int, settings []string) *exec.Cmd
	// warmUp is how many records a JVM has to see before its code is compiled.
	warmUp() int
}

// clustered is a system of which three can be run.
type clustered interface {
	system
	cluster(dir, net string, settings []string) *nodes.Cluster
}

const (
	warmJIT   = 20_000_000
	warmCache = 500_000
)

type barnabas struct{ binary string }

func (barnabas) name() string { return nameBarnabas }

func (barnabas) warmUp() int { return warmCache }

func (barnabas) prepare(string, int) error { return nil }

func (b barnabas) command(dir string, port int, settings []string) *exec.Cmd {
	args := []string{"server"}
	for _, s := range append([]string{
		"log.dirs=" + filepath.Join(dir, "data"), "listeners=PLAINTEXT://127.0.0.1:" + strconv.Itoa(port),
		"http.listener=", "keeper.listener=",
	}, settings...) {
		args = append(args, "--override", s)
	}
	return exec.Command(b.binary, args...)
}

func (b barnabas) cluster(dir, net string, settings []string) *nodes.Cluster {
	return nodes.Barnabas{Program: b.binary, Layout: nodes.Inside, Dir: dir, Net: net, Settings: settings}.Cluster()
}

// kafka is the newest Apache Kafka from Maven Central, one combined node, with the JVM settings of its start script.
type kafka struct{ jars string }

func (kafka) name() string { return nameKafka }

func (kafka) warmUp() int { return warmJIT }

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

func (k kafka) command(dir string, _ int, settings []string) *exec.Cmd {
	args := []string{"-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
		"-cp", k.jars + "/*", "kafka.Kafka", filepath.Join(dir, "server.properties")}
	for _, s := range settings {
		args = append(args, "--override", s)
	}
	return exec.Command("java", args...)
}

func (k kafka) cluster(dir, net string, _ []string) *nodes.Cluster {
	return nodes.Kafka{Jars: k.jars, Dir: dir, Net: net}.Cluster()
}

// pickSystems readies those that are wanted; all, if none is named.
func pickSystems(only, program string) ([]system, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module's folder: %w", err)
	}
	home := strings.TrimSpace(string(root))
	cache := filepath.Join(home, ".cache", "bench")
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	wanted := func(name string) bool { return len(names) == 0 || slices.Contains(names, name) }
	var systems []system
	if wanted("kafka") {
		jars := filepath.Join(cache, "kafka")
		if err := nodes.FetchKafka(filepath.Join(home, "bench", "pom.xml"), jars); err != nil {
			return nil, fmt.Errorf("get Apache Kafka (-system barnabas,limit does without): %w", err)
		}
		systems = append(systems, kafka{jars})
	}
	if wanted("nats") {
		binary, err := buildNATS(filepath.Join(home, "bench", "nats"), cache)
		if err != nil {
			return nil, fmt.Errorf("build NATS (-system barnabas,limit does without): %w", err)
		}
		systems = append(systems, jetStream{binary})
	}
	if wanted("limit") {
		systems = append(systems, limit{})
	}
	if wanted("barnabas") {
		if program == "" {
			program = filepath.Join(home, "bin", "barnabas")
		}
		systems = append(systems, barnabas{binary: program})
	}
	if len(systems) == 0 {
		return nil, fmt.Errorf("no system is called %q", only)
	}
	return systems, nil
}
