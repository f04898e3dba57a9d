package main

import (
	"slices"
	"strings"
	"testing"
)

func TestStarted(t *testing.T) {
	keeper, broker := []string{"ZOO_MY_ID=2"}, []string{"KAFKA_BROKER_ID=2"}
	for _, c := range []struct {
		argv string
		env  []string
		want string
	}{
		{"barnabas start", keeper, "barnabas keeper"},
		{"barnabas start", broker, "barnabas server"},
		{"barnabas start", nil, "barnabas server"},
		{"barnabas start --override num.partitions=3", broker, "barnabas server --override num.partitions=3"},
		{"/usr/bin/start-kafka.sh", broker, "/usr/bin/start-kafka.sh server"},
		{"barnabas start-kafka.sh", broker, "barnabas server"},
		{"barnabas zkServer.sh start-foreground", keeper, "barnabas keeper"},
		{"zkServer.sh start-foreground", keeper, "zkServer.sh keeper"},
		{"barnabas zkServer.sh status", keeper, "barnabas zkServer.sh status"},
		{"kafka-topics.sh --list", broker, "kafka-topics.sh --list"},
		{"kafka-topics.sh start", broker, "kafka-topics.sh start"},
		{"barnabas", broker, "barnabas"},
		{"barnabas topics list", broker, "barnabas topics list"},
	} {
		if got := started(strings.Fields(c.argv), c.env); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: %q", c.argv, got)
		}
	}
}
