package pods

import (
	"strings"
	"testing"
)

// The recipe, from its first command to its last.
func TestRecipe(t *testing.T) {
	w := newWorld(t)
	w.apply("zookeeper-svc.yaml")
	w.apply("zookeeper-deployment.yaml")
	w.await("three keepers", func() bool { return w.RolledOut(w.Owners("zookeeper")...) })
	w.applyBrokers()
	w.await("six pods", func() bool { return w.RolledOut(append(w.Owners("zookeeper"), w.Owners("kafka")...)...) })
	w.say("six pods run\n%s", w.Table())
	address := w.clusterAddress(1)
	typed := "野猪套天下第一\ntest\n!@#$\n123\n"
	ctx := w.context()
	if _, err := w.Exec(ctx, w.pod("kafka-deployment-2"), strings.NewReader(typed), "/bin/bash", "-c",
		"cd /opt/kafka/bin/ && ./kafka-console-producer.sh --broker-list "+address+" --topic test"); err != nil {
		t.Fatal(err)
	}
	got, err := w.Exec(ctx, w.pod("kafka-deployment-3"), nil, "/bin/bash", "-c",
		"cd /opt/kafka/bin/ && ./kafka-console-consumer.sh --bootstrap-server "+address+" --topic test --from-beginning --max-messages 4")
	if err != nil || got != typed {
		t.Fatalf("the consumer printed %q, %v", got, err)
	}
	w.say("four lines")
}

// applyBrokers does the recipe's third step: the Services first, and their addresses into the Deployments.
func (w *world) applyBrokers() {
	w.t.Helper()
	w.apply("kafka-svc.yaml")
	var replace []string
	for number, old := range map[int]string{1: "10.1.246.238", 2: "10.1.214.60", 3: "10.1.252.232"} {
		host, _, _ := strings.Cut(w.clusterAddress(number), ":")
		replace = append(replace, old, host)
	}
	w.apply("kafka-deployment.yaml", replace...)
}

// clusterAddress is that of a broker's Service.
func (w *world) clusterAddress(number int) string {
	w.t.Helper()
	s, err := w.Service(namespace, "kafka-service-"+string(rune('0'+number)))
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Spec.ClusterIP + ":9092"
}
