package pods

import (
	"fmt"
	"strings"
	"testing"

	"barnabas/test/kubernetes/chart"
	"barnabas/test/kubernetes/pods/objects"
)

// install is `helm upgrade --install` of deploy/chart; brokers are reached from outside by NodePorts that Kubernetes chooses.
func (w *world) install(more map[string]any) {
	w.t.Helper()
	values := map[string]any{
		"image":   map[string]any{"repository": "barnabas", "tag": "dev"},
		"outside": map[string]any{"access": "NodePort"},
	}
	for name, value := range more {
		values[name] = value
	}
	files, err := chart.Render("../../../deploy/chart", chart.Release{Name: "queue", Namespace: namespace}, values)
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := objects.Read([]byte(strings.Join(chart.Documents(files), "---\n")), namespace)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Apply(set)
}

// chartReady waits for all pods of the chart.
func (w *world) chartReady(what string) {
	w.t.Helper()
	w.await(what, func() bool { return w.RolledOut(w.Owners("queue")...) })
	w.say("%s\n%s", what, w.Table())
}

// The chart, installed, upgraded and scaled up by one, under a load from outside: what clients there are told brokers have found out.
// What becomes of brokers and keepers is told as Events.
func TestChart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.install(nil)
	w.chartReady("installed")
	if racks := w.racks("queue-barnabas-broker"); len(racks) != 3 {
		t.Errorf("the brokers stand in %v, want three zones", racks)
	}
	l := w.startLoad("-bootstrap", w.nodePorts("queue-barnabas-outside"), "-create", "-partitions", "1")
	l.flows(200, "before")
	l.mark("installed")
	w.install(map[string]any{"keepers": annotated("a"), "brokers": annotated("a")})
	w.chartReady("upgraded, and all pods replaced")
	l.flows(200, "after the upgrade")
	l.mark("upgraded")
	w.install(map[string]any{"keepers": annotated("a"), "brokers": map[string]any{"replicas": 4, "podAnnotations": map[string]any{"note": "a"}}})
	w.chartReady("scaled up by one")
	l.flows(200, "with four brokers")
	l.mark("scaled up")
	l.finish()
	for _, reason := range []string{"EnsembleBorn", "KeeperUp", "KeeperReturnedEmpty", "BrokerUp", "BrokerDraining", "BrokerReturnedEmpty"} {
		w.event("queue-barnabas", reason)
	}
	for _, e := range w.Events() {
		if e.Reason == "EnsembleRecovered" || e.Reason == "RecordsLost" || e.Reason == "BrokerLeftAtRisk" {
			t.Errorf("%s of %s: %s", e.Reason, e.InvolvedObject.Name, e.Message)
		}
	}
}

// annotated are values that make a new template.
func annotated(note string) map[string]any {
	return map[string]any{"podAnnotations": map[string]any{"note": note}}
}

// Hosts are drained one after another, as for an upgrade of each; the budgets let one broker and one keeper go at a time.
func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.AddNode("node3"); err != nil {
		t.Fatal(err)
	}
	w.install(nil)
	w.chartReady("installed")
	l := w.startLoadInside("-bootstrap", "queue-barnabas:9092", "-create", "-partitions", "1")
	l.flows(200, "before")
	l.mark("installed")
	hosts := []string{"node1", "node2"}
	if long() {
		hosts = append(hosts, "node3", "master")
	}
	for _, host := range hosts {
		if err := w.Drain(w.context(), host); err != nil {
			t.Fatal(err)
		}
		w.chartReady(fmt.Sprintf("host %s is drained", host))
		if err := w.Uncordon(host); err != nil {
			t.Fatal(err)
		}
		l.flows(200, "after the drain")
		l.mark("drained " + host)
	}
	l.finish()
}
