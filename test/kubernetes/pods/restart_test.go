package pods

import (
	"testing"
)

// recipe brings the recipe's six pods up, and three brokers into the cluster.
func (w *world) recipe() {
	w.t.Helper()
	w.apply("zookeeper-svc.yaml")
	w.apply("zookeeper-deployment.yaml")
	w.applyBrokers()
	w.await("six pods", func() bool { return w.RolledOut(w.all()...) })
}

func (w *world) all() []string { return append(w.Owners("zookeeper"), w.Owners("kafka")...) }

// All Deployments of one kind, then of both, told to restart at once: successors come beside those they replace.
func TestRolloutRestart(t *testing.T) {
	for name, word := range map[string]string{"brokers": "kafka-deployment", "keepers": "zookeeper-deployment", "all": "deployment"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.recipe()
			w.topic("three", 3, 3)
			w.topic("one", 3, 1)
			three := w.startLoad("-bootstrap", outsideAddresses, "-topic", "three")
			one := w.startLoad("-bootstrap", outsideAddresses, "-topic", "one", "-rate", "200")
			three.flows(500, "before")
			one.flows(200, "before")
			three.mark("before, RF 3")
			one.mark("before, RF 1")
			owners := w.Owners(word)
			if err := w.RolloutRestart(owners...); err != nil {
				t.Fatal(err)
			}
			w.await("all pods to be replaced", func() bool { return w.RolledOut(owners...) })
			w.say("all pods are replaced\n%s", w.Table())
			three.flows(500, "after")
			one.flows(200, "after")
			three.mark("after, RF 3")
			one.mark("after, RF 1")
			three.finish()
			one.finish()
		})
	}
}
