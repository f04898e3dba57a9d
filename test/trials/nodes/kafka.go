package nodes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Kafka says how a cluster of three combined nodes of Apache Kafka is run, with default settings.
type Kafka struct {
	// Jars is a folder of jars, Dir for data and output, Net the prefix of the nodes' addresses.
	Jars, Dir, Net string
}

// FetchKafka copies the jars that a pom.xml names into a folder, by Maven, once.
func FetchKafka(pom, into string) error {
	marker := filepath.Join(into, ".complete")
	if _, err := os.Stat(marker); err == nil {
		return nil
	}
	mvn := exec.Command("mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+into)
	mvn.Stdout, mvn.Stderr = os.Stderr, os.Stderr
	if err := mvn.Run(); err != nil {
		return fmt.Errorf("fetch Apache Kafka by Maven: %w", err)
	}
	return os.WriteFile(marker, nil, 0o644)
}

// Cluster is not started.
func (k Kafka) Cluster() *Cluster {
	c := &Cluster{Name: "Apache Kafka 4.4", dir: k.Dir}
	for i := range brokers {
		n := &Node{ID: i + 1, Host: k.Net + strconv.Itoa(i+1)}
		n.Broker = newProcess(k.Dir, "kafka-"+strconv.Itoa(n.ID))
		file := filepath.Join(k.Dir, n.Broker.Name, "server.properties")
		n.Broker.Args = []string{"java", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
			"-XX:InitiatingHeapOccupancyPercent=35", "-Djava.awt.headless=true", "-cp", k.Jars + "/*", "kafka.Kafka", file}
		n.Prepare = func() error { return k.format(n, file) }
		c.Nodes = append(c.Nodes, n)
	}
	return c
}

// kafkaCluster is the id that every node is formatted with, as images do that take it from a variable.
const kafkaCluster = "MkU3OEVBNTcwNTJENDM2Qg"

func (k Kafka) format(n *Node, file string) error {
	voters := ""
	for i := range brokers {
		voters += fmt.Sprintf(",%d@%s%d:9093", i+1, k.Net, i+1)
	}
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=%d
controller.quorum.voters=%s
listeners=PLAINTEXT://%[3]s:9092,CONTROLLER://%[3]s:9093
advertised.listeners=PLAINTEXT://%[3]s:9092
controller.listener.names=CONTROLLER
log.dirs=%s
`, n.ID, voters[1:], n.Host, n.Broker.Data)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(properties), 0o644); err != nil {
		return err
	}
	out, err := exec.Command("java", "-cp", k.Jars+"/*", "kafka.tools.StorageTool", "format",
		"-t", kafkaCluster, "-c", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format node %d: %w: %s", n.ID, err, out)
	}
	return nil
}
