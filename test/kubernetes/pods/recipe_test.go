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
	address := w.clusterAddress(3)
	typed := "野猪套天下第一\ntest\n!@#$\n123\n"
	w.typed("kafka-deployment-2", typed, "kafka-console-producer.sh --broker-list "+w.clusterAddress(1)+","+w.clusterAddress(2)+","+address+" --topic test")
	consumer := "kafka-console-consumer.sh --bootstrap-server " + address + " --topic test --from-beginning"
	if got := w.interrupted("kafka-deployment-3", consumer, 4); got != typed {
		t.Errorf("the consumer printed %q", got)
	}
	list := "kafka-topics.sh --list --zookeeper zoo1:2181"
	if got, want := w.typed("kafka-deployment-1", "", list), "__consumer_offsets\nmytopic\ntest\n"; got != want {
		t.Errorf("%s prints %q, want %q", list, got, want)
	}
	var keepers []string
	for _, name := range []string{"zoo1", "zoo2", "zoo3"} {
		s, err := w.Service(namespace, name)
		if err != nil {
			t.Fatal(err)
		}
		keepers = append(keepers, s.Spec.ClusterIP+":2181")
	}
	w.typed("kafka-deployment-1", "", "kafka-topics.sh --create --zookeeper "+strings.Join(keepers, ",")+" --topic byhand --partitions 3 --replication-factor 1")
	inside := w.startLoadInside("-bootstrap", "kafka-service-1:9092,"+address, "-topic", "byhand")
	outside := w.startLoad("-bootstrap", outsideAddresses, "-topic", "test", "-partitions", "1")
	inside.flows(100, "inside")
	inside.finish()
	outside.flows(100, "outside") // the four lines are there too, and are not its own
}

// typed is what someone types in /opt/kafka/bin of a pod, and what comes of it.
func (w *world) typed(pod, input, line string) string {
	w.t.Helper()
	out, err := w.Exec(w.context(), w.pod(pod), strings.NewReader(input), "/bin/bash", "-c", "cd /opt/kafka/bin/ && ./"+line)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// interrupted is what a command prints until, after so many lines, somebody types Ctrl-C.
func (w *world) interrupted(pod, line string, lines int) string {
	w.t.Helper()
	name := w.pod(pod)
	command, err := w.Command(w.context(), name, "/bin/bash", "-c", "cd /opt/kafka/bin/ && exec ./"+line)
	if err != nil {
		w.t.Fatal(err)
	}
	var out output
	command.Stdout = &out
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.await("the lines of "+line, func() bool { return strings.Count(out.String(), "\n") >= lines })
	program, _, _ := strings.Cut(line, " ")
	interrupt := `for p in /proc/[0-9]*; do IFS= read -r -d '' c <$p/cmdline && [ "${c##*/}" = ` + program + ` ] && kill -INT ${p##*/}; done; true`
	if _, err := w.Exec(w.context(), name, nil, "/bin/bash", "-c", interrupt); err != nil {
		w.t.Error(err)
	}
	if err := command.Wait(); err != nil {
		w.say("%s, interrupted: %v", program, err) // an interrupted command may say so
	}
	return out.String()
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
