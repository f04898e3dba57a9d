package config

import "testing"

func TestRole(t *testing.T) {
	// What each pod of the namespace has, for its Services.
	links := []string{
		"ZOO1_SERVICE_HOST=10.1.0.1", "ZOO1_PORT_2181_TCP=tcp://10.1.0.1:2181",
		"KAFKA_SERVICE_1_SERVICE_HOST=10.1.246.238", "KAFKA_SERVICE_1_PORT=tcp://10.1.246.238:9092",
		"KAFKA_PORT=tcp://10.1.0.9:9092", "PATH=/bin", "HOME=/", "KAFKA_HEAP_OPTS=-Xmx1G",
	}
	for _, c := range []struct {
		name string
		env  []string
		want Role
	}{
		{"nothing", nil, BrokerRole},
		{"a keeper of the recipe", []string{"ZOO_MY_ID=1", "ZOO_SERVERS=server.1=0.0.0.0:2888:3888;2181 server.2=zoo2:2888:3888;2181"}, KeeperRole},
		{"a broker of the recipe", []string{"KAFKA_BROKER_ID=1", "KAFKA_ZOOKEEPER_CONNECT=zoo1:2181,zoo2:2181"}, BrokerRole},
		{"a broker with its keeper inside", []string{"ZOO_MY_ID=1", "KAFKA_BROKER_ID=1"}, BrokerRole},
		{"a variable that is empty", []string{"ZOO_MY_ID=1", "KAFKA_BROKER_ID="}, KeeperRole},
	} {
		if got := RoleOf(append(c.env, links...)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
