package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestImages starts from the variables that real deployments have, image by image.
func TestImages(t *testing.T) {
	for _, c := range []struct {
		name      string
		env       []string
		listeners string
		check     func(t *testing.T, b *Broker)
		notices   int
	}{
		{
			name: "the recipe on Kubernetes, wurstmeister/kafka",
			env: []string{
				"KAFKA_ADVERTISED_PORT=9092", "KAFKA_ADVERTISED_HOST_NAME=10.1.246.238",
				"KAFKA_ZOOKEEPER_CONNECT=zoo1:2181,zoo2:2181,zoo3:2181", "KAFKA_BROKER_ID=1",
				"KAFKA_CREATE_TOPICS=mytopic:2:1", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://192.168.11.113:30901",
				"KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092",
				// what Kubernetes adds for the Services of the namespace
				"KAFKA_SERVICE_1_PORT=tcp://10.1.246.238:9092", "KAFKA_SERVICE_1_PORT_9092_TCP=tcp://10.1.246.238:9092",
				"KAFKA_SERVICE_1_PORT_9092_TCP_ADDR=10.1.246.238", "KAFKA_SERVICE_1_PORT_9092_TCP_PORT=9092",
				"KAFKA_SERVICE_1_PORT_9092_TCP_PROTO=tcp", "KAFKA_SERVICE_1_SERVICE_HOST=10.1.246.238",
				"KAFKA_SERVICE_1_SERVICE_PORT=9092", "KAFKA_SERVICE_1_SERVICE_PORT_KAFKA_SERVICE_1=9092",
				"ZOO1_PORT=tcp://10.1.1.1:2181", "ZOO1_SERVICE_HOST=10.1.1.1", "HOSTNAME=kafka-deployment-1-x", "PATH=/bin",
			},
			listeners: "PLAINTEXT 0.0.0.0:9092 192.168.11.113:30901",
			check: func(t *testing.T, b *Broker) {
				topics := []NewTopic{{Name: "mytopic", Partitions: 2, Replicas: 1}}
				if b.NodeID != 1 || len(b.Keepers.Servers) != 3 || !reflect.DeepEqual(b.Topics, topics) {
					t.Errorf("got %+v", b)
				}
			},
		},
		{
			name: "wurstmeister's compose file, with a Service called kafka beside it",
			env: []string{"KAFKA_PORT=tcp://10.0.0.1:9092", "KAFKA_SERVICE_HOST=10.0.0.1", "KAFKA_SERVICE_PORT=9092",
				"HOSTNAME_COMMAND=echo outside", "PORT_COMMAND=echo 30999", "BROKER_ID_COMMAND=echo 7", "RACK_COMMAND=echo zone-a",
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
				"KAFKA_LISTENERS=INSIDE://:9092,OUTSIDE://:9094", "KAFKA_INTER_BROKER_LISTENER_NAME=INSIDE",
				"KAFKA_ADVERTISED_LISTENERS=INSIDE://:9092,OUTSIDE://_{HOSTNAME_COMMAND}:_{PORT_COMMAND}",
				"KAFKA_CREATE_TOPICS=Topic1:1:3;Topic2:1:1:compact;both:::compact,delete", "KAFKA_CREATE_TOPICS_SEPARATOR=;"},
			listeners: "INSIDE :9092 pod-1:9092; OUTSIDE :9094 outside:30999",
			check: func(t *testing.T, b *Broker) {
				want := []NewTopic{{Name: "Topic1", Partitions: 1, Replicas: 3},
					{Name: "Topic2", Partitions: 1, Replicas: 1, Configs: map[string]string{"cleanup.policy": "compact"}},
					{Name: "both", Partitions: -1, Replicas: -1, Configs: map[string]string{"cleanup.policy": "compact,delete"}}}
				if b.NodeID != 7 || b.Rack != "zone-a" || b.InterBroker != "INSIDE" || !reflect.DeepEqual(b.Topics, want) {
					t.Errorf("got %+v", b)
				}
			},
		},
		{
			name:      "wurstmeister without listeners",
			env:       []string{"KAFKA_ADVERTISED_HOST_NAME=192.168.99.100", "KAFKA_PORT=9093", "KAFKA_ZOOKEEPER_CONNECT=zookeeper:2181"},
			listeners: "PLAINTEXT :9093 192.168.99.100:9093",
		},
		{
			name: "wurstmeister's protocol names",
			env: []string{"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT", "KAFKA_ADVERTISED_PROTOCOL_NAME=OUTSIDE",
				"KAFKA_PROTOCOL_NAME=INSIDE", "KAFKA_ADVERTISED_HOST_NAME=node", "KAFKA_ADVERTISED_PORT=9094"},
			listeners: "OUTSIDE :9094 node:9094; INSIDE :9092 pod-1:9092",
			check: func(t *testing.T, b *Broker) {
				if b.InterBroker != "INSIDE" {
					t.Errorf("brokers use %s", b.InterBroker)
				}
			},
		},
		{
			name: "apache/kafka, the image's own example of one node",
			env: []string{"KAFKA_NODE_ID=1", "KAFKA_PROCESS_ROLES=broker,controller",
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
				"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT_HOST://localhost:9092,PLAINTEXT://broker:19092",
				"KAFKA_CONTROLLER_QUORUM_VOTERS=1@broker:29093",
				"KAFKA_LISTENERS=CONTROLLER://:29093,PLAINTEXT_HOST://:9092,PLAINTEXT://:19092", "KAFKA_INTER_BROKER_LISTENER_NAME=PLAINTEXT",
				"KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER", "CLUSTER_ID=4L6g3nShT-eMCtK--X86sw", "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1",
				"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0", "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1",
				"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1", "KAFKA_LOG_DIRS=/tmp/kraft-combined-logs", "KAFKA_HEAP_OPTS=-Xmx512m"},
			listeners: "PLAINTEXT_HOST :9092 localhost:9092; PLAINTEXT :19092 broker:19092",
			notices:   3,
			check: func(t *testing.T, b *Broker) {
				if b.NodeID != 1 || b.ClusterID != "4L6g3nShT-eMCtK--X86sw" || b.LogDirs[0] != "/tmp/kraft-combined-logs" ||
					GroupInitialRebalanceDelay.In(b.View()) != 0 || OffsetsTopicReplicationFactor.In(b.View()) != 1 {
					t.Errorf("got %+v", b)
				}
			},
		},
		{
			name: "confluentinc/cp-kafka with ZooKeeper",
			env: []string{"KAFKA_BROKER_ID=1", "KAFKA_ZOOKEEPER_CONNECT=zookeeper:2181",
				"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
				"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092", "KAFKA_JMX_PORT=9101", "KAFKA_JMX_HOSTNAME=localhost",
				"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1", "KAFKA_CONFLUENT_LICENSE__TOPIC_REPLICATION_FACTOR=1", "COMPONENT=kafka"},
			listeners: "PLAINTEXT :29092 broker:29092; PLAINTEXT_HOST :9092 localhost:9092",
			notices:   3,
		},
		{
			name: "bitnami/kafka",
			env: []string{"KAFKA_CFG_NODE_ID=0", "KAFKA_CFG_PROCESS_ROLES=controller,broker",
				"KAFKA_CFG_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093", "KAFKA_CFG_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:9092",
				"KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=0@kafka:9093",
				"KAFKA_CFG_CONTROLLER_LISTENER_NAMES=CONTROLLER", "KAFKA_KRAFT_CLUSTER_ID=4L6g3nShT-eMCtK--X86sw", "ALLOW_PLAINTEXT_LISTENER=yes",
				"KAFKA_VOLUME_DIR=/bitnami/kafka", "KAFKA_HOME=/opt/bitnami/kafka", "BITNAMI_DEBUG=no"},
			listeners: "PLAINTEXT :9092 127.0.0.1:9092",
			check: func(t *testing.T, b *Broker) {
				if b.NodeID != 0 || b.ClusterID != "4L6g3nShT-eMCtK--X86sw" {
					t.Errorf("got %+v", b)
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, notices, err := load(t, "", c.env)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(listenerLines(b), "; "); got != c.listeners {
				t.Errorf("listeners are %s\nwant          %s", got, c.listeners)
			}
			if len(notices) != c.notices {
				t.Errorf("notices: %v", notices)
			}
			if c.check != nil {
				c.check(t, b)
			}
		})
	}
}

func TestCommandsThatFail(t *testing.T) {
	_, _, err := Load(Sources{
		Env: []string{"HOSTNAME_COMMAND=boom", "RACK_COMMAND=silent", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://h:_{PORT_COMMAND}"},
		Run: func(command string) (string, error) {
			if command == "boom" {
				return "", errors.New("exit status 1")
			}
			return " \n", nil
		},
		Hostname: func() (string, error) { return "pod-1", nil },
	})
	for _, want := range []string{
		"HOSTNAME_COMMAND: the command failed: exit status 1",
		"RACK_COMMAND: the command printed nothing",
		"KAFKA_ADVERTISED_LISTENERS: has _{PORT_COMMAND}, and there is no PORT_COMMAND",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestTwoNamesOfOneSetting(t *testing.T) {
	_, _, err := load(t, "", []string{"KAFKA_BROKER_ID=1", "KAFKA_NODE_ID=2"})
	if err == nil || !strings.Contains(err.Error(), "KAFKA_NODE_ID says otherwise than KAFKA_BROKER_ID") {
		t.Error(err)
	}
	if b := mustLoad(t, "", []string{"KAFKA_BROKER_ID=2", "KAFKA_NODE_ID=2"}); b.NodeID != 2 {
		t.Errorf("the number is %d", b.NodeID)
	}
}

func TestKeeperOfTheRecipe(t *testing.T) {
	k, notices, err := LoadKeeper(Sources{Env: []string{"ZOO_MY_ID=1", "ZOO_DATA_DIR=/data", "ZOO_DATA_LOG_DIR=/datalog",
		"ZOO_SERVERS=server.1=0.0.0.0:2888:3888;2181 server.2=zoo2:2888:3888;2181 server.3=zoo3:2888:3888;2181",
		"ZOO_CFG_EXTRA=metricsProvider.httpPort=7000 tickTime=3000", "ZOO_PORT=tcp://10.0.0.1:2181", "ZOO_SERVICE_HOST=10.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{{1, "0.0.0.0", 2888, 3888, "", 2181, false}, {2, "zoo2", 2888, 3888, "", 2181, false}, {3, "zoo3", 2888, 3888, "", 2181, false}}
	if k.ID != 1 || k.DataDir != "/data" || k.TickTime.Seconds() != 3 || !reflect.DeepEqual(k.Members, want) {
		t.Errorf("got %+v", k)
	}
	if len(notices) != 2 {
		t.Errorf("notices: %v", notices)
	}
}

// A zoo.cfg says where its own server listens for clients, and nothing of the others. What the list says of a server wins.
func TestKeeperListensForClients(t *testing.T) {
	file := filepath.Join(t.TempDir(), "zoo.cfg")
	text := "clientPort=2182\nclientPortAddress=10.0.0.2\nserver.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888;2183\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Member{
		"2": {2, "b", 2888, 3888, "10.0.0.2", 2182, false},
		"3": {3, "c", 2888, 3888, "", 2183, false},
	} {
		k, _, err := LoadKeeper(Sources{File: file, Env: []string{"ZOO_MY_ID=" + id}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range k.Members {
			if m.ID == k.ID && m != want || m.ID != k.ID && m.ClientHost != "" {
				t.Errorf("as %s got %+v", id, m)
			}
		}
	}
}

func TestKeeperMembers(t *testing.T) {
	for _, c := range []struct {
		address string
		want    Member
		wrong   bool
	}{
		{address: "zoo1:2888:3888", want: Member{5, "zoo1", 2888, 3888, "", 2181, false}},
		{address: "zoo1:2888:3888:observer;10.0.0.1:2182", want: Member{5, "zoo1", 2888, 3888, "10.0.0.1", 2182, true}},
		{address: "zoo1:2888:3888:participant|zoo9:1:2;2183", want: Member{5, "zoo1", 2888, 3888, "", 2183, false}},
		{address: "[::1]:2888:3888;2181", want: Member{5, "::1", 2888, 3888, "", 2181, false}},
		{address: "zoo1:2888", wrong: true},
		{address: "zoo1", wrong: true},
		{address: ":2888:3888", wrong: true},
		{address: "zoo1:2888:x", wrong: true},
		{address: "zoo1:2888:3888;x", wrong: true},
	} {
		got, err := parseMember(5, c.address, 2181)
		if (err != nil) != c.wrong || err == nil && got != c.want {
			t.Errorf("%s: got %+v, %v", c.address, got, err)
		}
	}
	k, _, err := LoadKeeper(Sources{Env: []string{"ZOO_SERVER_ID=2", "ZOO_SERVERS=a:2888:3888,b:2888:3888::7,c:2888:3888"}})
	if err == nil || k != nil {
		t.Error("2 is not a number of one of 1, 7 and 3")
	}
	if k, _, err = LoadKeeper(Sources{}); err != nil || k.ID != 1 || len(k.Members) != 1 {
		t.Errorf("alone: %+v, %v", k, err)
	}
}
