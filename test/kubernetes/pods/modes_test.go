package pods

import (
	"strings"
	"testing"

	"barnabas/test/kubernetes/chart"
	"barnabas/test/kubernetes/pods/objects"
)

// A keeper inside each broker, nothing on any disk: a topic's document asks for more replicas, and then all pods are replaced, one after
// another, under load.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	values := func(replicas int) map[string]any {
		return map[string]any{
			"mode": "combined", "brokers": map[string]any{"settings": map[string]any{"barnabas.topics.interval.ms": 500}},
			"topics": []any{map[string]any{"name": "orders", "partitions": 2, "replicas": replicas}},
		}
	}
	w.install(values(1))
	w.chartReady("installed")
	w.chartInSync("orders", 1)
	w.install(values(3))
	w.chartInSync("orders", 3)
	l := w.startLoadInside("-bootstrap", "queue-barnabas:9092", "-create", "-partitions", "1")
	l.flows(200, "before")
	l.mark("installed")
	w.restarted(l, "queue", 200)
	w.event("queue-barnabas-broker", "EnsembleBorn") // by the keeper inside
	w.event("queue-barnabas-broker", "KeeperReturnedEmpty")
}

// Volumes that stay: all pods are deleted at once, and come back with what they had.
func TestVolumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	volume := map[string]any{"storage": map[string]any{"type": "persistentVolume"}}
	w.install(map[string]any{"keepers": volume, "brokers": volume})
	w.chartReady("installed")
	l := w.startLoadInside("-bootstrap", "queue-barnabas:9092", "-create", "-partitions", "1")
	l.flows(200, "before")
	l.mark("installed")
	for _, p := range w.GetPods() {
		if strings.HasPrefix(p.Name, "queue") {
			if err := w.DeletePod(p.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.chartReady("all pods deleted, and back")
	l.flows(200, "with the old volumes")
	l.mark("deleted and back")
	l.finish()
	for _, e := range w.Events() {
		if e.Reason == "BrokerReturnedEmpty" || e.Reason == "RecordsLost" || e.Reason == "EnsembleRecovered" {
			t.Errorf("%s of %s: %s", e.Reason, e.InvolvedObject.Name, e.Message)
		}
	}
}

// kubectl apply -k deploy/manifests, in another namespace and with the image at hand, as an overlay says it.
func TestManifests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text, err := chart.Build("../../../deploy/manifests")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer("namespace: barnabas\n", "namespace: "+namespace+"\n", "image: barnabas:0.1.0\n", "image: "+imageName+"\n").Replace(text)
	set, err := objects.Read([]byte(text), namespace)
	if err != nil {
		t.Fatal(err)
	}
	w.Apply(set)
	w.await("all pods", func() bool { return w.RolledOut(w.Owners("barnabas")...) })
	w.say("applied\n%s", w.Table())
	l := w.startLoadInside("-bootstrap", "barnabas:9092", "-create", "-partitions", "1")
	l.flows(200, "applied")
	l.finish()
	w.event("barnabas-keeper", "EnsembleBorn")
	w.event("barnabas-broker", "BrokerUp")
}
