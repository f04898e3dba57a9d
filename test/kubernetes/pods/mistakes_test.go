package pods

import (
	"strings"
	"testing"
)

// says waits until pods of whose name this is a part have printed something.
func (w *world) says(part, what string) {
	w.t.Helper()
	w.await(part+" to say "+what, func() bool { return strings.Contains(w.Logs(part), what) })
}

// A second Deployment with the number of a broker that serves: the first one serves on, and the mistake is named.
func TestTwoPodsWithOneNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recipe()
	w.topic("numbers", 3, 3)
	l := w.startLoad("-bootstrap", outsideAddresses)
	l.flows(200, "before")
	w.apply("kafka-deployment.yaml",
		"name: kafka-deployment-1", "name: kafka-mistaken-1", "name: kafka-service-1", "name: kafka-mistaken-1", "app: kafka-service-1", "app: kafka-mistaken-1",
		"name: kafka-deployment-2", "name: kafka-mistaken-2", "name: kafka-service-2", "name: kafka-mistaken-2", "app: kafka-service-2", "app: kafka-mistaken-2",
		"name: kafka-deployment-3", "name: kafka-mistaken-3", "name: kafka-service-3", "name: kafka-mistaken-3", "app: kafka-service-3", "app: kafka-mistaken-3")
	w.says("kafka-mistaken-1", "registered by another process")
	l.flows(500, "beside three pods with numbers that are taken")
	if long() {
		w.says("kafka-mistaken-1", "two processes claim one broker id") // after half a minute
	}
	l.mark("two pods with each number")
	l.finish()
}

// NodePorts of two brokers exchanged: whoever asks is told.
func TestNodePortToAnotherBroker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recipe()
	w.apply("kafka-svc.yaml", "nodePort: 30901", "nodePort: 30902", "nodePort: 30902", "nodePort: 30901")
	w.diagnosed("leads to another broker")
}

// An advertised address that nobody can reach.
func TestUnreachableAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.recipe()
	w.apply("kafka-deployment.yaml", "PLAINTEXT://192.168.11.113:30901", "PLAINTEXT://192.168.11.99:30901")
	w.await("the brokers to be replaced", func() bool { return w.RolledOut(w.all()...) })
	w.diagnosed("192.168.11.99:30901")
}

// diagnosed waits until `barnabas doctor` in a broker's pod names a fault.
func (w *world) diagnosed(what string) {
	w.t.Helper()
	said := ""
	w.await("the doctor to name the fault", func() bool {
		out, err := w.Exec(w.context(), w.pod("kafka-deployment-3"), nil, "barnabas", "doctor", "--bootstrap-server", "localhost:9092")
		if err != nil {
			out += err.Error()
		}
		said = out
		return strings.Contains(out, what)
	})
	w.say("the doctor says:\n%s", said)
}

// No name is answered at first: pods wait and say for what, and come up when names are there.
func TestNamesComeLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Names.Mute(true)
	w.apply("zookeeper-svc.yaml")
	w.apply("zookeeper-deployment.yaml")
	w.applyBrokers()
	w.says("kafka-deployment-1", "zoo3:2181 (the name zoo3 is not known yet)")
	w.says("zookeeper-deployment-1", "keeper 3 (the name zoo3 is not known yet)")
	w.Names.Mute(false)
	w.topic("late", 3, 3)
	l := w.startLoad("-bootstrap", outsideAddresses, "-topic", "late")
	l.flows(100, "once there are names")
	l.finish()
	for _, p := range w.GetPods() {
		if p.Restarts > 0 {
			t.Errorf("pod %s was started %d times more", p.Name, p.Restarts)
		}
	}
}
