package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestQuorum has the variables of apache/kafka's and Bitnami's images for a cluster of several.
func TestQuorum(t *testing.T) {
	three := "KAFKA_CONTROLLER_QUORUM_VOTERS=1@a:9093,2@b:9093,3@c:9093"
	for _, c := range []struct {
		name string
		env  []string
		want string
	}{
		{"apache/kafka's three in one, as its compose file has them", []string{"KAFKA_NODE_ID=2", "KAFKA_PROCESS_ROLES=broker,controller", three,
			"KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER"},
			"member 2 of [1 a 2 b 3 c], keepers [127.0.0.1:2181 a:2181 c:2181]"},
		{"Bitnami's, numbered from 0", []string{"KAFKA_CFG_NODE_ID=0", "KAFKA_CFG_PROCESS_ROLES=controller,broker", "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=0@k-0:9093,1@k-1:9093,2@k-2:9093"},
			"member 1 of [1 k-0 2 k-1 3 k-2], keepers [127.0.0.1:2181 k-1:2181 k-2:2181]"},
		{"numbers of thousands", []string{"KAFKA_NODE_ID=3002", "KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_CONTROLLER_QUORUM_VOTERS=3001@a:1,3002@b:1"},
			"member 2 of [1 a 2 b], keepers [127.0.0.1:2181 a:2181]"},
		{"a broker alone", []string{"KAFKA_NODE_ID=4", "KAFKA_PROCESS_ROLES=broker", three}, "keepers [a:2181 b:2181 c:2181]"},
		{"one in one", []string{"KAFKA_NODE_ID=1", "KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@a:9093"}, "keepers []"},
		{"what is said of keepers wins", []string{"KAFKA_NODE_ID=4", "KAFKA_PROCESS_ROLES=broker", three, "KAFKA_ZOOKEEPER_CONNECT=z:2181"}, "keepers [z:2181]"},
		{"three on one host, as three files on a laptop have them", []string{"KAFKA_NODE_ID=2", "KAFKA_PROCESS_ROLES=broker,controller",
			"KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:19093,2@localhost:29093,3@localhost:39093"},
			"member 2 of [1 localhost:2888:3888 2 localhost:2889:3889 3 localhost:2890:3890], keepers [127.0.0.1:2182 localhost:2181 localhost:2183]"},
		{"a broker beside them", []string{"KAFKA_NODE_ID=4", "KAFKA_PROCESS_ROLES=broker", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@h:9093,2@h:9094,3@i:9093"},
			"keepers [h:2181 h:2182 i:2181]"},
		{"Kafka 4's own broker.properties", []string{"KAFKA_NODE_ID=2", "KAFKA_PROCESS_ROLES=broker", "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=localhost:9093"},
			"keepers [localhost:2181]"},
		{"Kafka 4's own server.properties", []string{"KAFKA_NODE_ID=1", "KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=localhost:9093",
			"KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER"}, "keepers []"},
		{"three by their addresses, in any order, the own one advertised", []string{"KAFKA_NODE_ID=7", "KAFKA_PROCESS_ROLES=broker,controller",
			"KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=c:9093,a:9093,b:9093", "KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093",
			"KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://b:9092"},
			"member 2 of [1 a 2 b 3 c], keepers [127.0.0.1:2181 a:2181 c:2181]"},
		{"in a pod", []string{"POD_NAME=kafka-0", "KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=kafka-0.kafka:9093,kafka-1.kafka:9093"},
			"member 1 of [1 kafka-0.kafka 2 kafka-1.kafka], keepers [127.0.0.1:2181 kafka-1.kafka:2181]"},
		{"three addresses of one machine", []string{"KAFKA_NODE_ID=2", "KAFKA_PROCESS_ROLES=broker,controller",
			"KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=localhost:9093,localhost:9095", "KAFKA_LISTENERS=PLAINTEXT://:9094,CONTROLLER://:9095",
			"KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER"},
			"member 2 of [1 localhost:2888:3888 2 localhost:2889:3889], keepers [127.0.0.1:2182 localhost:2181]"},
		{"none of the addresses", []string{"KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=a:9093,b:9093", "POD_NAME=x"},
			"! KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS: controller.quorum.bootstrap.servers: none of the hosts is this machine, which is called pod-1, x: give controller.quorum.voters, with node ids"},
		{"an address that is none", []string{"KAFKA_PROCESS_ROLES=broker", "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=a"},
			`! KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS: controller.quorum.bootstrap.servers: "a" is not host:port: missing port in address`},
		{"none of them", []string{"KAFKA_NODE_ID=9", "KAFKA_PROCESS_ROLES=broker,controller", three},
			`! KAFKA_CONTROLLER_QUORUM_VOTERS: controller.quorum.voters: node.id is "9", and none of the voters has it`},
		{"no voters", []string{"KAFKA_NODE_ID=9", "KAFKA_PROCESS_ROLES=broker", "KAFKA_CONTROLLER_QUORUM_VOTERS=a:9093"},
			`! KAFKA_CONTROLLER_QUORUM_VOTERS: controller.quorum.voters: "a:9093": want id@host:port, separated by commas`},
		{"a broker of nobody", []string{"KAFKA_NODE_ID=9", "KAFKA_PROCESS_ROLES=broker"},
			"! KAFKA_PROCESS_ROLES: the cluster's metadata is elsewhere: name the keepers in zookeeper.connect, or the hosts where they run in controller.quorum.voters or controller.quorum.bootstrap.servers"},
	} {
		b, _, err := load(t, "", c.env)
		got := ""
		switch {
		case err != nil:
			got = "! " + err.Error()
		case b.Member != nil:
			got = fmt.Sprintf("member %d of %v, keepers %v", b.Member.ID, memberNames(b.Member.Members), b.Keepers.Servers)
		default:
			got = fmt.Sprintf("keepers %v", b.Keepers.Servers)
		}
		if got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func memberNames(members []Member) (names []string) {
	for _, m := range members {
		host := m.Host
		if m.PeerPort != 2888 || slices.ContainsFunc(members, func(o Member) bool { return o.ID != m.ID && o.Host == m.Host }) {
			host = fmt.Sprintf("%s:%d:%d", m.Host, m.PeerPort, m.RollCallPort)
		}
		names = append(names, fmt.Sprint(m.ID), host)
	}
	return names
}

// TestController: a container of apache/kafka's image that is a controller alone is a keeper.
func TestController(t *testing.T) {
	env := []string{"KAFKA_NODE_ID=3", "KAFKA_PROCESS_ROLES=controller", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@a:9093,2@b:9093,3@c:9093",
		"KAFKA_LISTENERS=CONTROLLER://:9093", "KAFKA_LOG_DIRS=/var/lib/kafka/data", "CLUSTER_ID=4L6g3nShT-eMCtK--X86sw"}
	if role := RoleOf(env); role != KeeperRole {
		t.Errorf("it is a %s", role)
	}
	k, notices, err := LoadKeeper(Sources{Env: env})
	if err != nil || k.ID != 3 || k.DataDir != "/var/lib/kafka/data/__keeper" || strings.Join(memberNames(k.Members), " ") != "1 a 2 b 3 c" {
		t.Errorf("got %+v, %v", k, err)
	}
	if len(notices) != 0 {
		t.Errorf("notices: %v", notices)
	}
	env = []string{"KAFKA_NODE_ID=3000", "KAFKA_PROCESS_ROLES=controller", "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS=b:9093,a:9093,c:9093",
		"KAFKA_LISTENERS=CONTROLLER://c:9093", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER"}
	k, notices, err = LoadKeeper(Sources{Env: env})
	if err != nil || k.ID != 3 || strings.Join(memberNames(k.Members), " ") != "1 a 2 b 3 c" || len(notices) != 0 {
		t.Errorf("by addresses: got %+v, %v, %v", k, notices, err)
	}
	if role := RoleOf([]string{"KAFKA_PROCESS_ROLES=broker,controller", "ZOO_MY_ID=1"}); role != BrokerRole {
		t.Errorf("broker and controller are a %s", role)
	}
}

// TestUnknownVariables: what is nobody's is named once, and keeps nobody from starting.
func TestUnknownVariables(t *testing.T) {
	_, notices, err := load(t, "", []string{"KAFKA_CFG_LOG_RETENTION_HOUR=3", "KAFKA_FROBNICATE=yes", "KAFKA_FROBNICATE_TOO=yes"})
	if err != nil || len(notices) != 3 {
		t.Fatalf("%v, %v", notices, err)
	}
	if got := fmt.Sprint(notices); !strings.Contains(got, "did you mean log.retention.hours?") || !strings.Contains(got, "KAFKA_FROBNICATE") {
		t.Error(got)
	}
	_, notices, err = LoadKeeper(Sources{Env: []string{"ZOO_FROBNICATE=yes", "ZOO_MY_ID=1"}})
	if err != nil || len(notices) != 1 || notices[0].Name != "ZOO_FROBNICATE" || notices[0].Known {
		t.Errorf("%v, %v", notices, err)
	}
}
